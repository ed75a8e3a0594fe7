using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>
/// Places the virtual registers of a kernel in rows of a warp's register file, 32 lanes each: registers that are never alive at once share
/// a
/// row. A row is 256 bytes for 64-bit registers, 128 for narrower ones, a mask of 4 for predicates.
/// </summary>
/// <remarks>
/// Lanes of a warp may be on different paths, but each lane writes its own part of a row only, so liveness along a path is enough. A
/// register
/// is taken to be alive from the first to the last instruction at which it is alive on any path.
/// </remarks>
internal sealed class RegisterRows
{
    private const long MostWork = 1 << 22;
    private const int MostPasses = 1000;

    private readonly int[] offsets;

    private RegisterRows(int[] offsets, int bytes)
    {
        this.offsets = offsets;
        Bytes = bytes;
    }

    /// <summary>Bytes of a warp's register file that registers take.</summary>
    public int Bytes { get; }

    public int Offset(PtxRegister register) => offsets[register.Index];

    public static int RowBytes(DataType type) => type == DataType.Pred ? 4 : type.Bytes == 8 ? 256 : 128;

    /// <exception cref="PtxException">A register is read that no instruction writes, or the kernel is too large.</exception>
    public static RegisterRows Place(PtxKernel kernel, IReadOnlyList<PtxInstruction> code)
    {
        RegisterUse[] uses = [.. code.Select(RegisterUse.Of)];
        KeepSums(code, uses);
        CheckWritten(kernel, code, uses);
        List<BasicBlock> blocks = ControlFlow.Blocks(code);
        int count = kernel.Registers.Count, words = (count + 63) / 64;
        if ((long)blocks.Count * words > MostWork)
            throw new PtxException($"kernel {kernel.Name} is too large: {blocks.Count} basic blocks with {count} registers", code[0].Line);
        int[] first = new int[count], last = new int[count];
        Array.Fill(first, int.MaxValue);
        Array.Fill(last, -1);
        Ranges(code, uses, blocks, Liveness(code, uses, blocks, words), first, last);
        return Pack(kernel, first, last);
    }

    /// <summary>The sums of products of a warpgroup are written until they are waited for, wherever that is.</summary>
    private static void KeepSums(IReadOnlyList<PtxInstruction> code, RegisterUse[] uses)
    {
        PtxRegister[] sums = [.. uses.Where((_, n) => RegisterUse.IsWarpgroupProduct(code[n])).SelectMany(u => u.Writes).Distinct()];
        if (sums.Length == 0) return;
        for (int n = 0; n < uses.Length; n++)
            if (code[n].Name == "wgmma" && code[n].Modifiers.Contains("wait_group")) uses[n].Reads.AddRange(sums);
    }

    private static void CheckWritten(PtxKernel kernel, IReadOnlyList<PtxInstruction> code, RegisterUse[] uses)
    {
        var written = new bool[kernel.Registers.Count];
        foreach (RegisterUse use in uses)
            foreach (PtxRegister r in use.Writes) written[r.Index] = true;
        for (int n = 0; n < uses.Length; n++)
            foreach (PtxRegister r in uses[n].Reads)
                if (!written[r.Index]) throw code[n].Error($"register {r.Name} is read, but no instruction writes it");
    }

    /// <summary>Registers alive at the begin and at the end of each block, by the usual backward flow to a fixed point.</summary>
    private static (ulong[][] In, ulong[][] Out) Liveness(
        IReadOnlyList<PtxInstruction> code, RegisterUse[] uses, List<BasicBlock> blocks, int words)
    {
        ulong[][] alive = [.. blocks.Select(_ => new ulong[words])], leaving = [.. blocks.Select(_ => new ulong[words])];
        ulong[][] killed = [.. blocks.Select(_ => new ulong[words])];
        for (int b = 0; b < blocks.Count; b++)
        {
            for (int n = blocks[b].First; n <= blocks[b].Last; n++)
            {
                foreach (PtxRegister r in uses[n].Reads)
                    if (!Has(killed[b], r)) Set(alive[b], r);
                // A guarded write leaves the old value in some lanes.
                if (code[n].Guard is not null) continue;
                foreach (PtxRegister r in uses[n].Writes) Set(killed[b], r);
            }
        }
        bool changed = true;
        for (int pass = 0; changed; pass++)
        {
            // Loops as compilers nest them settle in a few passes.
            if (pass == MostPasses) throw code[0].Error("the control flow is too tangled");
            changed = false;
            for (int b = blocks.Count - 1; b >= 0; b--)
            {
                ulong[] into = alive[b], after = leaving[b], kill = killed[b];
                foreach (int s in blocks[b].Successors)
                    for (int w = 0; w < words; w++) after[w] |= alive[s][w];
                for (int w = 0; w < words; w++)
                {
                    ulong now = into[w] | after[w] & ~kill[w];
                    changed |= now != into[w];
                    into[w] = now;
                }
            }
        }
        return (alive, leaving);
    }

    private static bool Has(ulong[] set, PtxRegister r) => (set[r.Index >> 6] >> (r.Index & 63) & 1) != 0;

    private static void Set(ulong[] set, PtxRegister r) => set[r.Index >> 6] |= 1ul << (r.Index & 63);

    private static void Ranges(IReadOnlyList<PtxInstruction> code, RegisterUse[] uses, List<BasicBlock> blocks,
        (ulong[][] In, ulong[][] Out) alive, int[] first, int[] last)
    {
        void Cover(int register, int at)
        {
            first[register] = Math.Min(first[register], at);
            last[register] = Math.Max(last[register], at);
        }

        for (int n = 0; n < code.Count; n++)
        {
            foreach (PtxRegister r in uses[n].Reads) Cover(r.Index, n);
            foreach (PtxRegister r in uses[n].Writes) Cover(r.Index, n);
        }
        for (int b = 0; b < blocks.Count; b++)
        {
            for (int r = 0; r < first.Length; r++)
            {
                if ((alive.In[b][r >> 6] >> (r & 63) & 1) != 0) Cover(r, blocks[b].First);
                if ((alive.Out[b][r >> 6] >> (r & 63) & 1) != 0) Cover(r, blocks[b].Last);
            }
        }
    }

    /// <summary>Linear scan: a register takes a row that was freed before it begins. Rows of one size lie together.</summary>
    private static RegisterRows Pack(PtxKernel kernel, int[] first, int[] last)
    {
        int[] sizes = [4, 256, 128], rows = new int[3];
        var slot = new int[first.Length];
        PriorityQueue<int, int>[] free = [new(), new(), new()];
        foreach (int r in Enumerable.Range(0, first.Length).Where(r => last[r] >= 0).OrderBy(r => first[r]))
        {
            int kind = Array.IndexOf(sizes, RowBytes(kernel.Registers[r].Type));
            bool reuse = free[kind].TryPeek(out _, out int until) && until < first[r];
            slot[r] = reuse ? free[kind].Dequeue() : rows[kind]++;
            free[kind].Enqueue(slot[r], last[r]);
        }
        int[] start = [0, Align(rows[0] * 4), 0];
        start[2] = start[1] + rows[1] * 256;
        var offsets = new int[first.Length];
        for (int r = 0; r < offsets.Length; r++)
        {
            int kind = Array.IndexOf(sizes, RowBytes(kernel.Registers[r].Type));
            offsets[r] = start[kind] + slot[r] * sizes[kind];
        }
        return new(offsets, start[2] + rows[2] * 128);
    }

    private static int Align(int bytes) => (bytes + 127) / 128 * 128;
}
