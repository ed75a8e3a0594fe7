namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Branches and ends.</summary>
internal static class ControlFunctions
{
    public static void Branch(Warp w, Instruction i, uint mask) => w.Branch(i.Target, mask);

    public static void Exit(Warp w, Instruction i, uint mask) => w.Exit(mask);

    public static void Trap(Warp w, Instruction i, uint mask) => throw w.Fault(FaultKind.Illegal, i, "the kernel ended itself");

    /// <summary>Fences: memory is sequentially consistent here.</summary>
    public static void Nothing(Warp w, Instruction i, uint mask)
    {
    }
}
