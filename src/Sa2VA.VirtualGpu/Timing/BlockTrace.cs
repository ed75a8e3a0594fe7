using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Timing;

/// <summary>An entry of a <see cref="WarpTrace"/>: a basic block entered, or what an access or a barrier in it asked for.</summary>
/// <param name="Instruction">The block's first instruction, or the one that asked.</param>
/// <param name="Sectors">Sectors that L2 must give or take.</param>
/// <param name="Wavefronts">
/// Turns of shared memory and L1; of a barrier, its number; at an mbarrier, arrivals; −1 where a basic block begins.
/// </param>
internal readonly record struct TraceEntry(int Instruction, short Sectors, short Wavefronts)
{
    /// <summary>Address of the mbarrier that it arrives at, waits for, or tells its bytes to; −1 for none.</summary>
    public int Mbarrier { get; init; } = -1;

    /// <summary>
    /// Of a barrier the threads that it waits for (0: all); at an mbarrier the bytes that it expects or copies, or, of a wait, the phases
    /// that must have ended.
    /// </summary>
    public int Amount { get; init; }

    /// <summary>
    /// Whether the data may be in L1 already: the warp itself has loaded it before. What another warp loaded is most likely still on its
    /// way.
    /// </summary>
    public bool IsNear { get; init; }

    public bool IsBlock => Wavefronts < 0;
}

/// <summary>The way of one warp through a kernel.</summary>
internal sealed class WarpTrace
{
    public List<TraceEntry> Entries { get; } = [];

    public void Enter(Instruction i) => Entries.Add(new(i.Index, 0, -1));

    /// <summary>Takes the last <see cref="Enter"/> back: the block is entered later.</summary>
    public void Leave() => Entries.RemoveAt(Entries.Count - 1);

    public void Barrier(Instruction i, int number, int threads) => Entries.Add(new(i.Index, 0, (short)number) { Amount = threads });

    public void Mbarrier(Instruction i, int address, int amount, int arrivals) =>
        Entries.Add(new(i.Index, 0, (short)arrivals) { Mbarrier = address, Amount = amount });

    public void Access(Instruction i, int sectors, int wavefronts, bool isNear) =>
        Entries.Add(new(i.Index, (short)sectors, (short)wavefronts) { IsNear = isNear });
}

/// <summary>What one thread block did: the way of each warp, and which global memory its instructions touched.</summary>
internal sealed class BlockTrace
{
    /// <summary>A block's share of L1 is forgotten beyond so many sectors (128 KiB).</summary>
    private const int L1Sectors = 4096;

    private readonly HashSet<ulong> touched = [], cached = [];
    private readonly HashSet<(ulong Sector, int Warp)> near = [];

    /// <param name="warps">Of the block.</param>
    /// <param name="instructions">Of the kernel.</param>
    public BlockTrace(int warps, int instructions)
    {
        Warps = [.. Enumerable.Range(0, warps).Select(_ => new WarpTrace())];
        Touched = new TouchedRange[instructions];
    }

    public WarpTrace[] Warps { get; }

    /// <summary>By instruction the global memory that it was the first of the block to touch.</summary>
    public TouchedRange[] Touched { get; }

    /// <summary>Addresses of the mbarriers that it made, and for how many arrivals.</summary>
    public List<(int Address, int Count)> Mbarriers { get; } = [];

    /// <summary>A bulk copy.</summary>
    public void Copy(int warp, BulkCopy copy, int sectors)
    {
        Touch(copy.Issued, copy.Rows);
        int wavefronts = (copy.Bytes + 127) / 128;
        Warps[warp].Entries.Add(new(copy.Issued.Index, (short)sectors, (short)wavefronts)
        {
            Mbarrier = copy.Barrier.Address, Amount = copy.Bytes,
        });
    }

    /// <summary>A bulk store.</summary>
    public void Store(BulkStore store, int sectors, int wavefronts)
    {
        Touch(store.Issued, store.Rows);
        Warps[store.Warp.Id].Access(store.Issued, sectors, wavefronts, isNear: false);
    }

    private void Touch(Instruction i, BulkRow[] rows)
    {
        ref TouchedRange range = ref Touched[i.Index];
        foreach (BulkRow r in rows)
        {
            if (r.Copied == 0) continue;
            for (ulong sector = r.Source >> 5; sector <= r.Source + (ulong)r.Copied - 1 >> 5; sector++)
                if (touched.Add(sector)) range = range.With(sector);
        }
    }

    /// <summary>An access to global memory, shared memory or (as a copy) both.</summary>
    public void Access(int warp, Instruction i, ReadOnlySpan<ulong> global, int sectors, int wavefronts)
    {
        bool isNear = true;
        if (global.Length > 0)
        {
            bool isCached = i.Class == InstructionClass.Global && i.Source.Name == "ld"
                || i.Class == InstructionClass.AsyncCopy && i.Source.Modifiers.Contains("ca");
            if (cached.Count > L1Sectors)
            {
                cached.Clear();
                near.Clear();
            }
            int missed = 0;
            ref TouchedRange range = ref Touched[i.Index];
            foreach (ulong address in global)
            {
                ulong sector = address >> 5;
                if (touched.Add(sector)) range = range.With(sector);
                if (!isCached) continue;
                if (cached.Add(sector)) missed++;
                isNear &= !near.Add((sector, warp));
            }
            // L1 looks up and moves four sectors a clock.
            wavefronts = Math.Max(wavefronts, (sectors + 3) / 4);
            isNear &= isCached;
            if (isCached) sectors = missed;
        }
        Warps[warp].Access(i, sectors, wavefronts, isNear);
    }
}

/// <summary>Sectors of global memory: the first, the one behind the last, and how many of those between.</summary>
internal readonly record struct TouchedRange(ulong First, ulong End, long Sectors)
{
    public TouchedRange With(ulong sector) =>
        Sectors == 0 ? new(sector, sector + 1, 1) : new(Math.Min(First, sector), Math.Max(End, sector + 1), Sectors + 1);

    public TouchedRange With(in TouchedRange other) => Sectors == 0 ? other : other.Sectors == 0 ? this
        : new(Math.Min(First, other.First), Math.Max(End, other.End), Sectors + other.Sectors);
}

/// <summary>What a sample of a launch's blocks did.</summary>
internal sealed class LaunchTrace
{
    private readonly Lock gate = new();
    private readonly SortedList<long, BlockTrace> blocks = [];

    /// <summary>In order of their places in the grid.</summary>
    public IReadOnlyList<BlockTrace> Blocks => [.. blocks.Values];

    public void Add(long number, BlockTrace trace)
    {
        lock (gate) blocks.Add(number, trace);
    }
}
