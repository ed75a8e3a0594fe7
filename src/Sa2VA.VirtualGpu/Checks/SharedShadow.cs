using System.Runtime.Intrinsics;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Lowering;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// What is known of a block's shared memory beside its content: bytes that were written, who touched each cell last, and copies in flight.
/// </summary>
/// <remarks>
/// Races are found by vector clocks: each warp counts its steps between barriers and knows how far the others had come at the last barrier
/// that both took part in. An access conflicts with an earlier one of another warp, one of them a write, that it does not know of. Lanes of
/// one warp count as one. An asynchronous copy writes its cells when it is issued (nobody may still be using them), owns them until it is
/// waited for, and counts as written by its warp then. Whatever runs beside the warps is an actor of its own: see the other half.
/// </remarks>
internal sealed unsafe partial class SharedShadow
{
    private const ulong Atomic = 1u << 31;

    /// <summary>Of the actors.</summary>
    private const int ActorMask = (1 << 11) - 1;
    private const int ActorShift = 20;
    private const uint IndexMask = (1u << ActorShift) - 1;

    private readonly int blocks, warpsOfBlock, warps, actors, cellShift;
    private readonly bool isAsynchronous, hasProducts;
    private Instruction[] code;

    /// <summary>Bytes of the block that uses it, of all there are.</summary>
    private int used;
    private readonly byte[] written;

    /// <summary>Of each cell the last write: step in the high half; atomic, actor, instruction in the low half.</summary>
    private readonly ulong[] writes;

    /// <summary>Of each actor that reads and each cell the last read: step, instruction.</summary>
    private readonly ulong[]?[] reads;

    /// <summary>Of each cell a read whose step is the largest.</summary>
    private readonly ulong[] latest;

    /// <summary>Of each warp a mark: what is below it was done by itself or is known to it, whoever did it.</summary>
    private readonly ulong[] before;

    /// <summary>Of each cell the copy that owns it: actor and instruction, plus 1.</summary>
    private readonly uint[] copies;

    /// <summary>
    /// known[w][v]: how far warp w knows actor v to have come; known[w][w] is where it is. Behind that the same of warps, as far as a
    /// fence lets asynchronous readers know.
    /// </summary>
    private readonly uint[][] known;
    private uint last;

    private SharedShadow(int blocks, int warpsOfBlock, int bytes, LoweredKernel kernel)
    {
        (this.blocks, this.warpsOfBlock, warps, used) = (blocks, warpsOfBlock, blocks * warpsOfBlock, bytes);
        cellShift = kernel.CellShift;
        code = kernel.Code;
        isAsynchronous = kernel.IsAsynchronous;
        hasProducts = HasProducts(kernel);
        actors = isAsynchronous ? 2 * warps + blocks * MostBarriers : warps;
        int all = blocks == 1 ? bytes : blocks * Room(bytes), cells = (all >> cellShift) + 1;
        written = new byte[all];
        writes = new ulong[cells];
        copies = new uint[cells];
        if (kernel.HasBulkStores) storing = new ushort[cells];
        latest = new ulong[cells];
        before = new ulong[warps];
        reads = new ulong[isAsynchronous ? 2 * warps : warps][];
        for (int a = 0; a < reads.Length; a++)
            if (a < warps || hasProducts) reads[a] = new ulong[cells];
        known = [.. Enumerable.Range(0, warps).Select(_ => new uint[isAsynchronous ? actors + warps : warps])];
        clocks = new uint[actors];
    }

    /// <summary>A new block: everybody knows of all that earlier blocks did, so no cell need be cleared of it.</summary>
    public void Begin()
    {
        foreach (uint[] k in known) last = Math.Max(last, k.Max());
        last = Math.Max(last, clocks.Max());
        Array.Fill(clocks, last);
        for (int w = 0; w < warps; w++)
        {
            Array.Fill(known[w], last);
            known[w][w] = last + 1;
            before[w] = (ulong)(last + 1) << 32;
        }
        int all = blocks == 1 ? used : blocks * Room(used);
        Array.Clear(written, 0, all);
        Array.Clear(copies, 0, (all >> cellShift) + 1);
        if (storing is not null) Array.Clear(storing, 0, (all >> cellShift) + 1);
    }

    /// <summary>Bytes of the shadow that a block of a cluster has.</summary>
    public static int Room(int bytes) => (bytes + 15) / 16 * 16;

    /// <summary>How far a warp knows an actor to have come.</summary>
    public uint Knows(int warp, int actor) => known[warp][actor];

    /// <summary>A warp comes to a barrier: those whom the barrier lets go will know of all it did.</summary>
    public void Release(int warp, ref uint[]? barrier)
    {
        barrier ??= new uint[known[warp].Length];
        Join(barrier, known[warp]);
        known[warp][warp]++;
    }

    public void Acquire(int warp, uint[] barrier)
    {
        uint[] knows = known[warp];
        Join(knows, barrier);
        uint least = uint.MaxValue >> 2;
        for (int actor = 0; actor < actors; actor++)
            if (actor != warp) least = Math.Min(least, knows[actor]);
        before[warp] = (ulong)(least + 1) << 32;
    }

    private static void Join(uint[] into, uint[] from)
    {
        for (int k = 0; k < into.Length; k++) into[k] = Math.Max(into[k], from[k]);
    }

    public void Read(Warp w, Instruction i, int address, int bytes, ThreadBlock? of = null)
    {
        address += (of ?? w.Block).ShadowBase;
        if (TryRead(w.Actor, (ulong)known[w.Actor][w.Actor] << 32 | (uint)i.Index, address, bytes)) return;
        int hole = written.AsSpan(address, bytes).IndexOf((byte)0);
        if (hole >= 0)
        {
            CheckCopy(w, i, address + hole >> cellShift, "reads");
            throw w.Fault(FaultKind.Uninitialised, i,
                $"read of shared memory at 0x{address + hole - Base(address):x}, which nothing wrote");
        }
        uint[] knows = known[w.Actor];
        ulong mark = (ulong)knows[w.Actor] << 32 | (uint)i.Index;
        ulong[] mine = reads[w.Actor]!;
        for (int cell = address >> cellShift; cell <= address + bytes - 1 >> cellShift; cell++)
        {
            CheckCopy(w, i, cell, "reads");
            ulong write = writes[cell];
            if ((uint)(write >> 32) > knows[Writer(write)])
                throw Race(w, i, cell, "reads", "wrote", Writer(write), (uint)write & IndexMask);
            mine[cell] = mark;
            latest[cell] = Math.Max(latest[cell], mark);
        }
    }

    /// <summary>
    /// 32 lanes read so many bytes each, aligned to that. False, and nothing noted that matters, where something is wrong:
    /// <see cref="Read"/> finds out what.
    /// </summary>
    public bool TryReadRow(Warp w, Instruction i, uint* addresses, int bytes, bool isOnePiece)
    {
        uint[] knows = known[w.Actor];
        ulong mark = (ulong)knows[w.Actor] << 32 | (uint)i.Index;
        int begin = w.Block.ShadowBase;
        if (isOnePiece) return TryRead(w.Actor, mark, begin + (int)addresses[0], 32 * bytes);
        for (int lane = 0; lane < 32; lane++)
        {
            uint address = addresses[lane];
            // Lanes mostly share what a neighbour, the next quarter or the other half reads.
            if (lane > 0 && address == addresses[lane - 1] || lane > 7 && address == addresses[lane - 8]
                || lane > 15 && address == addresses[lane - 16]) continue;
            if (!TryRead(w.Actor, mark, begin + (int)address, bytes)) return false;
        }
        return true;
    }

    private bool TryRead(int warp, ulong mark, int address, int bytes)
    {
        fixed (byte* isWritten = &written[address])
        {
            if (bytes > 16 ? new ReadOnlySpan<byte>(isWritten, bytes).IndexOfAnyExcept((byte)1) >= 0 : !WholeRows.AreOnes(isWritten, bytes))
                return false;
        }
        int cell = address >> cellShift, end = (address + bytes - 1 >> cellShift) + 1;
        ulong settled = before[warp];
        ulong[] mine = reads[warp]!;
        uint[] knows = known[warp];
        fixed (ulong* wrote = writes, read = mine, last = latest)
        fixed (uint* copied = copies)
        {
            for (; cell + 4 <= end; cell += 4)
            {
                if (Vector128.Load(copied + cell) != Vector128<uint>.Zero) return false;
                if (!Vector256.LessThanAll(Vector256.Load((long*)wrote + cell), Vector256.Create((long)settled)))
                    for (int k = 0; k < 4; k++)
                        if ((uint)(wrote[cell + k] >> 32) > knows[Writer(wrote[cell + k])]) return false;
                Vector256<long> now = Vector256.Create((long)mark);
                now.Store((long*)read + cell);
                Vector256.Max(now, Vector256.Load((long*)last + cell)).Store((long*)last + cell);
            }
            for (; cell < end; cell++)
            {
                ulong write = wrote[cell];
                if (copied[cell] != 0 || write >= settled && (uint)(write >> 32) > knows[Writer(write)]) return false;
                read[cell] = mark;
                last[cell] = Math.Max(mark, last[cell]);
            }
        }
        return true;
    }

    /// <summary>The same of writes: of none is anything noted where one is wrong.</summary>
    public bool TryWriteRow(Warp w, Instruction i, uint* addresses, int bytes, bool isOnePiece)
    {
        int lanes = isOnePiece ? 1 : 32, begin = w.Block.ShadowBase;
        if (isOnePiece) bytes *= 32;
        for (int lane = 0; lane < lanes; lane++)
            if (!MayWrite(w.Actor, begin + (int)addresses[lane], bytes)) return false;
        for (int lane = 0; lane < lanes; lane++) SetWrite(w, i, begin + (int)addresses[lane], bytes);
        return true;
    }

    private void SetWrite(Warp w, Instruction i, int address, int bytes)
    {
        ulong mark = (ulong)known[w.Actor][w.Actor] << 32 | (uint)w.Actor << ActorShift | (uint)i.Index;
        int cell = address >> cellShift, end = (address + bytes - 1 >> cellShift) + 1;
        if (end - cell == 1) writes[cell] = mark;
        else writes.AsSpan(cell, end - cell).Fill(mark);
        if (bytes > 16) written.AsSpan(address, bytes).Fill(1);
        else
            fixed (byte* isWritten = &written[address]) WholeRows.SetOnes(isWritten, bytes);
    }

    /// <summary>Whether no copy is in flight to those bytes and all that others did with them is known to the warp.</summary>
    private bool MayWrite(int warp, int address, int bytes)
    {
        int cell = address >> cellShift, end = (address + bytes - 1 >> cellShift) + 1;
        if (IsStoring(cell, end)) return false;
        ulong settled = before[warp];
        fixed (ulong* wrote = writes, last = latest)
        fixed (uint* copied = copies)
        {
            for (; cell + 4 <= end; cell += 4)
            {
                if (Vector128.Load(copied + cell) != Vector128<uint>.Zero) return false;
                Vector256<long> touched = Vector256.Max(Vector256.Load((long*)wrote + cell), Vector256.Load((long*)last + cell));
                if (Vector256.LessThanAll(touched, Vector256.Create((long)settled))) continue;
                for (int k = 0; k < 4; k++)
                    if (!MayWrite(warp, cell + k)) return false;
            }
            for (; cell < end; cell++)
                if (copied[cell] != 0 || Math.Max(wrote[cell], last[cell]) >= settled && !MayWrite(warp, cell)) return false;
        }
        return true;
    }

    private bool MayWrite(int warp, int cell)
    {
        uint[] knows = known[warp];
        ulong write = writes[cell];
        if ((uint)(write >> 32) > knows[Writer(write)]) return false;
        for (int v = 0; v < reads.Length; v++)
            if (v != warp && reads[v] is { } by && (uint)(by[cell] >> 32) > knows[v]) return false;
        return true;
    }

    /// <summary>An atomic reads as well; atomics do not race with each other.</summary>
    public void Write(Warp w, Instruction i, int address, int bytes, bool atomic, ThreadBlock? of = null)
    {
        address += (of ?? w.Block).ShadowBase;
        if (atomic)
        {
            int hole = written.AsSpan(address, bytes).IndexOf((byte)0);
            if (hole >= 0)
                throw w.Fault(FaultKind.Uninitialised, i,
                    $"atomic on shared memory at 0x{address + hole - Base(address):x}, which nothing wrote");
        }
        for (int cell = address >> cellShift; cell <= address + bytes - 1 >> cellShift; cell++)
        {
            CheckWrite(w, i, cell, atomic);
            writes[cell] = (ulong)known[w.Actor][w.Actor] << 32 | (atomic ? Atomic : 0) | (uint)w.Actor << ActorShift | (uint)i.Index;
        }
        written.AsSpan(address, bytes).Fill(1);
    }

    private void CheckWrite(Warp w, Instruction i, int cell, bool atomic)
    {
        CheckCopy(w, i, cell, "overwrites");
        CheckStores(w, i, cell);
        uint[] knows = known[w.Actor];
        ulong write = writes[cell];
        if ((uint)(write >> 32) > knows[Writer(write)] && !(atomic && (write & Atomic) != 0))
            throw Race(w, i, cell, "overwrites", "wrote", Writer(write), (uint)write & IndexMask);
        for (int v = 0; v < reads.Length; v++)
        {
            if (v == w.Actor || reads[v] is not { } by || (uint)(by[cell] >> 32) <= knows[v]) continue;
            throw Race(w, i, cell, "overwrites", v < warps ? "read" : "may still read", v, (uint)by[cell]);
        }
    }

    /// <summary>A copy begins: it may land at any time from now on.</summary>
    public void Issue(Warp w, Instruction i, int address, int bytes)
    {
        address += w.Block.ShadowBase;
        int first = address >> cellShift, end = (address + bytes - 1 >> cellShift) + 1;
        if (!MayWrite(w.Actor, address, bytes))
            for (int cell = first; cell < end; cell++) CheckWrite(w, i, cell, atomic: false);
        copies.AsSpan(first..end).Fill(((uint)w.Actor << ActorShift | (uint)i.Index) + 1);
    }

    /// <summary>A copy has been waited for.</summary>
    public void Complete(Warp w, Instruction issued, int address, int bytes)
    {
        address += w.Block.ShadowBase;
        int first = address >> cellShift, end = (address + bytes - 1 >> cellShift) + 1;
        copies.AsSpan(first..end).Clear();
        SetWrite(w, issued, address, bytes);
    }

    private void CheckCopy(Warp w, Instruction i, int cell, string does)
    {
        if (copies[cell] == 0) return;
        uint copy = copies[cell] - 1;
        throw InFlight(w, i, cell, does, (int)(copy >> ActorShift), copy & IndexMask);
    }

    private GpuFaultException InFlight(Warp w, Instruction i, int cell, string does, int copier, uint index) =>
        w.Fault(FaultKind.CopyInFlight, i, $"copy in flight at shared address 0x{Place(cell):x}: warp {w.Id} {does} "
            + $"what {Name(copier)} copies by line {Place(index)}, which it has not waited for");

    private static int Writer(ulong write) => (int)((uint)write >> ActorShift & ActorMask);

    /// <summary>Where the block begins that has that place of the shadow.</summary>
    private int Base(int place) => place - place % (blocks == 1 ? int.MaxValue : Room(used));

    /// <summary>The address of a cell in its block.</summary>
    private int Place(int cell) => (cell << cellShift) - Base(cell << cellShift);

    private string Place(uint index) => $"{code[index].Source.Line} ({code[index].Source})";

    private GpuFaultException Race(Warp w, Instruction i, int cell, string does, string did, int other, uint index) =>
        other >= 2 * warps && did == "wrote" ? InFlight(w, i, cell, does, other, index)
        : w.Fault(FaultKind.Race, i, $"shared-memory race at 0x{Place(cell):x}: warp {w.Id} {does} what {Name(other)} {did} "
            + $"at line {Place(index)}, with no {(other < warps ? "barrier" : "wait for it")} between");
}
