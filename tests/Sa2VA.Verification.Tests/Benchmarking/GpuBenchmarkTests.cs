using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Verification.Benchmarking;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>That a GPU is measured as it should be; times of a virtual one mean nothing.</summary>
public class GpuBenchmarkTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Precision.Float32)]
    [InlineData(Precision.BFloat16)]
    public void Stages_are_measured_with_the_kernels_of_the_GPU(Precision precision)
    {
        using VirtualDriver driver = Driver();
        List<int> known = [];
        BenchmarkOptions options = Options(driver, precision) with
        {
            Stages = ["decode-2", "mask-decoder", "memory-encoder"],
            Measured = new Told<BenchmarkReport>(r => known.Add(r.Stages.Count)),
        };
        BenchmarkReport report = ModelBenchmark.RunFolder(Fixtures.Model("sa2va-tiny-shapes"), options, cancellation: Cancellation);

        Assert.Equal([0, 1, 2, 3], known);
        Assert.Equal(options.Stages, report.Stages.Select(s => s.Stage));
        string type = precision == Precision.BFloat16 ? "bf16" : "f32";
        Assert.Equal($"this program's own {type} product of 64×64×64", report.Ceilings.FlopsOf);
        Assert.Equal("copied, read + write, buffers of 1 MiB", report.Ceilings.BandwidthOf);
        Assert.Equal(("cuda", precision, VirtualDeviceKind.H100.MemoryBytes, (int?)null),
            (report.Device.Name, report.Device.Precision, report.Device.MemoryBytes, report.Device.Threads));
        Assert.All(report.Stages, s => Assert.True(s.Seconds.Min > 0 && s.MemoryBytes > 0 && s.Seconds.Count == 2, s.ToString()));
        // The one product of the ceiling is what it says it is: tensor cores in bf16.
        Assert.Equal(precision == Precision.BFloat16,
            driver.Launches.Any(l => l.Kernel.StartsWith("linear_bf16", StringComparison.Ordinal)));

        string[] lines = [.. BenchmarkText.JsonLines(report)];
        using JsonDocument machine = JsonDocument.Parse(lines[0]);
        JsonElement m = machine.RootElement;
        Assert.Equal(("cuda", type, report.Device.DriverVersion), (m.GetProperty("device").GetString(),
            m.GetProperty("precision").GetString(), m.GetProperty("driver").GetInt32()));
        Assert.Equal(report.Ceilings.FlopsOf, m.GetProperty("peak_of").GetString());
        Assert.False(m.TryGetProperty("threads", out _));
        Assert.Contains($"computing in {type}", BenchmarkText.Heading(report)[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Short_stages_are_timed_in_a_row_and_alone()
    {
        using VirtualDriver driver = Driver();
        BenchmarkOptions options = Options(driver, Precision.Float32) with
        {
            Stages = ["decode"],
            GpuEffort = new GpuEffort(1 << 20, 64, SecondsInARow: 1e9, MostInARow: 3),
        };
        BenchmarkReport report = ModelBenchmark.RunFolder(Fixtures.Model("sa2va-tiny-shapes"), options, cancellation: Cancellation);
        StageMeasurement decode = Assert.Single(report.Stages);
        Assert.Equal(options.GpuEffort.MostInARow, decode.InARow);
        Assert.Equal(2, decode.Alone!.Value.Count);
        using JsonDocument line = JsonDocument.Parse(BenchmarkText.JsonLines(report).Last());
        Assert.Equal(options.GpuEffort.MostInARow, line.RootElement.GetProperty("in_a_row").GetInt32());
        Assert.Equal(decode.Alone.Value.Median, line.RootElement.GetProperty("alone_seconds").GetProperty("median").GetDouble());
        Assert.Contains($"of {options.GpuEffort.MostInARow} in a row", BenchmarkText.Markdown(report), StringComparison.Ordinal);
    }

    [Fact]
    public void A_stage_frees_what_it_held()
    {
        using VirtualDriver driver = Driver();
        BenchmarkOptions options = Options(driver, Precision.Float32);
        long Held(params string[] stages) => ModelBenchmark.RunFolder(Fixtures.Model("sa2va-tiny-shapes"),
            options with { Stages = stages }, cancellation: Cancellation).Stages[^1].MemoryBytes;
        Assert.Equal(Held("mask-decoder"), Held("frame", "mask-decoder"));
        Assert.Equal(default, driver.Live);
    }

    [Fact]
    public void Kernels_are_timed_launch_by_launch_and_traced()
    {
        using VirtualDriver driver = Driver();
        BenchmarkOptions options = Options(driver, Precision.Float32) with
        {
            Stages = ["decode-2", "frame"], Runs = 1, Kernels = true, Trace = true,
        };
        BenchmarkReport report = ModelBenchmark.RunFolder(Fixtures.Model("sa2va-tiny-shapes"), options, cancellation: Cancellation);
        (StageMeasurement decode, StageMeasurement frame) = (report.Stages[0], report.Stages[1]);

        IReadOnlyList<KernelTime> kernels = decode.Kernels!;
        // Every launch of a run is there, and what the ops of the run do is what its kernels do.
        Assert.Equal(decode.Trace!.Count, kernels.Sum(k => k.Launches));
        Assert.Equal(decode.Flops, kernels.Sum(k => k.Flops));
        Assert.True(kernels.Sum(k => k.Bytes) >= decode.Bytes);
        // A virtual launch takes time too; its events are in order.
        Assert.All(kernels, k => Assert.True(k.Seconds > 0, k.ToString()));
        Assert.Equal(kernels.OrderByDescending(k => k.Seconds), kernels);
        Assert.Contains(kernels, k => k is { Op: nameof(DecodeAttention), Kernel: "decode_attention_combine", Flops: 0 });
        // The last run's kernels, in the driver's words and order.
        string[] launched = [.. driver.Launches.Select(l => l.Kernel)];
        Assert.True(Contains(launched, [.. decode.Trace.Select(k => k.Kernel)]));

        // A frame is more than one graph.
        Assert.Null(frame.Kernels);
        Assert.True(frame.Trace!.Select(k => k.Graph).Distinct().Count() > 1);
        Assert.Equal(default, driver.Live);

        string[] lines = [.. BenchmarkText.JsonLines(report)];
        Assert.Equal(3 + kernels.Count, lines.Length);
        using JsonDocument line = JsonDocument.Parse(lines[2]);
        Assert.Equal(("kernel", "decode-2", kernels[0].Kernel, kernels[0].Launches), (line.RootElement.GetProperty("type").GetString(),
            line.RootElement.GetProperty("stage").GetString(), line.RootElement.GetProperty("kernel").GetString(),
            line.RootElement.GetProperty("launches").GetInt32()));
        Assert.Contains($"| {kernels[0].Kernel} | {kernels[0].Shapes} |", BenchmarkText.Markdown(report), StringComparison.Ordinal);
        CheckTrace(report);
    }

    /// <summary>A lane for each queue, and in it one kernel after the other.</summary>
    internal static void CheckTrace(BenchmarkReport report)
    {
        using JsonDocument trace = JsonDocument.Parse(ChromeTrace.Json(report));
        JsonElement[] events = [.. trace.RootElement.GetProperty("traceEvents").EnumerateArray()];
        (int Stage, int Lane) LaneOf(JsonElement e) => (e.GetProperty("pid").GetInt32(), e.GetProperty("tid").GetInt32());
        JsonElement[] Of(string phase) => [.. events.Where(e => e.GetProperty("ph").GetString() == phase)];
        Assert.Equal(report.Stages.Sum(s => s.Trace!.Count), Of("X").Length);
        HashSet<(int, int)> named = [.. Of("M").Where(e => e.GetProperty("name").GetString() == "thread_name").Select(LaneOf)];
        Assert.Equal(report.Stages.Sum(s => s.Trace!.Select(k => k.Queue).Distinct().Count()), named.Count);
        foreach (IGrouping<(int, int), JsonElement> lane in Of("X").GroupBy(LaneOf))
        {
            Assert.Contains(lane.Key, named);
            double end = 0;
            foreach (JsonElement e in lane)
            {
                // A driver's clock tells time in float32 milliseconds, whose steps grow with it: 2 µs from 16 s on, 4 from 33 s on.
                float clock = (float)(end / 1000);
                double step = 1000.0 * (MathF.BitIncrement(clock) - clock);
                Assert.InRange(e.GetProperty("ts").GetDouble(), end - 2 - step, double.MaxValue);
                end = e.GetProperty("ts").GetDouble() + e.GetProperty("dur").GetDouble();
            }
        }
    }

    private static bool Contains(string[] all, string[] part) =>
        Enumerable.Range(0, all.Length - part.Length + 1).Any(i => all.AsSpan(i, part.Length).SequenceEqual(part));

    [Fact]
    public void Modelled_times_are_those_of_the_launches_of_one_run()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [VirtualDeviceKind.H100], LogLaunches = true, ModelTimes = true,
            Execution = new VirtualDeviceOptions { Checks = false, SampleBlocks = 2 },
        });
        int taken = 0;
        var ceilings = new Ceilings(Spread.Of([1e15]), "peak", Spread.Of([1e12]), "bandwidth");
        var modelled = new ModelledDevice(ceilings, () =>
        {
            LaunchRecord[] launches = [.. driver.Launches.Skip(taken)];
            taken += launches.Length;
            return [.. launches.Select(l => new ModelledLaunch(l.Kernel, l.Time!.Seconds, l.Time.Limit.ToString(),
                l.Counters.Blocks, l.Counters.CountedBlocks))];
        });
        BenchmarkOptions options = Options(driver, Precision.BFloat16) with { Modelled = modelled, Stages = ["memory-encoder", "decode"] };
        string folder = Fixtures.Model("sa2va-tiny-shapes");
        BenchmarkReport report = ModelBenchmark.RunFolder(folder, options, cancellation: Cancellation);
        StageMeasurement decode = report.Stages[1];
        Assert.Same(ceilings, report.Ceilings);
        LaunchRecord[] ran = [.. driver.Launches.TakeLast(decode.Kernels!.Sum(k => k.Launches))];
        Assert.Equal(ran.Sum(l => l.Time!.Seconds), decode.Seconds.Median, 12);
        Assert.Equal(decode.Seconds.Median, decode.Kernels!.Sum(k => k.Seconds), 12);
        Assert.Equal(ran.Select(l => l.Kernel).ToHashSet(), decode.Kernels!.Select(k => k.Kernel).ToHashSet());
        Assert.All(decode.Kernels!, k => Assert.Contains(ran, l => l.Kernel == k.Kernel && l.Time!.Limit.ToString() == k.Limit));
        // A step of so small a model is nothing but launches and latencies.
        Assert.InRange(decode.Seconds.Median / ran.Length, 0.86e-6, 100e-6);
        string page = BenchmarkText.Markdown(report);
        Assert.Contains("modelled, not measured", page, StringComparison.Ordinal);
        // Once above all, with each stage five times in its table and above its kernels, with each kernel's times, share and rates.
        Assert.Equal(1 + report.Stages.Sum(s => 6 + s.Kernels!.Sum(k => 3 + (k.Flops > 0 ? 2 : 0) + (k.Bytes > 0 ? 2 : 0))),
            page.Split(" modelled").Length - 1);
        Assert.Equal(report.Stages.Sum(s => s.Kernels!.Count(k => k.BlocksRun < k.Blocks)), page.Split("| thinned, ").Length - 1);
        Assert.Equal(ran.Sum(l => (long)l.Grid.X * l.Grid.Y * l.Grid.Z), decode.Kernels!.Sum(k => k.Blocks));
        Assert.All(decode.Kernels!, k => Assert.InRange(k.BlocksRun, 1, 2 * k.Launches));
        Assert.Throws<ArgumentException>(() =>
            ModelBenchmark.RunFolder(folder, options with { Stages = ["frame"] }, cancellation: Cancellation));
    }

    /// <summary>Tiles, chunks of prompts and sums: as many launches and products as all runs have, and the time of all.</summary>
    [Fact]
    public void Stages_of_several_runs_are_modelled_run_by_run()
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [VirtualDeviceKind.A100], LogLaunches = true, ModelTimes = true,
            Execution = new VirtualDeviceOptions { Checks = false, SampleBlocks = 1 },
        });
        int taken = 0;
        var modelled = new ModelledDevice(new Ceilings(Spread.Of([1e15]), "peak", Spread.Of([1e12]), "bandwidth"), () =>
        {
            LaunchRecord[] launches = [.. driver.Launches.Skip(taken)];
            taken += launches.Length;
            return [.. launches.Select(l => new ModelledLaunch(l.Kernel, 1e-6, "nothing", 4, 1))];
        });
        string[] stages = ["vision-tower", "vision-tower-5", "prefill", "prefill-1325", "decode", "image-encoder", "mask-decoder"];
        BenchmarkReport report = ModelBenchmark.RunFolder(Fixtures.Model("sa2va-tiny-shapes"),
            Options(driver, Precision.BFloat16) with { Modelled = modelled, Stages = stages }, cancellation: Cancellation);
        Dictionary<string, StageMeasurement> of = report.Stages.ToDictionary(s => s.Stage);
        int Launches(string stage) => of[stage].Kernels!.Sum(k => k.Launches);
        Assert.Equal((5 * Launches("vision-tower"), 5 * of["vision-tower"].Flops),
            (Launches("vision-tower-5"), of["vision-tower-5"].Flops));
        Assert.Equal((3 * Launches("prefill"), 1325), (Launches("prefill-1325"), Tokens("prefill-1325")));
        Assert.Equal(512, Tokens("prefill"));
        Assert.All(report.Stages.Where(s => !s.IsSum), s => Assert.Equal(1e-6 * Launches(s.Stage), s.Seconds.Median, 12));
        Assert.Equal((4L * Launches("prefill-1325"), Launches("prefill-1325")),
            (of["prefill-1325"].Kernels!.Sum(k => k.Blocks), of["prefill-1325"].Kernels!.Sum(k => (int)k.BlocksRun)));
        StageMeasurement sum = Assert.Single(report.Stages, s => s.IsSum);
        Assert.Equal(("first-mask", true, null), (sum.Stage, sum.IsModelled, sum.Kernels));
        Assert.Equal(1e-6 * (Launches("vision-tower-5") + Launches("prefill-1325") + 8 * Launches("decode") + Launches("image-encoder")
            + Launches("mask-decoder")), sum.Seconds.Median, 12);
        Assert.Contains("8 × decode", sum.Work, StringComparison.Ordinal);

        int Tokens(string stage) => int.Parse(of[stage].Work.Split(' ')[0]);
    }

    private static VirtualDriver Driver() => new(new VirtualDriverOptions
    {
        Devices = [VirtualDeviceKind.H100], LogLaunches = true,
        Execution = new VirtualDeviceOptions { Checks = false, CountMemory = false },
    });

    private static BenchmarkOptions Options(VirtualDriver driver, Precision precision) => new()
    {
        Device = new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Precision = precision }, Runs = 2,
        GpuEffort = new GpuEffort(1 << 20, 64),
    };

    private sealed class Told<T>(Action<T> tell) : IProgress<T>
    {
        public void Report(T value) => tell(value);
    }
}
