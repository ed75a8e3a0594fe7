using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// A tile of <c>kernels/common/tensor_product.cuh</c>. Which one a product is made of is a matter of speed alone: every sum is one chain
/// over the depth in all of them.
/// </summary>
/// <param name="Rows">Rows of a block's results.</param>
/// <param name="Columns">Columns of them.</param>
/// <param name="WarpRows">Rows of a warp's.</param>
/// <param name="WarpColumns">Columns of them.</param>
/// <param name="Depth">Depth of a stage of the ring in shared memory.</param>
/// <param name="Stages">Stages of the ring.</param>
/// <param name="Registers">Of a thread, about, as ptxas counts them for Linear.</param>
internal sealed record TensorTile(int Rows, int Columns, int WarpRows, int WarpColumns, int Depth, int Stages, int Registers)
{
    /// <summary>Most products for what is read of shared memory. Two blocks fit a multiprocessor of an H100.</summary>
    public static readonly TensorTile Wide = new(128, 128, 64, 64, 64, 3, 254);

    /// <summary>
    /// As many blocks as multiprocessors where 128 rows and columns leave many without one, and three on each where there are more: one
    /// finishes its sums while others multiply. Widths of the image encoder's trunk are multiples of 48.
    /// </summary>
    public static readonly TensorTile Square = new(96, 96, 48, 48, 64, 3, 168);

    /// <summary>Few columns for many rows: four results of a pixel, candidates of the largest logit.</summary>
    public static readonly TensorTile Middle = new(64, 128, 32, 64, 64, 3, 168);

    /// <summary>Small products, and operands that are gathered.</summary>
    public static readonly TensorTile Small = new(64, 64, 32, 32, 64, 4, 120);

    /// <summary>
    /// Few rows of a small depth, where nothing counts but how soon the weight is there: deep stages, for a barrier costs as much as
    /// several multiplies, and many of them, for bytes on their way hide the memory's latency.
    /// </summary>
    public static readonly TensorTile Flat64 = new(16, 64, 16, 16, 128, 4, 72);

    /// <summary>The same where 64 columns leave multiprocessors without a block.</summary>
    public static readonly TensorTile Flat32 = new(16, 32, 16, 16, 128, 5, 72);

    /// <summary>The same where 32 columns do.</summary>
    public static readonly TensorTile Flat16 = new(16, 16, 16, 16, 128, 6, 96);

    /// <summary>What kernels are called by it.</summary>
    public string Name => $"{Rows}x{Columns}";

    public ProductBlock Block => new(Rows, Columns, Threads, SharedBytes);

    private int Threads => 32 * (Rows / WarpRows) * (Columns / WarpColumns);

    /// <summary>The ring, in whose place a band of sums comes afterwards, and what is added to it.</summary>
    private int SharedBytes =>
        Math.Max(Stages * (Rows + Columns) * Depth * sizeof(ushort), WarpRows * (Columns + 8 + Columns) * sizeof(float));

    /// <summary>The one of several that should take the least time.</summary>
    public static TensorTile Best(ReadOnlySpan<TensorTile> tiles, long rows, int columns, int depth, DeviceFacts device)
    {
        TensorTile best = tiles[0];
        foreach (TensorTile tile in tiles[1..])
            if (tile.Clocks(rows, columns, depth, device) < best.Clocks(rows, columns, depth, device)) best = tile;
        return best;
    }

    /// <summary>
    /// A model of a product's time, that of the multiprocessor with most blocks: their stages take as long as the scarcest of what they
    /// use, or as a block's own chain of latencies if that is longer.
    /// </summary>
    public double Clocks(long rows, int columns, int depth, DeviceFacts device)
    {
        Grid grid = Block.GridOf(rows, columns);
        long blocks = grid.X * grid.Y;
        int resident = Math.Min(65536 / (Registers * Threads), (device.SharedBytes + BlockSharedBytes) / (SharedBytes + BlockSharedBytes));
        if (resident < 1) return double.PositiveInfinity;
        // The busiest multiprocessor's; where they are more than it holds, one comes when another has ended.
        long each = (blocks + device.Multiprocessors - 1) / device.Multiprocessors, together = Math.Min(each, resident);
        return ClocksOf((int)together, depth, device) * each / together;
    }

    private double ClocksOf(int blocksEach, int depth, DeviceFacts device)
    {
        (double multiplies, double fetched) = RatesOf(device.Capability);
        double tensor = Rows * Columns * StepDepth / multiplies;
        double copied = (Rows + Columns) * StepDepth * sizeof(ushort);
        double read = Threads / 32 * (WarpRows + WarpColumns) * StepDepth * sizeof(ushort);
        double shared = (CopyPasses * copied + read) / SharedRate + Exposed * tensor / blocksEach;
        double latency = MultiplyLatency + StageLatency * StepDepth / Depth;
        double step = Math.Max(blocksEach * Math.Max(tensor, Math.Max(shared, copied / fetched)), latency);
        int steps = (depth + Depth - 1) / Depth * (Depth / StepDepth);
        return FillClocks + steps * step + Rows * Columns * Math.Max(ResultLatency, blocksEach * ResultClocks);
    }

    // Depth of a multiply of tensor cores.
    private const int StepDepth = 16;

    // Shared memory that the system keeps of each block's.
    private const int BlockSharedBytes = 1024;

    // Bytes of shared memory a clock, and how often what is copied to it passes; the part of a block's multiplies that no other work of
    // shared memory hides; clocks of a multiply that the next one waits for; of a barrier and the loads behind it; until the first stage is
    // there; of one result, where a block is alone and where others are beside it.
    private const double SharedRate = 128, CopyPasses = 2, Exposed = 0.75, MultiplyLatency = 33, StageLatency = 80, FillClocks = 1200,
        ResultLatency = 0.5, ResultClocks = 0.2;

    /// <summary>Products a clock of a multiprocessor, and bytes a clock that it gets from L2, by compute capability.</summary>
    private static (double Multiplies, double Fetched) RatesOf(int capability) => capability switch
    {
        80 => (1024, 35),
        // Float32 sums at half of the rate of float16 ones.
        86 or 89 => (256, 15),
        // As mma.sync of sm_80 reaches it.
        _ => (1330, 40),
    };
}
