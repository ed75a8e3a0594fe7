using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// Attention by warpgroups, which devices of compute capability 9.0 have: by the float64 rule, and with every bit of the kernels of 8.0.
/// Of two devices one runs warps in another order, with copies and products as late as they may be.
/// </summary>
public sealed class HopperAttentionTests
{
    private static readonly Lazy<VirtualDriver> Prompt = new(() => Driver(seed: 21, isLazy: false));
    private static readonly Lazy<VirtualDriver> Late = new(() => Driver(seed: 22, isLazy: true));

    /// <summary>The kernels of 8.0 first; the test is skipped where virtual GPUs are not asked for.</summary>
    private static IBackend[] Open()
    {
        Assert.SkipUnless(TestBackend.All.Any(b => b.Family == VirtualGpus.Family), "SA2VA_BACKENDS leaves virtual GPUs out.");
        return [Open(Prompt.Value, HopperUse.Never), Open(Prompt.Value, HopperUse.Wherever), Open(Late.Value, HopperUse.Wherever)];
    }

    [Theory]
    // Rows and keys one above and below what warps, warpgroups and blocks have.
    [InlineData(1, 66, 64, 64, 1, 1, null)]
    [InlineData(37, 65, 64, 64, 2, 2, null)]
    [InlineData(64, 128, 64, 64, 2, 1, null)]
    [InlineData(65, 129, 64, 64, 4, 2, null)]
    [InlineData(129, 200, 64, 64, 3, 1, null)]
    [InlineData(15, 65, 256, 64, 1, 1, null)]
    [InlineData(65, 127, 256, 64, 1, 1, null)]
    [InlineData(129, 193, 256, 64, 2, 1, null)]
    [InlineData(15, 65, 128, 128, 2, 1, null)]
    [InlineData(65, 129, 128, 128, 1, 1, null)]
    [InlineData(130, 200, 128, 128, 2, 2, null)]
    // Narrow boxes: the last ones of heads beside each other, zeros behind them.
    [InlineData(37, 65, 72, 72, 3, 1, null)]
    [InlineData(65, 128, 72, 72, 2, 2, null)]
    [InlineData(130, 193, 72, 72, 3, 3, null)]
    [InlineData(66, 129, 80, 80, 3, 3, null)]
    // Blocks of 32 keys, splits of 1,024.
    [InlineData(17, 33, 256, 256, 1, 1, null)]
    [InlineData(65, 95, 256, 256, 2, 1, null)]
    [InlineData(130, 1090, 256, 256, 1, 1, null)]
    // Splits of 2,048 keys, the last one of which has few.
    [InlineData(70, 2113, 256, 64, 1, 1, null)]
    [InlineData(130, 4096, 256, 64, 1, 1, null)]
    // Causal: one warpgroup sees a block of keys less than the other; what a chunk sees ends within a block of keys and at its end.
    [InlineData(1, 70, 64, 64, 2, 1, 0)]
    [InlineData(64, 65, 64, 64, 2, 2, 0)]
    [InlineData(127, 127, 64, 64, 2, 1, 0)]
    [InlineData(130, 130, 64, 64, 4, 2, 0)]
    [InlineData(129, 160, 64, 64, 4, 2, 31)]
    [InlineData(3, 131, 64, 64, 14, 2, 128)]
    [InlineData(66, 199, 64, 64, 2, 1, 97)]
    [InlineData(1, 70, 128, 128, 2, 1, 0)]
    [InlineData(130, 130, 128, 128, 2, 1, 0)]
    [InlineData(67, 260, 128, 128, 4, 2, 193)]
    [InlineData(130, 130, 72, 72, 2, 1, 0)]
    [InlineData(70, 199, 80, 80, 2, 1, 97)]
    [InlineData(130, 130, 256, 256, 1, 1, 0)]
    // The vision towers, prompts of Sa2VA-1B and 4B, a frame's memory: all rows of which there are fewer heads.
    [InlineData(1025, 1025, 64, 64, 1, 1, null)]
    [InlineData(1025, 1025, 128, 128, 1, 1, null)]
    [InlineData(520, 520, 64, 64, 7, 1, 0)]
    [InlineData(520, 520, 128, 128, 2, 1, 0)]
    [InlineData(256, 2052, 256, 64, 1, 1, null)]
    public void Bits_are_those_of_8_0(int rows, int keys, int dim, int values, int heads, int kvHeads,
        int? start)
    {
        var attention = new AttentionReference(heads, kvHeads, dim, values);
        float[] q = Rounded(1, rows * heads * dim, 2), k = Rounded(2, keys * kvHeads * dim, 2), v = Rounded(3, keys * kvHeads * values, 1);
        int seen = start is { } first ? Math.Min(keys, first + rows) : keys;
        // Keys that no row sees are no numbers.
        k.AsSpan(seen * kvHeads * dim).Fill(float.NaN);
        v.AsSpan(seen * kvHeads * values).Fill(float.NaN);
        var run = new OpRun(new TestWeights(),
            [new(DType.BF16, new Shape(rows, heads * dim), q), new(DType.BF16, new Shape(keys, kvHeads * dim), k),
                new(DType.BF16, new Shape(keys, kvHeads * values), v)],
            [("start", 4096, start ?? 0)]);
        int before = Prompt.Value.Launches.Count;
        float[][] results = Results(run, rows * heads * values, (g, t, s) => g.FlashAttention(g.Copy(t[0], DType.F32), t[1], t[2], heads,
            kvHeads, attention.Scale, start is not null, start is null ? null : s[0]));
        string name = values == dim ? $"{dim}" : $"{dim}_{values}";
        Assert.Equal([$"flash_attention_{name}_rows64", $"flash_attention_bf16_hopper_{name}"],
            Prompt.Value.Launches.Skip(before).Select(l => l.Kernel).Where(IsAttention).Distinct());

        // The rule, where loops do not take too long.
        if ((long)rows * keys * heads > 1 << 17) return;
        (float[] ks, float[] vs) = (k[..(seen * kvHeads * dim)], v[..(seen * kvHeads * values)]);
        Float64Rule.Check(attention.Compute(q, ks, vs, start).Exact, attention.Narrow(q, ks, vs, start), results[0],
            $"{rows} rows over {keys} keys of {dim}");
    }

    [Theory]
    [InlineData(64, 64, true, 16)]
    [InlineData(64, 64, true, 0)]
    [InlineData(64, 64, false, 64)]
    [InlineData(64, 64, true, 256)]
    [InlineData(256, 64, false, 0)]
    [InlineData(256, 64, false, 8)]
    [InlineData(128, 128, true, 0)]
    [InlineData(128, 128, false, 64)]
    [InlineData(128, 128, true, 16)]
    [InlineData(72, 72, false, 0)]
    [InlineData(80, 80, true, 8)]
    [InlineData(256, 256, false, 16)]
    public void Segments_see_their_own_keys_wherever_these_lie(int dim, int values, bool causal, int pageRows)
    {
        // Segments without rows or keys, with more rows than keys, with keys in several pages and a part of one.
        (int Rows, int Keys)[] segments = [(0, 0), (129, 200), (5, 0), (1, 77), (64, 64), (0, 9), (70, 33), (130, 130)];
        if (values != dim) segments[1] = (66, 2200);
        int rows = segments.Sum(s => s.Rows), most = segments.Max(s => s.Keys), each = pageRows == 0 ? 0 : (most + pageRows - 1) / pageRows;
        int[] order = [.. Enumerable.Range(0, segments.Length * each)];
        new Random(5).Shuffle(order);
        int poolRows = pageRows == 0 ? segments.Sum(s => s.Keys) + 70 : order.Length * pageRows;
        float[] k = new float[poolRows * dim], v = new float[poolRows * values];
        Array.Fill(k, float.NaN);
        Array.Fill(v, float.NaN);
        int row = 0;
        for (int s = 0; s < segments.Length; s++)
            for (int j = 0; j < segments[s].Keys; j++, row++)
            {
                int to = pageRows == 0 ? row : order[s * each + j / pageRows] * pageRows + j % pageRows;
                Rounded(100 + row, dim, 2).CopyTo(k, to * dim);
                Rounded(5000 + row, values, 1).CopyTo(v, to * values);
            }
        GuardedInput[] inputs = [new(DType.BF16, new Shape(rows, 2 * dim), Rounded(1, rows * 2 * dim, 2)),
            new(DType.BF16, new Shape(poolRows, dim), k), new(DType.BF16, new Shape(poolRows, values), v),
            new(DType.I32, new Shape(segments.Length), segments.Select(s => s.Keys).ToArray()),
            new(DType.I32, new Shape(segments.Length + 1), Enumerable.Range(0, segments.Length + 1)
                .Select(i => segments.Take(i).Sum(s => s.Rows)).ToArray()),
            .. pageRows == 0 ? (GuardedInput[])[] : [new(DType.I32, new Shape(segments.Length, each), order)]];
        int before = Prompt.Value.Launches.Count;
        float[][] results = Results(new OpRun(new TestWeights(), inputs, []), rows * 2 * values, (g, t, _) => g.FlashAttention(
            g.Copy(t[0], DType.F32), t[1], t[2], new AttentionSegments(t[3], t[4], pageRows == 0 ? null : t[5], pageRows), 2, 1, 0.2f,
            causal));
        Assert.Contains(Prompt.Value.Launches.Skip(before),
            l => l.Kernel.StartsWith("flash_attention_bf16_hopper", StringComparison.Ordinal));
        Assert.All(results[0], x => Assert.True(float.IsFinite(x)));
    }

    [Theory]
    // A device that has them, one that has not; many keys, few of one wave and of several; one block of keys; pages shorter than a swizzle.
    [InlineData(90, HopperUse.WhereItPays, 1025, 1025, 64, 64, 0, true)]
    [InlineData(90, HopperUse.WhereItPays, 4096, 4096, 256, 64, 0, true)]
    [InlineData(90, HopperUse.WhereItPays, 1025, 1025, 128, 128, 0, true)]
    [InlineData(90, HopperUse.WhereItPays, 4096, 4096, 72, 72, 0, true)]
    [InlineData(90, HopperUse.WhereItPays, 4096, 4096, 256, 256, 0, true)]
    [InlineData(90, HopperUse.WhereItPays, 100, 128, 64, 64, 0, false)]
    [InlineData(90, HopperUse.WhereItPays, 4300, 128, 64, 64, 0, true)]
    [InlineData(90, HopperUse.Wherever, 100, 65, 64, 64, 0, true)]
    [InlineData(90, HopperUse.Wherever, 4300, 64, 64, 64, 0, false)]
    [InlineData(90, HopperUse.Wherever, 1025, 1024, 64, 64, 8, true)]
    [InlineData(90, HopperUse.Wherever, 1025, 1024, 64, 64, 4, false)]
    [InlineData(90, HopperUse.Wherever, 1025, 1025, 32, 32, 0, false)]
    [InlineData(90, HopperUse.Never, 1025, 1025, 64, 64, 0, false)]
    [InlineData(80, HopperUse.Wherever, 1025, 1025, 64, 64, 0, false)]
    public void Where_they_are_taken(int capability, HopperUse use, int rows, int keys, int dim, int values, int pageRows,
        bool areTaken)
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [capability == 80 ? VirtualDeviceKind.A100 : VirtualDeviceKind.H100],
        });
        using IBackend backend = Open(driver, use);
        var g = new GraphBuilder("attention", new TestWeights());
        Tensor q = g.Copy(g.Input("q", DType.BF16, new Shape(rows, 4 * dim)), DType.F32);
        Tensor k = g.Input("k", DType.BF16, new Shape(keys, 4 * dim));
        Tensor v = g.Input("v", DType.BF16, new Shape(keys, 4 * values));
        AttentionSegments? segments = pageRows == 0 ? null : new AttentionSegments(List("keys", new Shape(1), keys + 1), null,
            List("pages", new Shape(1, keys / pageRows), keys / pageRows), pageRows);
        g.Output("y", segments is null ? g.FlashAttention(q, k, v, 4, 4, 1) : g.FlashAttention(q, k, v, segments, 4, 4, 1));
        using ExecutionPlan plan = backend.Compile(g.Build(), TestContext.Current.CancellationToken);
        Assert.Equal(areTaken, ((CudaBackend)backend).Kernels.Any(l => l.Family == "flash_attention_bf16_hopper"));

        Tensor List(string name, Shape shape, int end) => g.List(name, shape, new IndexRange(0, end));
    }

    private static bool IsAttention(string kernel) => kernel.StartsWith("flash_attention", StringComparison.Ordinal)
        && kernel != "flash_attention_combine";

    private static float[] Rounded(int seed, int count, float scale) =>
        [.. TestValues.Random(seed, count, scale).Select(BFloat16.Round)];

    /// <summary>In float32, so that bits are not rounded away: the same from all.</summary>
    private static float[][] Results(OpRun run, int count, GuardedOp.Recorder record)
    {
        IBackend[] backends = Open();
        try
        {
            float[][] results = [.. backends.Select(b => run.Once<float>(b, record, count))];
            foreach (float[] result in results[1..]) OpRun.AssertSameBits(results[0], result, "by warpgroups");
            return results;
        }
        finally
        {
            foreach (IBackend backend in backends) backend.Dispose();
        }
    }

    private static IBackend Open(VirtualDriver driver, HopperUse use) =>
        new CudaDevice(VirtualGpus.DriverOf(driver)) { Precision = Precision.BFloat16, Hopper = use }.Open();

    private static VirtualDriver Driver(int seed, bool isLazy) => new(new VirtualDriverOptions
    {
        Devices = [VirtualDeviceKind.H100],
        LazyDispatch = isLazy,
        LogLaunches = true,
        MappingGranularity = 1 << 16,
        Execution = new VirtualDeviceOptions { Seed = seed, CountMemory = false },
    });
}
