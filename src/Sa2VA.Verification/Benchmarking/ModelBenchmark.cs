using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Cuda;
using Sa2VA.Models;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>
/// Measures a model's stages one after the other, each with memory of its own that is freed before the next begins: a model that does not
/// fit as a whole can be measured as long as its largest stage fits.
/// </summary>
public sealed class ModelBenchmark
{
    private const int CeilingRuns = 7;

    private readonly string _name;
    private readonly IWeightSource _weights;
    private readonly Sa2VAConfig _config;

    private ModelBenchmark(string name, IWeightSource weights, Sa2VAConfig config) => (_name, _weights, _config) = (name, weights, config);

    /// <summary>Stages that can be measured, in the order of use.</summary>
    public static IReadOnlyList<string> StageNames { get; } = [.. BenchmarkStages.All.Keys, .. SessionStages.All.Keys];

    /// <summary>Those that are measured where nobody names any: without longer prompts and more tiles and objects.</summary>
    public static IReadOnlyList<string> UsualStageNames { get; } = [.. StageNames.Where(name => !BenchmarkStages.Long.Contains(name))];

    /// <summary>Those of <see cref="StageNames"/> that are one graph, and so can be modelled.</summary>
    public static IReadOnlyList<string> GraphStageNames { get; } = [.. BenchmarkStages.All.Keys];

    /// <summary>Measures a checkpoint's folder.</summary>
    /// <param name="folder">Folder with config.json and safetensors.</param>
    /// <param name="options">Choices; null for the defaults.</param>
    /// <param name="progress">Told each stage as it begins.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="CheckpointException">The checkpoint cannot be used.</exception>
    /// <exception cref="DeviceException">The memory does not suffice, or an option is out of range.</exception>
    /// <exception cref="ArgumentException">A stage that does not exist.</exception>
    public static BenchmarkReport RunFolder(string folder, BenchmarkOptions? options = null, IProgress<string>? progress = null,
        CancellationToken cancellation = default)
    {
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        config.Quantization?.Check((options ?? new BenchmarkOptions()).Device.Precision);
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        return new ModelBenchmark(checkpoint.Name, checkpoint, config).Run(options ?? new BenchmarkOptions(), progress, cancellation);
    }

    /// <summary>Measures the sizes of a released model with computed weights; nothing is read from disk.</summary>
    /// <param name="preset">One of <see cref="SyntheticPresets.Names"/>.</param>
    /// <param name="options">Choices; null for the defaults.</param>
    /// <param name="progress">Told each stage as it begins.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="CheckpointException">No such preset.</exception>
    /// <exception cref="DeviceException">The memory does not suffice, or an option is out of range.</exception>
    /// <exception cref="ArgumentException">A stage that does not exist.</exception>
    public static BenchmarkReport RunPreset(string preset, BenchmarkOptions? options = null, IProgress<string>? progress = null,
        CancellationToken cancellation = default)
    {
        Sa2VAConfig config = SyntheticPresets.Get(preset);
        return new ModelBenchmark(preset, new SyntheticWeights(config), config)
            .Run(options ?? new BenchmarkOptions(), progress, cancellation);
    }

    private BenchmarkReport Run(BenchmarkOptions options, IProgress<string>? progress, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Runs, 1);
        bool isMeasured = options.Modelled is null;
        IReadOnlyList<string> known = isMeasured ? StageNames : GraphStageNames;
        IReadOnlyList<string> chosen = options.Stages ?? (isMeasured ? UsualStageNames : known);
        foreach (string name in chosen)
            if (!known.Contains(name))
                throw new ArgumentException($"There is no stage '{name}'; there are {string.Join(", ", known)}.", nameof(options));

        // A GPU's backend serves all stages, since each would load the kernels anew; what a stage holds is freed with it there too.
        using IBackend? gpu = options.Device is CudaDevice ? options.Device.Open() : null;
        progress?.Report("machine");
        (BenchmarkDevice device, Ceilings ceilings) = gpu is null
            ? MeasureCpu(options.Device, cancellation)
            : options.Modelled is { } modelled ? (BenchmarkDevice.Of(options.Device, gpu) with { IsModelled = true }, modelled.Ceilings)
            : (BenchmarkDevice.Of(options.Device, gpu), GpuCeilings.Measure(gpu, options.GpuEffort, CeilingRuns, cancellation));
        var report = new BenchmarkReport(_name, device, ceilings, []) { Notes = _config.Notes };
        options.Measured?.Report(report);
        foreach (string name in chosen)
        {
            progress?.Report(name);
            using IBackend? own = gpu is null ? options.Device.Open() : null;
            report = report with { Stages = [.. report.Stages, Measure(gpu ?? own!, name, ceilings, options, cancellation)] };
            options.Measured?.Report(report);
        }
        foreach (StageMeasurement sum in StageSums.Of(report.Stages))
        {
            report = report with { Stages = [.. report.Stages, sum] };
            options.Measured?.Report(report);
        }
        return report;
    }

    private static (BenchmarkDevice Device, Ceilings Ceilings) MeasureCpu(Device device, CancellationToken cancellation)
    {
        BenchmarkDevice found;
        using (IBackend backend = device.Open()) found = BenchmarkDevice.Of(device, backend);
        int threads = found.Threads ?? throw new DeviceException($"There is no way to measure what a device '{found.Name}' can do.");
        return (found, MachineCeilings.Measure(threads, found.Simd, CeilingRuns, cancellation: cancellation).Ceilings);
    }

    private StageMeasurement Measure(IBackend backend, string name, Ceilings ceilings, BenchmarkOptions options,
        CancellationToken cancellation)
    {
        if (!SessionStages.All.TryGetValue(name, out Func<SessionBench, SessionStage>? make))
            return MeasureGraph(backend, name, ceilings, options, cancellation);
        var bench = new SessionBench(backend, _weights, _config, cancellation);
        StageMeasurement measured = MeasureSession(name, bench, make, options.Runs);
        return options.Trace ? measured with { Trace = KernelRuns.Of(bench, make) } : measured;
    }

    private StageMeasurement MeasureGraph(IBackend backend, string name, Ceilings ceilings, BenchmarkOptions options,
        CancellationToken cancellation)
    {
        long before = backend.Memory.Total;
        BenchmarkStage stage = BenchmarkStages.All[name](_weights, _config, backend.Precision.BoundaryType());
        using var run = new GraphRun(backend, stage.Graph, cancellation);
        foreach (Tensor input in stage.Graph.Inputs) run.FillRandom(input);
        if (options.Modelled is { } modelled) return Model(backend, name, stage, run, before, modelled);
        long flops = 0, bytes = 0;
        foreach (Action<GraphRun> prepare in (Action<GraphRun>[])[.. stage.Then, stage.Prepare])
        {
            prepare(run);
            flops += stage.Times * stage.Graph.Flops(run.Bound.Scalars);
            bytes += stage.Times * GraphTraffic.Bytes(stage.Graph, run.Bound.Scalars, HeldIn(backend));
        }
        RunTimes times = stage.Then.Count > 0 ? RunTimes.OneByOne(() => RunAll(stage, run), options.Runs)
            : backend is CpuBackend ? RunTimes.OneByOne(() => run.Execute(stage.Times), options.Runs)
            : RunTimes.InRows(times => run.Execute(times * stage.Times), options.Runs, options.GpuEffort);
        long held = backend.Memory.Total - before;
        IReadOnlyList<IReadOnlyList<TimedKernel>>? kernels =
            stage.IsOneRun && (options.Kernels || options.Trace) ? KernelRuns.Of(backend, run, stage, ceilings, options) : null;
        return new StageMeasurement(name, stage.Work, times.Seconds, flops, bytes, times.Cores, held)
        {
            Kernels = options.Kernels && kernels is not null ? KernelTime.Of(kernels, run.Bound.Scalars, HeldIn(backend)) : null,
            Trace = options.Trace ? kernels?[^1] : null,
            Objects = stage.Objects,
            InARow = times.InARow,
            Alone = times.Alone,
        };
    }

    private static void RunAll(BenchmarkStage stage, GraphRun run)
    {
        foreach (Action<GraphRun> prepare in (Action<GraphRun>[])[stage.Prepare, .. stage.Then])
        {
            prepare(run);
            run.Execute(stage.Times);
        }
    }

    /// <summary>The precision that tells how many bits weights lie in; on a CPU they are BF16 where units of pairs multiply them.</summary>
    internal static Precision HeldIn(IBackend backend) =>
        backend is CpuBackend { Pairs: not null } ? Precision.BFloat16 : backend.Precision;

    /// <summary>Runs a graph, once where it would run several times with the same lengths, and adds up the times of its launches.</summary>
    private static StageMeasurement Model(IBackend backend, string name, BenchmarkStage stage, GraphRun run, long before,
        ModelledDevice modelled)
    {
        var timeline = new Timeline();
        var all = new List<KernelTime>();
        long flops = 0, bytes = 0;
        backend.Timeline = timeline;
        try
        {
            foreach (Action<GraphRun> prepare in (Action<GraphRun>[])[stage.Prepare, .. stage.Then])
            {
                prepare(run);
                timeline.Take();
                modelled.Take();
                run.Execute();
                IReadOnlyList<TimedKernel> kernels = timeline.Take();
                IReadOnlyList<ModelledLaunch> launches = modelled.Take();
                if (!kernels.Select(k => k.Kernel).SequenceEqual(launches.Select(l => l.Kernel)))
                    throw new InvalidOperationException($"{name}: {kernels.Count} kernels were noted and {launches.Count} launched.");
                IReadOnlyList<TimedKernel> timed = [.. kernels.Select((k, n) => k with { Seconds = launches[n].Seconds })];
                ReadOnlySpan<int> scalars = run.Bound.Scalars;
                IReadOnlyList<KernelTime> times = KernelTime.Of([timed], scalars, HeldIn(backend), launches);
                for (int i = 0; i < stage.Times; i++) all.AddRange(times);
                flops += stage.Times * stage.Graph.Flops(scalars);
                bytes += stage.Times * GraphTraffic.Bytes(stage.Graph, scalars, HeldIn(backend));
            }
            return new StageMeasurement(name, stage.Work, Spread.Of([all.Sum(k => k.Seconds)]), flops, bytes, 0,
                backend.Memory.Total - before)
            {
                Kernels = KernelTime.Sum(all),
                Objects = stage.Objects,
                IsModelled = true,
            };
        }
        finally
        {
            backend.Timeline = null;
        }
    }

    private static StageMeasurement MeasureSession(string name, SessionBench bench, Func<SessionBench, SessionStage> make, int runs)
    {
        long before = bench.Backend.Memory.Total;
        SessionStage stage = make(bench);
        try
        {
            RunTimes times = RunTimes.OneByOne(stage.Run, runs);
            return new StageMeasurement(name, stage.Work, times.Seconds, 0, 0, times.Cores, bench.Backend.Memory.Total - before);
        }
        finally
        {
            stage.Close();
        }
    }
}
