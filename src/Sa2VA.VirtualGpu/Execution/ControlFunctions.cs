namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Branches and ends.</summary>
internal static class ControlFunctions
{
    public static void Branch(Warp w, Instruction i, uint mask) => w.Branch(i.Target, mask);

    public static void Exit(Warp w, Instruction i, uint mask) => w.Exit(mask);

    public static void Trap(Warp w, Instruction i, uint mask) => throw w.Fault(FaultKind.Illegal, i, "the kernel ended itself");

    /// <summary>D, of Width bytes, is a time that never stands still.</summary>
    public static unsafe void Clock(Warp w, Instruction i, uint mask)
    {
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0) Lanes.Set(w.Rows + i.D, lane, i.Width == 8, (ulong)w.Block.Steps * 32 + (ulong)i.Index);
    }

    /// <summary>Fences and hints: memory is sequentially consistent here.</summary>
    public static void Nothing(Warp w, Instruction i, uint mask)
    {
    }
}
