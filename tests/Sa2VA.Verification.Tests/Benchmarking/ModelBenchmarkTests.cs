using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Tests;

public class ModelBenchmarkTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Every_stage_of_a_checkpoint_is_measured()
    {
        List<string> told = [];
        BenchmarkReport report = ModelBenchmark.RunFolder(Fixtures.Model("sa2va-tiny-shapes"),
            new BenchmarkOptions { Device = new CpuDevice { Threads = 2 }, Runs = 3 }, new Told(told), Cancellation);
        Assert.Equal(["machine", .. ModelBenchmark.UsualStageNames], told);
        StageMeasurement[] stages = [.. report.Stages.Where(s => !s.IsSum)];
        Assert.Equal(ModelBenchmark.UsualStageNames, stages.Select(s => s.Stage));
        StageMeasurement sum = Assert.Single(report.Stages, s => s.IsSum);
        Assert.Equal(("tracked-frame-1", stages.Where(s => s.Stage is "image-encoder" or "tracked-1").Sum(s => s.Flops)),
            (sum.Stage, sum.Flops));
        Assert.Equal(("cpu", 2), (report.Device.Name, report.Device.Threads));
        Assert.All(stages, s =>
        {
            Assert.InRange(s.Seconds.Min, double.Epsilon, s.Seconds.Median);
            Assert.InRange(s.Seconds.Median, s.Seconds.Min, s.Seconds.Max);
            Assert.Equal(3, s.Seconds.Count);
            // What goes through sessions is more than one graph.
            bool session = s.Stage.StartsWith("f", StringComparison.Ordinal);
            Assert.True(s.Flops > 0 != session && s.Bytes > 0 != session && s.MemoryBytes > 0, s.ToString());
            Assert.Equal(s.Flops / s.Seconds.Median / report.Ceilings.Flops.Median, s.PeakShare(report.Ceilings), 12);
            Assert.Equal(s.Bytes / s.Seconds.Median / report.Ceilings.Bandwidth.Median, s.BandwidthShare(report.Ceilings), 12);
        });

        string[] lines = [.. BenchmarkText.JsonLines(report)];
        Assert.Equal(1 + report.Stages.Count, lines.Length);
        Assert.All(lines, line => JsonDocument.Parse(line).Dispose());
        using JsonDocument decode = JsonDocument.Parse(lines[3]);
        Assert.Equal("decode", decode.RootElement.GetProperty("stage").GetString());
        using JsonDocument tracked = JsonDocument.Parse(lines.Single(l => l.Contains("tracked-16", StringComparison.Ordinal)));
        Assert.Equal(("tracked-16", 16), (tracked.RootElement.GetProperty("stage").GetString(),
            tracked.RootElement.GetProperty("objects").GetInt32()));
        Assert.False(decode.RootElement.TryGetProperty("objects", out _));
        // The work of the frame is shared, that of the objects is not.
        long[] flops = [.. stages.Where(s => s.Objects > 0).OrderBy(s => s.Objects).Select(s => s.Flops)];
        Assert.Equal([1, 2, 4, 8, 16], stages.Where(s => s.Objects > 0).Select(s => s.Objects));
        long each = flops[1] - flops[0];
        Assert.Equal([.. ((int[])[1, 2, 4, 8, 16]).Select(n => flops[0] + (n - 1) * each)], flops);
        Assert.True(each < flops[0]);
        string markdown = BenchmarkText.Markdown(report);
        Assert.Contains(" each |", markdown, StringComparison.Ordinal);
        Assert.All(ModelBenchmark.UsualStageNames, name => Assert.Contains($"| {name} |", markdown, StringComparison.Ordinal));
    }

    [Fact]
    public void Stages_are_chosen_by_name()
    {
        var options = new BenchmarkOptions { Device = new CpuDevice { Threads = 1 }, Runs = 1, Stages = ["mask-decoder"] };
        BenchmarkReport report = ModelBenchmark.RunFolder(Fixtures.Model("sa2va-tiny-shapes"), options, cancellation: Cancellation);
        Assert.Equal("mask-decoder", Assert.Single(report.Stages).Stage);

        var e = Assert.Throws<ArgumentException>(() =>
            ModelBenchmark.RunPreset("sa2va-1b", options with { Stages = ["encoder"] }, cancellation: Cancellation));
        Assert.Contains("'encoder'", e.Message, StringComparison.Ordinal);
        Assert.Contains("image-encoder", e.Message, StringComparison.Ordinal);
        Assert.Throws<CheckpointException>(() => ModelBenchmark.RunPreset("sa2va-0b", cancellation: Cancellation));
        Assert.Throws<DeviceException>(() =>
            ModelBenchmark.RunPreset("sa2va-1b", options with { Device = new CpuDevice { Threads = 257 } }, cancellation: Cancellation));
    }

    [Fact]
    public void A_decode_step_reads_its_weights_and_its_cache_once()
    {
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(8, 16), new float[128]);
        weights.Add("table", DType.BF16, new Shape(1000, 16), new float[16000]);
        var g = new GraphBuilder("step", weights);
        RuntimeScalar length = g.Scalar("length", 100);
        Tensor ids = g.Input("ids", DType.I32, new Shape(1));
        Tensor keys = g.State("keys", DType.F32, new Shape(100, 8), length),
            values = g.State("values", DType.F32, new Shape(100, 8), length);
        Tensor x = g.Embedding(g.Weight("table"), ids);
        Tensor q = g.Linear(x, g.Weight("w"));
        g.Output("y", g.DecodeAttention(g.Add(q, g.Linear(x, g.Weight("w"))), keys, values, 2, 2, 1));
        Assert.Equal(8 * 16 * 2 + 16 * 2 + 2 * 70 * 8 * 4, GraphTraffic.Bytes(g.Build(), [70], Precision.Int8));
    }

    [Theory]
    [InlineData(Precision.BFloat16, 16 * 300 * 2)]
    [InlineData(Precision.Int8, 16 * (300 + 3 * 2))]
    [InlineData(Precision.Int4, 16 * (150 + 3 * 2))]
    public void Weights_of_few_bits_are_read_as_codes_and_scales(Precision precision, long bytes)
    {
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(16, 300), new float[16 * 300]);
        var g = new GraphBuilder("step", weights);
        using (g.AllowWeightBits(4)) g.Output("y", g.Linear(g.Input("x", DType.F32, new Shape(1, 300)), g.Weight("w")));
        Graph graph = g.Build();
        Assert.Equal(bytes, GraphTraffic.Bytes(graph, [], precision));
        Assert.Equal(bytes + (300 + 16) * 4, GraphTraffic.Moved(graph.Ops[0], [], precision));
    }

    [Fact]
    public void What_an_op_moves_is_operands_and_result_once()
    {
        var weights = new TestWeights();
        weights.Add("w", DType.BF16, new Shape(8, 16), new float[128]);
        weights.Add("table", DType.BF16, new Shape(1000, 16), new float[16000]);
        var g = new GraphBuilder("step", weights);
        RuntimeScalar length = g.Scalar("length", 100);
        Tensor ids = g.Input("ids", DType.I32, new Shape(100), length), state = g.State("state", DType.F32, new Shape(500, 8));
        Tensor y = g.Linear(g.Embedding(g.Weight("table"), ids), g.Weight("w"));
        g.WriteRows(state, y, g.List("rows", new Shape(100), new IndexRange(0, 500), length));
        g.Output("y", y);
        Graph graph = g.Build();
        // Of a table what is looked up, of a state what is written.
        Assert.Equal([2 * 70 * 16 * 4, 70 * (16 + 8) * 4 + 8 * 16 * 2, 2 * 70 * 8 * 4 + 70 * 4],
            graph.Ops.Select(op => GraphTraffic.Moved(op, [70], Precision.Int4)));
        Assert.Equal("70×16, w 8×16 → 70×8", GraphTraffic.Shapes(graph.Ops[1], [70]));
    }

    [Fact]
    public void Ops_of_the_CPU_are_timed_one_by_one()
    {
        var options = new BenchmarkOptions { Runs = 2, Stages = ["memory-encoder", "first-token"], Kernels = true, Trace = true };
        BenchmarkReport report = ModelBenchmark.RunFolder(Fixtures.Model("sa2va-tiny-shapes"), options, cancellation: Cancellation);
        StageMeasurement encoder = report.Stages[0];
        Assert.Equal(encoder.Trace!.Count, encoder.Kernels!.Sum(k => k.Launches));
        Assert.Equal(encoder.Flops, encoder.Kernels!.Sum(k => k.Flops));
        Assert.InRange(encoder.Kernels!.Sum(k => k.Seconds), double.Epsilon, encoder.Seconds.Median * 100);
        Assert.Contains(encoder.Kernels!, k => k.Op == nameof(DepthwiseConv2d));
        Assert.Contains(report.Stages[1].Trace!, k => k.Op is FlashAttention);
        GpuBenchmarkTests.CheckTrace(report);
    }

    [Fact]
    public void Ceilings_are_positive_and_counted()
    {
        MachineCeilings c = MachineCeilings.Measure(3, runs: 3, bufferBytes: 1 << 22, cancellation: Cancellation);
        Assert.Equal((3, 3, 3), (c.Threads, c.Flops.Count, c.Bandwidth.Count));
        // No machine multiplies less often than a hundred million times, or reads less than ten megabytes, per second.
        Assert.InRange(c.Flops.Min, 1e8, c.Flops.Max);
        Assert.InRange(c.Bandwidth.Min, 1e7, c.Bandwidth.Max);
        Assert.Throws<OperationCanceledException>(() => MachineCeilings.Measure(2, cancellation: new CancellationToken(true)));
    }

    [Fact]
    public void Spread_is_median_and_range()
    {
        Assert.Equal(new Spread(2, 1, 9, 3), Spread.Of([9, 1, 2]));
        Assert.Equal(new Spread(2.5, 1, 9, 4), Spread.Of([9, 1, 2, 3]));
        Assert.Equal(new Spread(20, 10, 90, 3), Spread.Of([9, 1, 2]).Times(10));
        Assert.Throws<ArgumentException>(() => Spread.Of([]));
    }

    private sealed class Told(List<string> list) : IProgress<string>
    {
        public void Report(string value) => list.Add(value);
    }
}
