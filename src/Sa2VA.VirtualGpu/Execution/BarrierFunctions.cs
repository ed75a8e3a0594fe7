namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Barriers of a block, by number, and of a warp.</summary>
internal static unsafe class BarrierFunctions
{
    /// <summary>bar.sync: A number, B threads (absent: all).</summary>
    public static void Sync(Warp w, Instruction i, uint mask) => Come(w, i, mask, wait: true);

    /// <summary>bar.arrive: the same without waiting.</summary>
    public static void Arrive(Warp w, Instruction i, uint mask) => Come(w, i, mask, wait: false);

    private static void Come(Warp w, Instruction i, uint mask, bool wait)
    {
        if (!w.Gather(i, w.Live, mask)) return;
        uint number = Uniform(w, i, i.A, mask), threads = i.B < 0 ? 0 : Uniform(w, i, i.B, mask);
        if (number >= ThreadBlock.BarrierCount) throw w.Fault(FaultKind.Illegal, i, $"there is no barrier {number}");
        if (threads % 32 != 0) throw w.Fault(FaultKind.Illegal, i, $"a barrier of {threads} threads, which is no multiple of 32");
        w.Block.Arrive(w, i, (int)number, (int)threads, wait);
    }

    /// <summary>bar.warp.sync: A the lanes that take part.</summary>
    public static void SyncWarp(Warp w, Instruction i, uint mask) => w.Gather(i, Uniform(w, i, i.A, mask), mask);

    /// <summary>A value that must be the same in all lanes of the mask.</summary>
    public static uint Uniform(Warp w, Instruction i, int row, uint mask)
    {
        uint* values = (uint*)(w.Rows + row);
        uint value = values[System.Numerics.BitOperations.TrailingZeroCount(mask)];
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0 && values[lane] != value)
                throw w.Fault(FaultKind.DivergentCollective, i,
                    $"lanes give different values ({value} and {values[lane]}) to a collective");
        return value;
    }
}
