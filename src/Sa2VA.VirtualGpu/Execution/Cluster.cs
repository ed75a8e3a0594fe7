using Sa2VA.VirtualGpu.Checks;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Blocks that run at once and reach each other's shared memory. One object runs many clusters, one after the other.</summary>
internal sealed class Cluster : IDisposable
{
    private readonly LaunchPlan plan;
    private readonly ThreadBlock[] blocks;
    private readonly List<ThreadBlock> running = [];
    private readonly SharedShadow? shadow;

    /// <param name="plan">The launch.</param>
    /// <param name="footprint">Receives what clusters touch in global memory, or null.</param>
    public Cluster(LaunchPlan plan, BlockFootprint? footprint)
    {
        this.plan = plan;
        int size = (int)plan.Cluster.Count, warps = (int)(plan.Block.Count + 31) / 32;
        if (plan.Options.Checks && size > 1) shadow = SharedShadow.Take(size, warps, plan.SharedBytes, plan.Kernel);
        blocks = new ThreadBlock[size];
        Barrier = new(blocks);
        for (int rank = 0; rank < size; rank++) blocks[rank] = new(plan, footprint, size == 1 ? null : this, rank);
    }

    public IReadOnlyList<ThreadBlock> Blocks => blocks;

    public SharedShadow? Shadow => shadow;

    public ClusterBarrier Barrier { get; }

    public BlockFootprint? Footprint => blocks[0].Footprint;

    /// <summary>Runs a cluster to its end.</summary>
    /// <param name="number">Which.</param>
    /// <param name="trace">Receives what a block that is no part of a larger cluster does, or null.</param>
    /// <exception cref="GpuFaultException">A check failed.</exception>
    public void Run(long number, Timing.BlockTrace? trace = null)
    {
        if (blocks.Length == 1)
        {
            blocks[0].Run(number, trace);
            return;
        }
        Dim3 size = plan.Cluster, grid = plan.Grid;
        long clustersX = grid.X / size.X, clustersY = grid.Y / size.Y;
        long x = number % clustersX * size.X, y = number / clustersX % clustersY * size.Y, z = number / clustersX / clustersY * size.Z;
        shadow?.Begin();
        Barrier.Clear();
        running.Clear();
        for (int rank = 0; rank < blocks.Length; rank++)
        {
            long dx = rank % size.X, dy = rank / size.X % size.Y, dz = rank / size.X / size.Y;
            blocks[rank].Prepare(x + dx + grid.X * (y + dy + grid.Y * (z + dz)));
            running.Add(blocks[rank]);
        }
        Random random = blocks[0].Random;
        int stuck = 0;
        while (running.Count > 0)
        {
            // Where nobody can go on, each must have been asked.
            int n = stuck > 0 ? stuck % running.Count : random.Next(running.Count);
            switch (running[n].Step())
            {
                case BlockStep.Ended:
                    running.RemoveAt(n);
                    stuck = 0;
                    break;
                case BlockStep.Stuck when ++stuck > running.Count:
                    throw ThreadBlock.Deadlock(running);
                case BlockStep.Went:
                    stuck = 0;
                    break;
            }
        }
    }

    public void Dispose()
    {
        foreach (ThreadBlock block in blocks) block?.Dispose();
        shadow?.GiveBack();
    }
}
