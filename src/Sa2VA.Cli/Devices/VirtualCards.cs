using System.Collections.Concurrent;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

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
    private static readonly ConcurrentDictionary<(string Card, int Threads), Lazy<(VirtualDriver, CudaDriver Functions)>> Drivers = [];

    /// <summary>The cards' names; the first is the usual one.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Kinds.Select(k => k.Name)];

    /// <summary>The driver of one such card, all checks on.</summary>
    /// <param name="card">One of <see cref="Names"/>.</param>
    /// <param name="threads">Threads that run its blocks; 0 is one per processor.</param>
    public static CudaDriver Driver(string card, int threads) => Drivers.GetOrAdd((card, threads), static key => new(() =>
    {
        var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [Kinds.Single(k => k.Name == key.Card).Kind],
            Execution = new VirtualDeviceOptions
            {
                CountMemory = false,
                Workers = key.Threads == 0 ? Environment.ProcessorCount : key.Threads,
            },
        });
        return (driver, new CudaDriver(driver.Name, driver.Export));
    })).Value.Functions;
}
