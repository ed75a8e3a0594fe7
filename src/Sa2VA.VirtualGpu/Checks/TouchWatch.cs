using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>Looks at each access to global memory while blocks of a launch run once more, to find out who it was.</summary>
internal abstract class TouchWatch(ulong watched)
{
    public ulong Watched => watched;

    public void Touch(Warp w, Instruction i, int lane, ulong address, int bytes)
    {
        if (watched >= address && watched - address < (ulong)bytes) Found(w, i, lane);
    }

    /// <summary>An access to the watched byte.</summary>
    protected abstract void Found(Warp w, Instruction i, int lane);
}

/// <summary>Notes the first access of a launch to a byte.</summary>
/// <param name="watched">The byte.</param>
/// <param name="onlyEarly">Only before <c>griddepcontrol.wait</c>.</param>
/// <param name="onlyWrites">Only writes and atomics.</param>
internal sealed class FirstTouch(ulong watched, bool onlyEarly, bool onlyWrites) : TouchWatch(watched)
{
    /// <summary>Who it was, in words, with the line; null if nobody came.</summary>
    public (string Words, int Line)? First { get; private set; }

    protected override void Found(Warp w, Instruction i, int lane)
    {
        if (First is not null || onlyEarly && w.KnowsBefore || onlyWrites && !i.Touch.Writes()) return;
        First = ($"{i.Touch.Verb(past: false)} at PTX line {i.Source.Line} ({i.Source}; block {w.Block.At}, thread {32 * w.Id + lane})",
            i.Source.Line);
    }

    /// <summary>
    /// Runs the blocks of a launch once more until one comes to the byte. What memory holds does not matter after a fault.
    /// </summary>
    public (string Words, int Line)? Find(LaunchPlan plan)
    {
        using var touched = new LaunchFootprint();
        using var watching = new BlockFootprint(touched, this);
        using var block = new Cluster(plan.Again(), watching);
        var order = BlockOrder.Of(plan.Grid.Count / plan.Cluster.Count, plan.Options.Seed);
        for (long n = 0; n < order.Blocks && First is null; n++)
        {
            try
            {
                plan.Cancel.ThrowIfCancellationRequested();
                block.Run(order.At(n));
            }
            catch (GpuFaultException)
            {
                // It met what the first run left behind.
            }
        }
        return First;
    }
}
