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
internal sealed partial class SharedShadow
{
    private const ulong Atomic = 1u << 31;
    private const int ActorShift = 23;
    private const uint IndexMask = (1u << ActorShift) - 1;

    private readonly int warps, actors, cellShift;
    private readonly Instruction[] code;
    private readonly byte[] written;

    /// <summary>Of each cell the last write: step in the high half; atomic, actor, instruction in the low half.</summary>
    private readonly ulong[] writes;

    /// <summary>Of each actor that reads and each cell the last read: step, instruction.</summary>
    private readonly ulong[]?[] reads;

    /// <summary>Of each cell the copy that owns it: actor and instruction, plus 1.</summary>
    private readonly uint[] copies;

    /// <summary>
    /// known[w][v]: how far warp w knows actor v to have come; known[w][w] is where it is. Behind that the same of warps, as far as a
    /// fence lets asynchronous readers know.
    /// </summary>
    private readonly uint[][] known;
    private uint last;

    public SharedShadow(int warps, int bytes, LoweredKernel kernel)
    {
        this.warps = warps;
        cellShift = kernel.CellShift;
        code = kernel.Code;
        actors = kernel.IsAsynchronous ? 2 * warps + MostBarriers : warps;
        int cells = (bytes >> cellShift) + 1;
        written = new byte[bytes];
        writes = new ulong[cells];
        copies = new uint[cells];
        reads = new ulong[kernel.IsAsynchronous ? 2 * warps : warps][];
        for (int a = 0; a < reads.Length; a++)
            if (a < warps || kernel.ProductRegisters > 0) reads[a] = new ulong[cells];
        known = [.. Enumerable.Range(0, warps).Select(_ => new uint[kernel.IsAsynchronous ? actors + warps : warps])];
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
        }
        Array.Clear(written);
        Array.Clear(copies);
    }

    /// <summary>A warp comes to a barrier: those whom the barrier lets go will know of all it did.</summary>
    public void Release(int warp, ref uint[]? barrier)
    {
        barrier ??= new uint[known[warp].Length];
        Join(barrier, known[warp]);
        known[warp][warp]++;
    }

    public void Acquire(int warp, uint[] barrier) => Join(known[warp], barrier);

    private static void Join(uint[] into, uint[] from)
    {
        for (int k = 0; k < into.Length; k++) into[k] = Math.Max(into[k], from[k]);
    }

    public void Read(Warp w, Instruction i, int address, int bytes)
    {
        int hole = written.AsSpan(address, bytes).IndexOf((byte)0);
        if (hole >= 0)
        {
            CheckCopy(w, i, address + hole >> cellShift, "reads");
            throw w.Fault(FaultKind.Uninitialised, i, $"read of shared memory at 0x{address + hole:x}, which nothing wrote");
        }
        uint[] knows = known[w.Id];
        ulong mark = (ulong)knows[w.Id] << 32 | (uint)i.Index;
        ulong[] mine = reads[w.Id]!;
        for (int cell = address >> cellShift; cell <= address + bytes - 1 >> cellShift; cell++)
        {
            CheckCopy(w, i, cell, "reads");
            ulong write = writes[cell];
            if ((uint)(write >> 32) > knows[Writer(write)])
                throw Race(w, i, cell, "reads", "wrote", Writer(write), (uint)write & IndexMask);
            mine[cell] = mark;
        }
    }

    /// <summary>
    /// The lanes of a mask read so many bytes each, aligned to 4. False, and nothing noted that matters, where something is wrong:
    /// <see cref="Read"/> finds out what.
    /// </summary>
    public unsafe bool TryReadRow(Warp w, Instruction i, uint mask, ulong* addresses, int bytes)
    {
        if (cellShift != 2) return false;
        uint[] knows = known[w.Id];
        ulong mark = (ulong)knows[w.Id] << 32 | (uint)i.Index;
        ulong[] mine = reads[w.Id]!;
        fixed (byte* isWritten = written)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                if ((mask >> lane & 1) == 0) continue;
                ulong address = addresses[lane];
                // Lanes mostly share what a neighbour or the other half reads.
                if (lane > 0 && address == addresses[lane - 1] && (mask >> lane - 1 & 1) != 0
                    || lane > 15 && address == addresses[lane - 16] && (mask >> lane - 16 & 1) != 0) continue;
                int first = (int)address >> 2, end = first + (bytes >> 2);
                for (int cell = first; cell < end; cell++)
                {
                    ulong write = writes[cell];
                    if (((uint*)isWritten)[cell] != 0x01010101 || copies[cell] != 0 || (uint)(write >> 32) > knows[Writer(write)])
                        return false;
                    mine[cell] = mark;
                }
            }
        }
        return true;
    }

    /// <summary>The same of writes: of none is anything noted where one is wrong.</summary>
    public unsafe bool TryWriteRow(Warp w, Instruction i, uint mask, ulong* addresses, int bytes)
    {
        if (cellShift != 2) return false;
        uint[] knows = known[w.Id];
        for (int lane = 0; lane < 32; lane++)
        {
            if ((mask >> lane & 1) == 0) continue;
            int first = (int)addresses[lane] >> 2, end = first + (bytes >> 2);
            for (int cell = first; cell < end; cell++)
            {
                ulong write = writes[cell];
                if (copies[cell] != 0 || (uint)(write >> 32) > knows[Writer(write)]) return false;
                for (int v = 0; v < reads.Length; v++)
                    if (reads[v] is { } by && (uint)(by[cell] >> 32) > knows[v] && v != w.Id) return false;
            }
        }
        ulong mark = (ulong)knows[w.Id] << 32 | (uint)w.Id << ActorShift | (uint)i.Index;
        fixed (byte* isWritten = written)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                if ((mask >> lane & 1) == 0) continue;
                int first = (int)addresses[lane] >> 2, end = first + (bytes >> 2);
                for (int cell = first; cell < end; cell++)
                {
                    writes[cell] = mark;
                    ((uint*)isWritten)[cell] = 0x01010101;
                }
            }
        }
        return true;
    }

    /// <summary>An atomic reads as well; atomics do not race with each other.</summary>
    public void Write(Warp w, Instruction i, int address, int bytes, bool atomic)
    {
        if (atomic)
        {
            int hole = written.AsSpan(address, bytes).IndexOf((byte)0);
            if (hole >= 0)
                throw w.Fault(FaultKind.Uninitialised, i, $"atomic on shared memory at 0x{address + hole:x}, which nothing wrote");
        }
        for (int cell = address >> cellShift; cell <= address + bytes - 1 >> cellShift; cell++)
        {
            CheckWrite(w, i, cell, atomic);
            SetWrite(w, i, cell, atomic);
        }
        written.AsSpan(address, bytes).Fill(1);
    }

    private void CheckWrite(Warp w, Instruction i, int cell, bool atomic)
    {
        CheckCopy(w, i, cell, "overwrites");
        uint[] knows = known[w.Id];
        ulong write = writes[cell];
        if ((uint)(write >> 32) > knows[Writer(write)] && !(atomic && (write & Atomic) != 0))
            throw Race(w, i, cell, "overwrites", "wrote", Writer(write), (uint)write & IndexMask);
        for (int v = 0; v < reads.Length; v++)
        {
            if (v == w.Id || reads[v] is not { } by || (uint)(by[cell] >> 32) <= knows[v]) continue;
            throw Race(w, i, cell, "overwrites", v < warps ? "read" : "may still read", v, (uint)by[cell]);
        }
    }

    private void SetWrite(Warp w, Instruction i, int cell, bool atomic) =>
        writes[cell] = (ulong)known[w.Id][w.Id] << 32 | (atomic ? Atomic : 0) | (uint)w.Id << ActorShift | (uint)i.Index;

    /// <summary>A copy begins: it may land at any time from now on.</summary>
    public void Issue(Warp w, Instruction i, int address, int bytes)
    {
        for (int cell = address >> cellShift; cell <= address + bytes - 1 >> cellShift; cell++)
        {
            CheckWrite(w, i, cell, atomic: false);
            copies[cell] = ((uint)w.Id << ActorShift | (uint)i.Index) + 1;
        }
    }

    /// <summary>A copy has been waited for.</summary>
    public void Complete(Warp w, Instruction issued, int address, int bytes)
    {
        for (int cell = address >> cellShift; cell <= address + bytes - 1 >> cellShift; cell++)
        {
            copies[cell] = 0;
            SetWrite(w, issued, cell, atomic: false);
        }
        written.AsSpan(address, bytes).Fill(1);
    }

    private void CheckCopy(Warp w, Instruction i, int cell, string does)
    {
        if (copies[cell] == 0) return;
        uint copy = copies[cell] - 1;
        throw InFlight(w, i, cell, does, (int)(copy >> ActorShift), copy & IndexMask);
    }

    private GpuFaultException InFlight(Warp w, Instruction i, int cell, string does, int copier, uint index) =>
        w.Fault(FaultKind.CopyInFlight, i, $"copy in flight at shared address 0x{cell << cellShift:x}: warp {w.Id} {does} "
            + $"what {Name(copier)} copies by line {Place(index)}, which it has not waited for");

    private static int Writer(ulong write) => (int)((uint)write >> ActorShift & 255);

    private string Place(uint index) => $"{code[index].Source.Line} ({code[index].Source})";

    private GpuFaultException Race(Warp w, Instruction i, int cell, string does, string did, int other, uint index) =>
        other >= 2 * warps && did == "wrote" ? InFlight(w, i, cell, does, other, index)
        : w.Fault(FaultKind.Race, i, $"shared-memory race at 0x{cell << cellShift:x}: warp {w.Id} {does} what {Name(other)} {did} "
            + $"at line {Place(index)}, with no {(other < warps ? "barrier" : "wait for it")} between");
}
