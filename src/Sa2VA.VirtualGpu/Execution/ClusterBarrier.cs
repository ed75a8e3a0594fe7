namespace Sa2VA.VirtualGpu.Execution;

/// <summary>The barrier of all threads of a cluster; a warp that has ended counts as arrived.</summary>
/// <param name="blocks">The blocks.</param>
internal sealed class ClusterBarrier(IReadOnlyList<ThreadBlock> blocks)
{
    private uint[]? known, knownBefore;
    private bool knowsGrid, knewGrid;

    /// <summary>Phases that have ended.</summary>
    public long Phases { get; private set; }

    public void Clear()
    {
        known = knownBefore = null;
        knowsGrid = knewGrid = false;
        Phases = 0;
    }

    /// <summary>A warp arrives; by a relaxed arrival it tells nothing of what it did.</summary>
    public void Arrive(Warp w, bool relaxed)
    {
        w.ClusterPhase = Phases;
        if (!relaxed)
        {
            w.Block.Shadow?.Release(w.Actor, ref known);
            knowsGrid |= w.KnowsBefore;
        }
        Settle();
    }

    /// <summary>Whether the phase in which a warp has arrived is over; if so it knows what those did who arrived.</summary>
    public bool HasEnded(Warp w)
    {
        if (w.ClusterPhase == Phases) return false;
        w.ClusterPhase = -1;
        if (knownBefore is not null) w.Block.Shadow?.Acquire(w.Actor, knownBefore);
        w.KnowsBefore |= knewGrid;
        return true;
    }

    /// <summary>Ends the phase if nobody is missing.</summary>
    public void Settle()
    {
        bool any = false;
        foreach (ThreadBlock block in blocks)
            foreach (Warp w in block.Warps)
            {
                if (w.State == WarpState.Done) continue;
                if (w.ClusterPhase != Phases) return;
                any = true;
            }
        if (!any) return;
        Phases++;
        (knownBefore, known) = (known, null);
        knewGrid |= knowsGrid;
        foreach (ThreadBlock block in blocks)
            foreach (Warp w in block.Warps) w.Resume(WarpState.AtCluster);
    }
}
