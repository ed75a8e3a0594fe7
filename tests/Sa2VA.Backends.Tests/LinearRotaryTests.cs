using Sa2VA.Core;
using Sa2VA.Cuda;

namespace Sa2VA.Tests;

/// <summary>
/// Products that rotate their heads themselves give the bits of a product in float32 and a rotation behind it, in results and states.
/// </summary>
public class LinearRotaryTests
{
    /// <summary>Virtual GPUs of many multiprocessors and of few, which take larger tiles; by warpgroups.</summary>
    private static IEnumerable<TestBackend> Configurations =>
        [.. TestBackend.All.Where(b => b.Family == "cuda"), VirtualGpus.Small, VirtualGpus.Warpgroups];

    [Theory]
    // A decode step of Sa2VA-1B, of several chats, of Sa2VA-4B, a chunk of a prompt, all of fewer channels.
    [InlineData(1, 14, 2, 32, 128, 520, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(5, 14, 2, 32, 128, 520, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(16, 16, 2, 64, 256, 520, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(130, 14, 2, 32, 128, 96, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(150, 3, 1, 32, 64, 136, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(2, 14, 2, 32, 128, 520, RotaryPairing.Half, DType.BF16, Precision.Int8)]
    [InlineData(2, 14, 2, 32, 128, 520, RotaryPairing.Half, DType.BF16, Precision.Int4)]
    [InlineData(40, 3, 1, 32, 20, 136, RotaryPairing.Half, DType.F32, Precision.Int4)]
    // Odd sizes: heads that fill no tile, values that are no quads, tables of one quad.
    [InlineData(200, 3, 1, 20, 7, 40, RotaryPairing.Half, DType.F32, Precision.BFloat16)]
    [InlineData(9, 5, 3, 4, 1, 8, RotaryPairing.Half, DType.F16, Precision.BFloat16)]
    [InlineData(7, 3, 1, 12, 5, 776, RotaryPairing.Half, DType.F32, Precision.BFloat16)]
    [InlineData(33, 3, 2, 4, 9, 72, RotaryPairing.Adjacent, DType.BF16, Precision.BFloat16)]
    [InlineData(3, 1, 1, 128, 256, 600, RotaryPairing.Adjacent, DType.BF16, Precision.BFloat16)]
    public void New_tokens_of_chats(int rows, int heads, int kvHeads, int pairs, int valueWidth, int depth, RotaryPairing pairing,
        DType stored, Precision precision)
    {
        foreach (TestBackend configuration in Configurations)
        {
            var backend = (CudaBackend)configuration.OpenWith(precision);
            using var run = new AppendRun(backend, new NewTokens(rows, heads, kvHeads, pairs, valueWidth, pairing, stored, depth));
            // All rows, some of them, none.
            foreach (int count in (int[])[rows, rows / 2, 0])
            {
                run.Run(count);
                Assert.Equal(run.Read("apart y", count), run.Read("fused y", count));
                foreach (string state in (string[])["keys", "values"]) Assert.Equal(run.Read($"apart {state}"), run.Read($"fused {state}"));
            }
            Assert.NotEqual(run.Before("fused keys"), run.Read("fused keys"));
            AssertRotates(backend);
        }
    }

    [Theory]
    // Memory attention's self-attention with fewer rows, two frames of it; heads that fill no tile.
    [InlineData(128, 64, 256, 1, 256, 256, RotaryPairing.Adjacent)]
    [InlineData(150, 50, 24, 3, 40, 9, RotaryPairing.Half)]
    [InlineData(70, 70, 520, 2, 16, 5, RotaryPairing.Adjacent)]
    // Depths that warpgroups take: more columns than a tile, heads that fill none.
    [InlineData(133, 70, 136, 3, 40, 9, RotaryPairing.Half)]
    public void Projections_of_an_attention(int rows, int table, int depth, int heads, int headDim, int valueDim, RotaryPairing pairing)
    {
        int width = heads * headDim;
        SameBits([rows], depth, [("q", width), ("k", width), ("v", heads * valueDim)], rows * heads * valueDim, (g, x, rotate) =>
        {
            (Tensor cos, Tensor sin) = Tables(g, table, headDim / 2);
            Tensor Head(string name) => g.RotaryEmbedding(rotate(g.Linear(x[0], g.At(name), width)), cos, sin, heads, pairing);
            return g.FlashAttention(Head("q"), Head("k"), g.Linear(x[0], g.At("v"), heads * valueDim), heads, heads, 0.2f);
        });
    }

    [Theory]
    // Memory attention's keys, those of one frame and of three.
    [InlineData(64, 64, 7)]
    [InlineData(150, 50, 4)]
    public void Keys_that_others_follow(int rows, int table, int pointers)
    {
        const int Depth = 64, Width = 256;
        SameBits([rows, pointers], Depth, [("k", Width)], (rows + pointers) * Width, (g, x, rotate) =>
        {
            (Tensor cos, Tensor sin) = Tables(g, table, Width / 2);
            Tensor keys = g.RotaryEmbedding(rotate(g.Linear(x[0], g.At("k"), Width)), cos, sin, 1, RotaryPairing.Adjacent);
            return g.Concat([keys, g.Linear(x[1], g.At("k"), Width)]);
        });
    }

    private static (Tensor Cos, Tensor Sin) Tables(GraphBuilder g, int rows, int pairs) =>
        (g.Constant("cos", new Shape(rows, pairs), TestValues.Random(2, rows * pairs)),
            g.Constant("sin", new Shape(rows, pairs), TestValues.Random(3, rows * pairs)));

    /// <summary>Runs what is recorded as it is, and with each product that is to be rotated kept apart, as float32.</summary>
    private static void SameBits(int[] rows, int depth, (string Name, int Width)[] layers, int count,
        Func<GraphBuilder, Tensor[], Func<Tensor, Tensor>, Tensor> record)
    {
        var weights = new TestWeights();
        foreach ((string name, int width) in layers)
        {
            weights.Add($"{name}.weight", DType.BF16, new Shape(width, depth), TestValues.Random(name[0], width * depth, 0.2f));
            weights.Add($"{name}.bias", DType.F32, new Shape(width), TestValues.Random(name[0] + 1, width));
        }
        var run = new OpRun(weights, [.. rows.Select((n, i) =>
            new GuardedInput(DType.F32, new Shape(n, depth), TestValues.Random(10 + i, n * depth)))], []);
        foreach (TestBackend configuration in Configurations)
        {
            using var backend = (CudaBackend)configuration.OpenWith(Precision.BFloat16);
            // Who takes statistics of it sees to it that it stays F32, and by itself.
            ushort[] apart = run.Twice<ushort>(backend, (g, t, _) => Record(g, t, product =>
            {
                g.Softmax(product);
                return product;
            }), count);
            ushort[] atOnce = run.Twice<ushort>(backend, (g, t, _) => Record(g, t, product => product), count);
            OpRun.AssertSameBits(apart, atOnce, "rotated at once");
            AssertRotates(backend);
        }

        Tensor Record(GraphBuilder g, Tensor[] inputs, Func<Tensor, Tensor> rotate) =>
            g.Copy(record(g, [.. inputs.Select(t => g.Copy(t))], rotate), DType.BF16);
    }

    private static void AssertRotates(CudaBackend backend) =>
        Assert.Contains(backend.Kernels, k => k.Family is "linear_rotary_bf16" or "linear_rotary_bf16_hopper");
}
