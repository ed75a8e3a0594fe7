using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// Every kernel that ships on the shapes of <see cref="LaunchCases"/>, those of released models where it has some: two blocks of each
/// launch with all checks of what happens within a block, twice, with warps, copies and products in different orders. No fault, and the
/// same bits.
/// </summary>
public sealed class CheckedLaunchTests
{
    [Theory]
    [MemberData(nameof(Cases))]
    public void Two_orders_give_the_same_bits(int index)
    {
        LaunchCase c = LaunchCases.All[index];
        byte[][] first = Run(c, 1), second = Run(c, 2);
        Assert.NotEmpty(first);
        Assert.True(first.Any(r => r.AsSpan().ContainsAnyExcept(LaunchGraph.Canary)), $"{c.What}: nothing was written.");
        for (int n = 0; n < first.Length; n++) Assert.True(first[n].AsSpan().SequenceEqual(second[n]), c.What);
    }

    public static TheoryData<int> Cases() => [.. Enumerable.Range(0, LaunchCases.All.Count)];

    private static byte[][] Run(LaunchCase c, int seed)
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [VirtualDeviceKind.H100], MappingGranularity = 1 << 16,
            Execution = new VirtualDeviceOptions { CountMemory = false, SampleBlocks = 2, Seed = seed },
        });
        using IBackend backend =
            new CudaDevice(VirtualGpus.DriverOf(driver)) { Precision = c.Precision, Hopper = c.Hopper, ZOrder = c.ZOrder }.Open();
        var graph = new LaunchGraph(c.Precision, isNoise: true);
        return graph.Run(backend, c.Record(graph), c.IsFloat);
    }
}
