namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// setmaxnreg: Offset is how many registers each thread shall have. Warps give some back and take what others of their block gave. A kernel
/// that does not say how many threads a block has (<c>.maxntid</c>) begins with a number that nobody knows: assemblers then leave the
/// instruction out, and so does this.
/// </summary>
internal static class RegisterDemands
{
    public static void Give(Warp w, Instruction i, uint mask)
    {
        if (!MatrixFunctions.Whole(w, i, mask) || w.Registers == 0) return;
        if (i.Offset > w.Registers)
            throw w.Fault(FaultKind.Illegal, i, $"a thread with {w.Registers} registers cannot go down to {i.Offset}");
        w.Block.FreeRegisters += w.Registers - (int)i.Offset;
        w.Registers = (int)i.Offset;
        foreach (Warp other in w.Block.Warps) other.Resume(WarpState.AtRegisters);
    }

    public static void Take(Warp w, Instruction i, uint mask)
    {
        if (!MatrixFunctions.Whole(w, i, mask) || w.Registers == 0) return;
        int more = (int)i.Offset - w.Registers;
        if (more < 0) throw w.Fault(FaultKind.Illegal, i, $"a thread with {w.Registers} registers cannot go up to {i.Offset}");
        if (more > w.Block.FreeRegisters)
        {
            w.Retry(i, mask, WarpState.AtRegisters);
            return;
        }
        w.Block.FreeRegisters -= more;
        w.Registers = (int)i.Offset;
    }
}
