using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Models;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>
/// Measures a model's stages one after the other, each with a backend of its own that is freed before the next begins: a model that does
/// not fit as a whole can be measured as long as its largest stage fits.
/// </summary>
public sealed class ModelBenchmark
{
    private readonly string _name;
    private readonly IWeightSource _weights;
    private readonly Sa2VAConfig _config;

    private ModelBenchmark(string name, IWeightSource weights, Sa2VAConfig config) => (_name, _weights, _config) = (name, weights, config);

    /// <summary>Stages that can be measured, in the order of use.</summary>
    public static IReadOnlyList<string> StageNames { get; } = [.. BenchmarkStages.All.Keys, .. SessionStages.All.Keys];

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
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        string name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        return new ModelBenchmark(name, checkpoint, config).Run(options ?? new BenchmarkOptions(), progress, cancellation);
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
        IReadOnlyList<string> chosen = options.Stages ?? StageNames;
        foreach (string name in chosen)
            if (!StageNames.Contains(name))
                throw new ArgumentException($"There is no stage '{name}'; there are {string.Join(", ", StageNames)}.", nameof(options));

        var cpu = new CpuOptions { Threads = options.Threads, Simd = options.Simd, Precision = options.Precision };
        string device;
        int threads;
        SimdLevel simd;
        using (var backend = new CpuBackend(cpu)) (device, threads, simd) = (backend.Description, backend.Workers, backend.Simd);

        progress?.Report("machine");
        MachineCeilings ceilings = MachineCeilings.Measure(threads, simd, cancellation: cancellation);
        List<StageMeasurement> stages = [];
        foreach (string name in chosen)
        {
            progress?.Report(name);
            using var backend = new CpuBackend(cpu);
            stages.Add(SessionStages.All.TryGetValue(name, out Func<SessionBench, SessionStage>? session)
                ? MeasureSession(name, session(new SessionBench(backend, _weights, _config, cancellation)), backend, options.Runs)
                : Measure(backend, name, options.Runs, cancellation));
        }
        return new BenchmarkReport(_name, device, Environment.ProcessorCount, ceilings, stages)
        {
            Notes = _config.Notes,
        };
    }

    private StageMeasurement Measure(CpuBackend backend, string name, int runs, CancellationToken cancellation)
    {
        BenchmarkStage stage = BenchmarkStages.All[name](_weights, _config, backend.Precision.BoundaryType());
        using var run = new GraphRun(backend, stage.Graph, cancellation);
        foreach (Tensor input in stage.Graph.Inputs) FillRandom(run, input);
        stage.Prepare(run);
        (Spread seconds, double cores) = Time(() => run.Execute(), runs);
        ReadOnlySpan<int> scalars = run.Bound.Scalars;
        return new StageMeasurement(name, stage.Work, seconds, stage.Graph.Flops(scalars), GraphTraffic.Bytes(stage.Graph, scalars), cores,
            backend.Memory.Total)
        {
            Objects = stage.Objects,
        };
    }

    private static StageMeasurement MeasureSession(string name, SessionStage stage, CpuBackend backend, int runs)
    {
        try
        {
            (Spread seconds, double cores) = Time(stage.Run, runs);
            return new StageMeasurement(name, stage.Work, seconds, 0, 0, cores, backend.Memory.Total);
        }
        finally
        {
            stage.Close();
        }
    }

    /// <summary>Times runs, one untimed before them.</summary>
    private static (Spread Seconds, double Cores) Time(Action run, int runs)
    {
        run();
        var seconds = new double[runs];
        TimeSpan used = Environment.CpuUsage.TotalTime;
        for (int i = 0; i < runs; i++)
        {
            long began = Stopwatch.GetTimestamp();
            run();
            seconds[i] = Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        return (Spread.Of(seconds), (Environment.CpuUsage.TotalTime - used).TotalSeconds / seconds.Sum());
    }

    /// <summary>Numbers of ordinary size: zeros would leave some branches of the kernels untaken.</summary>
    private static void FillRandom(GraphRun run, Tensor tensor)
    {
        var random = new Random(tensor.Name.Length);
        const int Block = 1 << 16;
        long count = tensor.Shape.Count;
        var floats = new float[(int)Math.Min(Block, count)];
        for (int i = 0; i < floats.Length; i++) floats[i] = random.NextSingle() * 2 - 1;
        byte[] levels = [.. floats.Select(f => (byte)(127 * f + 128))];
        for (long at = 0; at < count; at += Block)
        {
            int length = (int)Math.Min(Block, count - at);
            switch (tensor.Type)
            {
                case DType.F32 or DType.BF16: run.Write(tensor, floats.AsSpan(0, length), at); break;
                case DType.U8: run.Write(tensor, levels.AsSpan(0, length), at); break;
            }
        }
    }
}
