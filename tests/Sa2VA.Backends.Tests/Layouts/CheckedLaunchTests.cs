using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// Every kernel that ships on the shapes of <see cref="LaunchCases"/>, and on an A100 on those of <see cref="ReleasedLaunchCases"/>: two
/// blocks of each launch with all checks of what happens within a block, twice, with warps, copies and products in different orders. No
/// fault, and the same bits.
/// </summary>
public sealed class CheckedLaunchTests
{
    [Theory]
    [MemberData(nameof(Cases))]
    public void Two_orders_give_the_same_bits(int index) => Check(LaunchCases.All[index], VirtualDeviceKind.H100);

    [Theory]
    [MemberData(nameof(ReleasedCases))]
    public void Two_orders_give_the_same_bits_in_every_released_model(int index) =>
        Check(ReleasedLaunchCases.All[index], VirtualDeviceKind.A100);

    public static TheoryData<int> Cases() => [.. Enumerable.Range(0, LaunchCases.All.Count)];

    public static TheoryData<int> ReleasedCases() => [.. Enumerable.Range(0, ReleasedLaunchCases.All.Count)];

    private static void Check(LaunchCase c, VirtualDeviceKind card)
    {
        byte[][] first = Run(c, card, 1), second = Run(c, card, 2);
        Assert.NotEmpty(first);
        Assert.True(first.Any(r => r.AsSpan().ContainsAnyExcept(LaunchGraph.Canary)), $"{c.What}: nothing was written.");
        for (int n = 0; n < first.Length; n++) Assert.True(first[n].AsSpan().SequenceEqual(second[n]), c.What);
    }

    private static byte[][] Run(LaunchCase c, VirtualDeviceKind card, int seed)
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [card], MappingGranularity = 1 << 16,
            Execution = new VirtualDeviceOptions { CountMemory = false, SampleBlocks = 2, Seed = seed },
        });
        using IBackend backend =
            new CudaDevice(VirtualGpus.DriverOf(driver)) { Precision = c.Precision, Hopper = c.Hopper, ZOrder = c.ZOrder }.Open();
        var graph = new LaunchGraph(c.Precision, isNoise: true);
        return graph.Run(backend, c.Record(graph), c.IsFloat);
    }
}
