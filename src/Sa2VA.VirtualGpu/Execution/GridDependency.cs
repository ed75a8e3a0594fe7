namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Launches that may begin before the one before them has ended. In other launches neither does anything.</summary>
internal static class GridDependency
{
    /// <summary>griddepcontrol.wait: on until the launch before has ended.</summary>
    public static void Wait(Warp w, Instruction i, uint mask)
    {
        if (w.KnowsBefore) return;
        if (w.Block.IsHeld) w.Retry(i, mask, WarpState.AtGridBefore);
        else w.Block.WaitedForGrid(w);
    }

    /// <summary>griddepcontrol.launch_dependents: the next launch may begin when all blocks have come here or ended.</summary>
    public static void LetGo(Warp w, Instruction i, uint mask) => w.Block.LetDependentsGo();
}
