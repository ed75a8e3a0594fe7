using System.Globalization;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.Tests;

/// <summary>What cards would take for launches of every kernel, modelled: lines of <c>benchmarks/results/modelled-cases.txt</c>.</summary>
internal static class ModelledLaunches
{
    // As `bench` calls it.
    private const double FewBlocks = 0.75;

    // The first that launches a kernel chooses its case.
    private static readonly (string Name, VirtualDeviceKind Kind)[] Cards =
    [
        ("h100", VirtualDeviceKind.H100), ("a100", VirtualDeviceKind.A100), ("rtx4090", VirtualDeviceKind.Rtx4090),
        ("h200", VirtualDeviceKind.H200),
    ];

    private static readonly TimeLimit[] Resources =
    [
        TimeLimit.Tensor, TimeLimit.SharedMemory, TimeLimit.SpecialFunction, TimeLimit.Float, TimeLimit.Integer, TimeLimit.Issue,
        TimeLimit.L2, TimeLimit.Dram,
    ];

    /// <summary>Says what the words of a line are.</summary>
    public const string Heading = "# kernel, card, microseconds, what binds it, percent of the time for which tensor cores, the pipe of "
        + "shared memory, special functions, float units, integer units, issue slots, L2 and device memory are busy, threads of a "
        + "block, bytes of its shared memory, case where it is not the kernel's first. Modelled; written by ModelledLaunchTests.";

    /// <summary>
    /// A line for each kernel and card that launches it, of the case that takes longest on the first such card, or longest here where the
    /// kernel is not taken for that.
    /// </summary>
    public static IEnumerable<string> Lines()
    {
        ModelledLaunch[] all = [.. Cards.SelectMany(c => Of(c.Name, c.Kind))];
        string[] names = [.. KernelFiles.Kernels.Select(k => k.Name)];
        return
        [
            Heading,
            .. from launch in all
               group launch by launch.Record.Kernel into kernel
               orderby Array.IndexOf(names, kernel.Key)
               let first = Longest(kernel.Where(l => l.Card == kernel.First().Card))
               from card in kernel.GroupBy(l => l.Card)
               let here = card.Where(l => l.What == first.What)
               let longest = Longest(here.Any() ? here : card)
               select Line(longest, longest == first || longest.What != first.What),
        ];
    }

    private static ModelledLaunch Longest(IEnumerable<ModelledLaunch> launches) => launches.MaxBy(l => l.Record.Time!.Seconds)!;

    private static string Line(ModelledLaunch launch, bool namesCase)
    {
        (LaunchRecord record, ModelledTime time) = (launch.Record, launch.Record.Time!);
        string limit = time.Limit != TimeLimit.Latency ? $"{time.Limit}" : time.Occupied < FewBlocks ? "Few" : $"Wait{time.Busiest}";
        IEnumerable<string> busy = Resources.Select(r => $"{100 * time.Shares.GetValueOrDefault(r):0}");
        return string.Create(CultureInfo.InvariantCulture, $"{record.Kernel} {launch.Card} {1e6 * time.Seconds:0.0} {limit} ")
            + string.Create(CultureInfo.InvariantCulture, $"{string.Join(' ', busy)} {record.Block.X * record.Block.Y * record.Block.Z} ")
            + $"{record.SharedBytes}{(namesCase ? $" {launch.What}" : "")}";
    }

    private static IEnumerable<ModelledLaunch> Of(string card, VirtualDeviceKind kind)
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [kind], MappingGranularity = 1 << 16, LogLaunches = true, ModelTimes = true, Registers = KernelResources.Registers,
            Execution = new VirtualDeviceOptions { Checks = false, ExactProducts = false, SampleBlocks = 4, WholeGrids = 4 },
        });
        CudaDriver functions = VirtualGpus.DriverOf(driver);
        int taken = 0;
        foreach (LaunchCase c in LaunchCases.All)
        {
            c.Launch(functions);
            foreach (LaunchRecord launch in driver.Launches.Skip(taken)) yield return new(card, c.What, launch);
            taken = driver.Launches.Count;
        }
        CountedLaunches.Queues(functions);
        foreach (LaunchRecord launch in driver.Launches.Skip(taken)) yield return new(card, "a copy between queues", launch);
    }

    private sealed record ModelledLaunch(string Card, string What, LaunchRecord Record);
}
