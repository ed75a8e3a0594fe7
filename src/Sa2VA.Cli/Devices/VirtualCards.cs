using System.Collections.Concurrent;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Verification.Benchmarking;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.Cli.Devices;

/// <summary>Virtual GPUs by the cards that they are like. As a machine's driver does, theirs live as long as the process.</summary>
internal static class VirtualCards
{
    private static readonly (string Name, VirtualDeviceKind Kind)[] Kinds =
    [
        ("a100", VirtualDeviceKind.A100), ("rtx4090", VirtualDeviceKind.Rtx4090), ("h100", VirtualDeviceKind.H100),
        ("h200", VirtualDeviceKind.H200),
    ];

    // The virtual driver is kept because its functions are called by their addresses.
    private static readonly ConcurrentDictionary<(string Card, int Threads, bool IsChecked),
        Lazy<(VirtualDriver, CudaDriver Functions)>> Drivers = [];

    /// <summary>The cards' names; the first is the usual one.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Kinds.Select(k => k.Name)];

    /// <summary>Blocks of a launch that stand for all where times are modelled.</summary>
    private const int SampleBlocks = 4;

    /// <summary>Blocks of launches that run whole: one for each object or chat of the largest batch.</summary>
    private const int WholeGrids = 16;

    /// <summary>Below this part of the multiprocessors with a block, the lack of blocks is what to mend first.</summary>
    private const double FewBlocks = 0.75;

    /// <summary>
    /// One such card whose launches are run by a sample of their blocks and given the times that the card would take. What they compute
    /// means nothing.
    /// </summary>
    /// <param name="card">One of <see cref="Names"/>.</param>
    /// <param name="threads">Threads that run its blocks; 0 is one per processor.</param>
    /// <param name="precision">How numbers are stored.</param>
    public static (CudaDevice Device, ModelledDevice Times) Modelled(string card, int threads, Precision precision)
    {
        VirtualDeviceKind kind = Kinds.Single(k => k.Name == card).Kind;
        CardRates rates = kind.Rates!;
        var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [kind],
            Execution = new VirtualDeviceOptions
            {
                Checks = false,
                ExactProducts = false,
                SampleBlocks = SampleBlocks,
                WholeGrids = WholeGrids,
                Workers = threads == 0 ? Environment.ProcessorCount : threads,
            },
            ModelTimes = true,
            Registers = KernelResources.Registers,
            LogLaunches = true,
        });
        int taken = 0;
        var ceilings = new Ceilings(
            Spread.Of([precision.IsNarrow() ? rates.TensorFlops : rates.FloatFlops]),
            precision.IsNarrow() ? "its mma.sync peak" : "its float32 peak", Spread.Of([rates.DramBytesPerSecond]),
            "what copies reach");
        return (new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Precision = precision }, new ModelledDevice(ceilings, () =>
        {
            LaunchRecord[] launches = [.. driver.Launches.Skip(taken)];
            taken += launches.Length;
            return [.. launches.Select(l => new ModelledLaunch(l.Kernel, l.Time!.Seconds, Limit(l.Time),
                l.Counters.Blocks, l.Counters.CountedBlocks))];
        }));
    }

    /// <summary>Latency in words that tell what to do: more blocks, or what else is busy while a block's chain is waited for.</summary>
    private static string Limit(ModelledTime time) => time.Limit != TimeLimit.Latency ? Named(time.Limit)
        : time.Occupied < FewBlocks ? "latency, few blocks" : $"latency, then {Named(time.Busiest)}";

    private static string Named(TimeLimit limit) => limit switch
    {
        TimeLimit.Tensor => "tensor cores",
        TimeLimit.SharedMemory => "shared memory",
        TimeLimit.SpecialFunction => "special functions",
        TimeLimit.Float => "float units",
        TimeLimit.Integer => "integer units",
        TimeLimit.Issue => "issue slots",
        TimeLimit.Dram => "device memory",
        TimeLimit.Launch => "launch",
        _ => limit.ToString(),
    };

    /// <summary>The driver of one such card.</summary>
    /// <param name="card">One of <see cref="Names"/>.</param>
    /// <param name="threads">Threads that run its blocks; 0 is one per processor.</param>
    /// <param name="isChecked">Whether all checks are on; else only those that cost little.</param>
    public static CudaDriver Driver(string card, int threads, bool isChecked) =>
        Drivers.GetOrAdd((card, threads, isChecked), static key => new(() =>
    {
        var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [Kinds.Single(k => k.Name == key.Card).Kind],
            Execution = new VirtualDeviceOptions
            {
                Checks = key.IsChecked,
                CountMemory = false,
                Workers = key.Threads == 0 ? Environment.ProcessorCount : key.Threads,
            },
        });
        return (driver, new CudaDriver(driver.Name, driver.Export));
    })).Value.Functions;
}
