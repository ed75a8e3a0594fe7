using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// A tile of <c>kernels/common/warpgroup_product.cuh</c>, for compute capability 9.0. As with <see cref="TensorTile"/>, which one it is
/// changes no bit: every sum is the same chain over the depth in both.
/// </summary>
/// <param name="Columns">Columns of a tile.</param>
/// <param name="Stages">Stages of the ring: as many as fit.</param>
internal sealed record HopperTile(int Columns, int Stages)
{
    private const int Rows = 128, Depth = 64, Threads = 384, Warps = 8, PieceBytes = 16 * 40 * sizeof(float), Alignment = 1024;

    // With fewer rows, tiles would be empty for the most part; with less depth nothing is hidden behind the first stage.
    private const int LeastRows = 65, LeastDepth = 128;

    /// <summary>Most bytes of both matrices are multiplied where a tile is large; small ones are for products of a wave.</summary>
    public static readonly HopperTile[] All = [new(96, 7), new(128, 6), new(144, 6), new(192, 5), new(256, 4)];

    /// <summary>Gates and ups, which are wide: prompts of 512 and 1,325 tokens should be no faster with 256 columns.</summary>
    public static readonly HopperTile[] Pairs = [new(192, 5) { Runs = 2 }];

    /// <summary>Heads that are rotated, which are narrow.</summary>
    public static readonly HopperTile[] Heads = [All[0]];

    /// <summary>Rows of the weight that make one column of the result; a tile has as many of each run of them.</summary>
    public int Runs { get; init; } = 1;

    /// <summary>What kernels are called by it.</summary>
    public string Name => $"{Rows}x{Columns}";

    /// <summary>Rows of a box of x.</summary>
    public static int BoxRows => Rows;

    /// <summary>Rows of a box of the weight.</summary>
    public int WeightBoxRows => Columns / Runs;

    public ProductBlock Block => new(Rows, Columns, Threads, SharedBytes);

    // Ring, pieces, and two barriers for each stage; what lies before the first multiple of 1,024.
    private int SharedBytes =>
        Alignment + Stages * ((Rows + Columns) * Depth * sizeof(ushort) + 2 * sizeof(ulong)) + Warps * PieceBytes;

    /// <summary>True if there are such kernels for the device, and they may be taken for a product of that size.</summary>
    public static bool Suits(long rows, int depth, DeviceFacts device, HopperUse use) =>
        device.Capability == 90 && use != HopperUse.Never && rows >= LeastRows && depth >= LeastDepth;

    /// <summary>The one that should take the least time.</summary>
    public static HopperTile Best(ReadOnlySpan<HopperTile> tiles, long rows, int weightRows, int depth, DeviceFacts device)
    {
        HopperTile best = tiles[0];
        foreach (HopperTile tile in tiles[1..])
            if (tile.Clocks(rows, weightRows, depth, device) < best.Clocks(rows, weightRows, depth, device)) best = tile;
        return best;
    }

    /// <summary>Blocks: one for each multiprocessor, which takes tile after tile, or one for each tile.</summary>
    public Grid GridOf(long rows, int weightRows, DeviceFacts device) => new(Math.Min(Tiles(rows, weightRows), device.Multiprocessors));

    /// <summary>A model of a product's time: a stage takes as long as the scarcest of what it uses.</summary>
    public double Clocks(long rows, int weightRows, int depth, DeviceFacts device)
    {
        long tiles = Tiles(rows, weightRows), blocks = Math.Min(tiles, device.Multiprocessors), each = (tiles + blocks - 1) / blocks;
        double bytes = (Rows + Columns) * Depth * sizeof(ushort);
        double tensor = Rows * Columns * (double)Depth / ProductsOfClock;
        double stage = Math.Max(tensor, Math.Max(bytes / BytesOfMultiprocessor, bytes * blocks / BytesOfAll));
        return FillClocks + each * ((depth + Depth - 1) / Depth * stage + FinishClocks + Columns * ColumnClocks);
    }

    private long Tiles(long rows, int weightRows) =>
        (rows + Rows - 1) / Rows * ((weightRows / Runs + WeightBoxRows - 1) / WeightBoxRows);

    // Products a clock of a multiprocessor; bytes a clock that it can take in, and that the second cache gives to all of them; clocks until
    // the first stage is there, to finish a tile, and for each of its columns, which nothing hides. By what an H200 took for 52 products
    // of a frame and a prompt, with these kernels and with the others: of what loses, all but one stays with the others.
    private const double ProductsOfClock = 2000, BytesOfMultiprocessor = 62, BytesOfAll = 4800, FillClocks = 1500, FinishClocks = 750,
        ColumnClocks = 62;
}
