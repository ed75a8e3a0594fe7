using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>What runs beside the warps of a block and touches its shared memory: products of warpgroups and bulk copies.</summary>
/// <remarks>
/// The share of a warp in products is an actor that reads; each group is a step of it, which those know who have waited for it. The copies
/// that tell one mbarrier are an actor that writes; who has waited for a phase knows of all that had landed by then. Both access memory by
/// another way than the warps: what warps wrote is there for products only behind a <c>fence.proxy.async</c>, of the writer or of somebody
/// between it and the reader.
/// </remarks>
internal sealed partial class SharedShadow
{
    /// <summary>Mbarriers of a block that are told apart; later ones share the last place.</summary>
    private const int MostBarriers = 64;

    /// <summary>Of each mbarrier's copies the number of the last.</summary>
    private readonly uint[] clocks;

    private string Name(int actor) => actor < warps ? $"warp {actor % warpsOfBlock}{Of(actor / warpsOfBlock)}"
        : actor < 2 * warps ? $"the product of warp {(actor - warps) % warpsOfBlock}{Of((actor - warps) / warpsOfBlock)}"
        : $"mbarrier {(actor - 2 * warps) % MostBarriers}'s bulk copy{Of((actor - 2 * warps) / MostBarriers)}";

    private string Of(int rank) => blocks == 1 ? "" : $" of the cluster's block {rank}";

    private int ActorOf(Mbarrier b) => 2 * warps + b.Block.Rank * MostBarriers + Math.Min(b.Number, MostBarriers - 1);

    public void FenceProxy(int warp)
    {
        uint[] knows = known[warp];
        if (knows.Length == warps) return;
        for (int v = 0; v < warps; v++) knows[actors + v] = Math.Max(knows[actors + v], knows[v]);
        knows[warp]++;
    }

    /// <summary>A product of a group reads 16 bytes for a warp.</summary>
    public void ReadByProduct(Warp w, Instruction i, long group, int address)
    {
        address += w.Block.ShadowBase;
        CheckAsynchronousRead(w, i, address, "reads in a product", "a product");
        ulong mark = (ulong)(last + 1 + group) << 32 | (uint)i.Index;
        ulong[] mine = reads[warps + w.Actor]!;
        for (int cell = address >> cellShift; cell <= address + 15 >> cellShift; cell++)
        {
            mine[cell] = mark;
            latest[cell] = Math.Max(latest[cell], mark);
        }
    }

    /// <summary>16 bytes are read beside the warps, for one: they must be there, and by the way by which they are read.</summary>
    private void CheckAsynchronousRead(Warp w, Instruction i, int address, string reads, string reader)
    {
        int hole = written.AsSpan(address, 16).IndexOf((byte)0);
        if (hole >= 0)
        {
            CheckCopy(w, i, address + hole >> cellShift, reads);
            throw w.Fault(FaultKind.Uninitialised, i,
                $"{reader} reads shared memory at 0x{address + hole - Base(address):x}, which nothing wrote");
        }
        uint[] knows = known[w.Actor];
        for (int cell = address >> cellShift; cell <= address + 15 >> cellShift; cell++)
        {
            CheckCopy(w, i, cell, reads);
            ulong write = writes[cell];
            int writer = Writer(write);
            uint step = (uint)(write >> 32);
            if (step > knows[writer]) throw Race(w, i, cell, reads, "wrote", writer, (uint)write & IndexMask);
            if (writer < warps && step > knows[actors + writer])
                throw w.Fault(FaultKind.MissingFence, i, $"{reader} reads shared memory at 0x{Place(cell):x}, which warp {writer} "
                    + $"wrote at line {Place((uint)write & IndexMask)}, with no fence.proxy.async between");
        }
    }

    /// <summary>A warp has waited for the groups before that one; another of its warpgroup has issued them too.</summary>
    public void EndProducts(int warp, int other, long group)
    {
        ref uint knows = ref known[warp][warps + other];
        knows = Math.Max(knows, last + (uint)group);
    }

    /// <summary>A bulk copy begins: it may land at any time from now on.</summary>
    public void IssueBulk(BulkCopy copy)
    {
        uint owner = ((uint)ActorOf(copy.Barrier) << ActorShift | (uint)copy.Issued.Index) + 1;
        int begin = copy.Barrier.Block.ShadowBase + copy.To;
        for (int cell = begin >> cellShift; cell <= begin + copy.Bytes - 1 >> cellShift; cell++)
        {
            CheckWrite(copy.Warp, copy.Issued, cell, atomic: false);
            copies[cell] = owner;
        }
    }

    /// <summary>A bulk copy has landed: those will know who wait for its mbarrier.</summary>
    public void LandBulk(BulkCopy copy)
    {
        int actor = ActorOf(copy.Barrier);
        uint step = ++clocks[actor];
        ulong mark = (ulong)step << 32 | (uint)actor << ActorShift | (uint)copy.Issued.Index;
        int begin = copy.Barrier.Block.ShadowBase + copy.To;
        for (int cell = begin >> cellShift; cell <= begin + copy.Bytes - 1 >> cellShift; cell++)
        {
            copies[cell] = 0;
            writes[cell] = mark;
        }
        written.AsSpan(begin, copy.Bytes).Fill(1);
        uint[] knows = copy.Barrier.Known ??= new uint[known[0].Length];
        knows[actor] = step;
    }
}
