using Sa2VA.VirtualGpu.Checks;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// The first blocks of a dependent launch, run before the launch before it up to <c>griddepcontrol.wait</c>: a card begins as many as there
/// is room for. What they read is what was there before; whoever reads too early gets it wrong.
/// </summary>
internal sealed class EarlyBlocks : IDisposable
{
    private readonly List<(ThreadBlock Block, bool HasEnded)> begun = [];

    /// <summary>How many have begun, in the launch's order of blocks.</summary>
    public int Count => begun.Count;

    /// <summary>What the last of them met; it may have come of its being early.</summary>
    public GpuFaultException? Failure { get; private set; }

    public IEnumerable<BlockCounts> Counts => begun.Select(b => b.Block.Counts);

    /// <param name="plan">The launch.</param>
    /// <param name="most">Blocks at most.</param>
    public static EarlyBlocks Begin(LaunchPlan plan, int most)
    {
        var early = new EarlyBlocks();
        var order = BlockOrder.Of(plan.Grid.Count, plan.Options.Seed);
        for (long n = 0; n < Math.Min(most, order.Blocks) && early.Failure is null; n++)
        {
            var block = new ThreadBlock(plan, plan.Touched is null ? null : new(plan.Touched, watch: null, null, plan.Dependent!.Early));
            bool ended = false;
            try
            {
                ended = block.Start(order.At(n), held: true);
            }
            catch (GpuFaultException e)
            {
                early.Failure = e;
                block.Footprint?.End();
            }
            early.begun.Add((block, ended));
        }
        return early;
    }

    /// <summary>The launch before has ended.</summary>
    /// <returns>A byte at which one of them and another block raced, or null.</returns>
    /// <exception cref="GpuFaultException">A check failed.</exception>
    public ulong? End()
    {
        ulong? raced = null;
        foreach ((ThreadBlock block, bool hasEnded) in begun)
        {
            try
            {
                if (!hasEnded && Failure is null) block.Resume();
            }
            finally
            {
                raced ??= block.Footprint?.End();
            }
        }
        if (Failure is not null) throw Failure;
        return raced;
    }

    public void Dispose()
    {
        foreach ((ThreadBlock block, _) in begun)
        {
            block.Footprint?.Dispose();
            block.Dispose();
        }
        begun.Clear();
    }
}
