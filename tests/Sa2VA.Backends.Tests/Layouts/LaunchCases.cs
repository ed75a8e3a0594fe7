using Sa2VA.Core;
using Sa2VA.Cuda;

namespace Sa2VA.Tests;

/// <summary>Every kernel at least once, on shapes of released models where it has some, with rows and columns that fill sectors.</summary>
internal static class LaunchCases
{
    /// <summary>A product of which the tile is 64×64.</summary>
    public const string Small = "512×896→1152";

    public static IReadOnlyList<LaunchCase> All { get; } =
        [.. Products, .. Hopper, .. Codes, .. Attentions, .. Maps, .. Rows, .. Moves, .. Pictures];

    private static IEnumerable<LaunchCase> Products =>
    [
        // Prompts, the vision tower, the trunk, memory attention; what makes a card of a hundred multiprocessors take each tile; few rows.
        Linear(1024, 1024, 1024), Linear(1024, 1024, 3072), Linear(512, 896, 1152), Linear(4096, 256, 2048), Linear(4096, 576, 576),
        Linear(1, 256, 256), Linear(16, 128, 4992), Linear(48, 64, 3456), Linear(64, 128, 4096), Linear(1, 256, 2304),
        Linear(1, 896, 1152), Linear(1, 4864, 2048), Linear(1, 896, 4864),
        Linear(1024, 1024, 1024) with { IsFloat = true }, Linear(1, 896, 1152) with { IsFloat = true },
        Linear(1, 64, 40).Plain, Linear(512, 256, 256).Plain,
        new("64×9→64, no chunks", z => z.G.Linear(z.Rows(64, 9), z.Weight(64, 9), z.Weight(64))),
        Gated(512, 896, 4864), Gated(480, 128, 2304), Gated(512, 896, 1216), Gated(16, 128, 2304), Gated(32, 128, 4096),
        Gated(1, 896, 4864), Gated(1, 896, 1024), Gated(64, 9, 64), Gated(512, 128, 256).Plain,
        Largest(512, 896, 8192), Largest(16, 256, 8192), Largest(1, 896, 8192), Largest(64, 9, 8192), Largest(512, 128, 8192).Plain,
        .. ((int[])[1, 4, 8]).SelectMany(rows => (LaunchCase[])[Head(rows, isWide: false), Head(rows, isWide: true)]),
        new("masks, 4×32 by 65536×32", z => z.G.MatMul(z.Floats(4, 32), z.Floats(65536, 32))),
        new("64²×288→576, pooled", z => z.G.SliceChannels(z.G.MaxPool2d(z.G.Linear(z.Rows(64, 64, 288), z.G.At("a"), 576)), 0, 16))
        {
            ZOrder = ZOrderUse.Wherever,
        },
        .. Rotations,
    ];

    private static LaunchCase[] Rotations =>
    [
        Rotated(512, 896, 18, RotaryPairing.Half), Rotated(1536, 128, 24, RotaryPairing.Half),
        Rotated(4096, 256, 4, RotaryPairing.Adjacent), Rotated(64, 896, 4, RotaryPairing.Half),
        Rotated(1, 896, 18, RotaryPairing.Half), Rotated(1, 2048, 40, RotaryPairing.Half),
    ];

    public static LaunchCase Linear(int rows, int depth, int columns) => new($"{rows}×{depth}→{columns}", z => z.G.Linear(
        z.Rows(rows, depth), z.Weight(columns, depth), z.Weight(columns), Activation.Gelu, z.Weight(columns), z.Rows(rows, columns)));

    public static LaunchCase Gated(int rows, int depth, int columns) => new($"gates {rows}×{depth}→{columns}", z =>
    {
        Tensor x = z.Rows(rows, depth);
        return z.G.SwiGlu(z.G.Linear(x, z.G.Weight("gate", columns, depth)), z.G.Linear(x, z.G.Weight("up", columns, depth)));
    });

    private static LaunchCase Largest(int rows, int depth, int columns) => new($"the largest of {rows}×{depth}→{columns}",
        z => z.G.ArgMax(z.G.Linear(z.Rows(rows, depth), z.Weight(columns, depth))));

    public static LaunchCase Head(int rows, bool isWide, int depth = 896) => new(
        $"the head of {rows}×{depth}→8192{(isWide ? ", F32" : "")}", z =>
        {
            using GraphBuilder.FloatScope _ = z.G.KeepFloat();
            return z.G.ArgMax(z.G.Linear(z.Floats(rows, depth), isWide ? z.WideWeight(8192, depth) : z.Weight(8192, depth)));
        });

    private static LaunchCase Rotated(int rows, int depth, int heads, RotaryPairing pairing) =>
        new($"heads of 64: {rows}×{depth}→{heads}, {pairing}", z => z.G.RotaryEmbedding(z.G.Linear(z.Rows(rows, depth),
            z.Weight(64 * heads, depth), z.Weight(64 * heads)), z.Angles(rows, 32), z.Angles(rows, 32), heads, pairing));

    private static IEnumerable<LaunchCase> Hopper =>
        from c in (LaunchCase[])[Linear(512, 896, 1152), Linear(384, 128, 4736), Linear(4096, 576, 576), Linear(4096, 576, 1728),
            Linear(512, 128, 5120), Linear(640, 128, 5120), Linear(512, 896, 1152) with { IsFloat = true }, Gated(512, 896, 4864),
            Rotated(512, 896, 18, RotaryPairing.Half), Flash(512, 256, 16, 64), Flash(512, 256, 16, 72), Flash(512, 256, 16, 80),
            Flash(512, 256, 16, 128), Flash(1024, 2048, 1, 256), Flash(1024, 4096, 1, 256, 64)]
        select c with { What = $"{c.What}, warpgroups", Hopper = HopperUse.Wherever };

    private static IEnumerable<LaunchCase> Codes =>
    [
        .. from precision in (Precision[])[Precision.Int8, Precision.Int4]
           from c in (LaunchCase[])[Linear(1, 896, 8192), Linear(1, 4864, 896), Linear(512, 896, 896), Gated(1, 896, 4864),
               Rotated(1, 896, 18, RotaryPairing.Half)]
           select InBits(c, precision, 4),
        InBits(Head(1, isWide: false), Precision.Int8, 8), InBits(Head(4, isWide: false), Precision.Int8, 8),
    ];

    public static LaunchCase InBits(LaunchCase c, Precision precision, int least) => c with
    {
        What = $"{c.What}, {precision}",
        Precision = precision,
        Record = z =>
        {
            using GraphBuilder.BitsScope? _ = z.G.AllowWeightBits(least);
            return c.Record(z);
        },
    };

    private static IEnumerable<LaunchCase> Attentions =>
    [
        // The mask decoder, the vision tower, prompts, the trunk, memory attention.
        Flash(6, 4096, 8, 16).Plain, Flash(6, 64, 8, 32).Plain, Flash(64, 512, 8, 16), Flash(64, 64, 8, 32),
        Flash(512, 256, 16, 64), Flash(2048, 256, 16, 64), Flash(2048, 256, 16, 72), Flash(1024, 256, 2, 72), Flash(512, 256, 16, 80),
        Flash(512, 256, 16, 128), Flash(1024, 2048, 1, 256), Flash(1024, 4096, 1, 256, 64), Flash(4096, 10240, 1, 256, 64),
        Flash(64, 64, 2, 64).Plain,
        Decode(16, 14, 14), Decode(32, 4, 1), Decode(64, 14, 2), Decode(128, 16, 2), Decode(64, 14, 2).Plain,
        Window(32, 16, pools: false), Window(16, 16, pools: true), Window(32, 8, pools: false), Window(16, 8, pools: true),
        Window(16, 4, pools: false), Window(16, 4, pools: true), Window(32, 16, pools: false).Plain,
    ];

    public static LaunchCase Flash(int queries, int keys, int heads, int dim, int valueDim = 0) =>
        new($"{queries} over {keys}, {heads} heads of {dim}{(valueDim > 0 ? $" and {valueDim}" : "")}", z =>
            z.G.FlashAttention(z.Rows(queries, heads * dim),
            z.Rows(keys, heads * dim), z.Rows(keys, heads * (valueDim > 0 ? valueDim : dim)), heads, heads, 0.1f));

    public static LaunchCase Decode(int dim, int heads, int kvHeads) => new(
        $"two tokens over pages, {heads} heads over {kvHeads} of {dim}", z => z.G.DecodeAttention(z.Rows(2, heads * dim),
            z.Rows(64 * 64, kvHeads * dim), z.Rows(64 * 64, kvHeads * dim), heads, kvHeads, 0.1f,
            new AttentionSegments(z.Ints(new Shape(2), _ => 1024), null, z.Ints(new Shape(2, 16), i => 3 * i % 64), 64)));

    private static LaunchCase Window(int side, int window, bool pools) => new(
        $"windows of {window} in {side}²{(pools ? ", pooled" : "")}", z =>
            z.G.WindowAttention(z.Rows(side, side, 3 * 2 * 72), z.Weight(3 * 2 * 72), 2, window, pools, 0.1f));

    private static IEnumerable<LaunchCase> Maps =>
    [
        Conv(64, 64, 128), Conv(64, 9, 64), Conv(64, 1, 4), Conv(64, 4, 16), Conv(64, 64, 64).Plain,
        new("7×7 filters on 64²×256", z => z.G.DepthwiseConv2d(z.Rows(64, 64, 256), z.G.At("depth"), 7)),
        Transpose(64), Transpose(64) with { IsFloat = true }, Transpose(9), Transpose(64).Plain,
        new("a pooled map, 64²×144", z => z.G.MaxPool2d(z.Rows(64, 64, 144))),
        new("a map 32²×256→64²", z => z.G.Resize(z.Rows(32, 32, 256), 64, 64, ResizeMode.Nearest)),
        new("a mask 64²→256²", z => z.G.Resize(z.Floats(64, 64, 1), 256, 256, ResizeMode.Bilinear)) { IsFloat = true },
        new("shuffled pixels, 32²×1024", z => z.G.PixelShuffle(z.Rows(32, 32, 1024), false)),
        new("64²×144 in another order", z => z.G.MaxPool2d(z.G.Map(z.G.MaxPool2d(z.Rows(64, 64, 144)), Activation.Relu)))
        {
            ZOrder = ZOrderUse.Wherever,
        },
    ];

    private static LaunchCase Conv(int side, int from, int to) => new($"{side}²×{from}→{to}", z =>
        z.G.Conv2d(z.Rows(side, side, from), z.G.At("conv"), to, 3, 2, 1));

    private static LaunchCase Transpose(int from) => new($"transposed 64²×{from}→32", z =>
        z.G.ConvTranspose2d(z.Rows(64, 64, from), z.G.At("up"), 32, z.Rows(128, 128, 32)));

    private static IEnumerable<LaunchCase> Rows =>
    [
        .. from width in (int[])[64, 256, 1024, 2048, 4096]
           from isRms in (bool[])[false, true] select Norm(width, isRms),
        new("64 rows of 1024", z => z.G.Softmax(z.Floats(64, 1024))), new("8 rows of 4096", z => z.G.Softmax(z.Floats(8, 4096))),
        new("the largest of 64×1024", z => z.G.ArgMax(z.Floats(64, 1024))),
        new("the largest of 4×8192", z => z.G.ArgMax(z.Floats(4, 8192))),
        new("2×4 masks of 4096", z => z.G.MaskSelect(z.Floats(2, 4), z.Floats(8, 4096))),
        new("a draw of 2×8192", z => z.G.Sample(z.Floats(2, 8192), z.Choices(2))),
        new("a penalty on 2×8192", z => z.G.RepetitionPenalty(z.Floats(2, 8192), z.Ints(new Shape(2, 256), i => i),
            z.Ints(new Shape(2), _ => BitConverter.SingleToInt32Bits(1.1f)))) { IsFloat = true },
        new("bits of tokens, 2×4096", z => z.G.SetBits(z.Ints(new Shape(2, 4096), i => i), z.Ints(new Shape(2), i => 77 * i))),
    ];

    public static LaunchCase Norm(int width, bool isRms) => new($"{(isRms ? "rms " : "")}norm of 256×{width}", z =>
    {
        Tensor sum = z.G.Add(z.Floats(256, width), z.Rows(256, width));
        return z.G.Concat([isRms ? z.G.RmsNorm(sum, z.G.At("norm"), 1e-6f) : z.G.LayerNorm(sum, z.G.At("norm"), 1e-6f), sum]);
    });

    private static IEnumerable<LaunchCase> Moves =>
    [
        new("a function of 1024×144", z => z.G.Map(z.Rows(1024, 144), Activation.Sigmoid)),
        new("a sum of 1024×144", z => z.G.Add(z.Rows(1024, 144), z.Rows(1024, 144))) { IsFloat = true },
        new("a choice of 64×256", z => z.G.Where(z.Floats(64, 1), z.Floats(64, 256), z.Floats(64, 256))),
        new("64×256 twice", z => z.G.Repeat(z.Floats(64, 256), 2)),
        new("parts of 64×40", z => z.G.Concat([z.Floats(64, 40), z.Floats(64, 40)])) { IsFloat = true },
        new("parts of 64×37", z => z.G.Concat([z.Floats(64, 37), z.Floats(64, 37)])) { IsFloat = true },
        new("parts of segments, 64×256", z => z.G.Concat([z.Floats(64, 256), z.Floats(64, 256)],
            [z.Ints(new Shape(2), _ => 32), z.Ints(new Shape(2), _ => 32)])) { IsFloat = true },
        new("32 rows by index, 256 wide", z => z.G.Gather(z.Floats(64, 256), z.Ints(new Shape(32), i => 7 * i % 64))),
        new("64 tokens, 896 wide", z => z.G.Embedding(z.Weight(1024, 896), z.Ints(new Shape(64), i => 7 * i))),
        new("4 rotated heads, 64×256", z =>
            z.G.RotaryEmbedding(z.Rows(64, 256), z.Angles(64, 32), z.Angles(64, 32), 4, RotaryPairing.Half)),
        new("16 rows of 256, 64 and 64 to pages", RotaryAppend),
        new("64 written rows of 128", z =>
            z.G.WriteRows(z.State(DType.BF16, 128, 128), z.Rows(64, 128), z.Ints(new Shape(64), i => 127 - i))),
    ];

    private static Tensor RotaryAppend(LaunchGraph z)
    {
        Tensor cos = z.Angles(64, 32), sin = z.Angles(64, 32);
        Tensor positions = z.Ints(new Shape(16), i => i), to = z.Ints(new Shape(16), i => 63 - i);
        Tensor q = z.Rows(16, 256), k = z.Rows(16, 64), v = z.Rows(16, 64);
        Tensor keys = z.State(DType.BF16, 64, 64), values = z.State(DType.BF16, 64, 64);
        q = z.G.RotaryEmbedding(q, cos, sin, positions, 4, RotaryPairing.Half);
        z.G.WriteRows(keys, z.G.RotaryEmbedding(k, cos, sin, positions, 1, RotaryPairing.Half), to);
        z.G.WriteRows(values, v, to);
        return q;
    }

    private static IEnumerable<LaunchCase> Pictures =>
    [
        new("a picture of 64²", z => z.G.Normalize(z.Bytes(64, 64, 3), z.Levels)) { IsFloat = true },
        new("patches of 14² of 448²", z => z.G.Conv2d(z.G.Normalize(z.Bytes(448, 448, 3), z.Levels), z.G.At("conv"), 1024, 14, 14, 0)),
        new("a picture 480×270→256²", z => z.G.PillowResize(z.Bytes(270, 480, 3), 256, 256)),
        new("a mask 256²→960×540", z => z.G.PackMasks(z.Floats(1, 256 * 256 + 2), 256, 1024, 540, 960)),
    ];
}
