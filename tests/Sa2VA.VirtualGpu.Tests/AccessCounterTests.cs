using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Sectors and wavefronts of the access patterns that kernels are built on.</summary>
public sealed class AccessCounterTests
{
    private static ulong[] Lanes(Func<int, int> address) => [.. Enumerable.Range(0, 32).Select(l => (ulong)address(l))];

    [Theory]
    [InlineData(4, 4, 1)]
    [InlineData(0, 4, 1)]
    [InlineData(8, 4, 2)]
    [InlineData(128, 4, 32)]
    [InlineData(132, 4, 1)]
    [InlineData(2, 2, 1)]
    [InlineData(8, 8, 2)]
    [InlineData(16, 16, 4)]
    [InlineData(128, 16, 32)]
    [InlineData(144, 16, 4)]
    public void A_stride_takes_turns_at_the_banks(int stride, int bytes, int wavefronts) =>
        Assert.Equal(wavefronts, AccessCounter.Wavefronts(Lanes(l => l * stride), bytes));

    [Theory]
    [InlineData(4, 4)]
    [InlineData(0, 1)]
    [InlineData(32, 32)]
    [InlineData(16, 16)]
    [InlineData(2, 2)]
    public void A_stride_touches_sectors(int stride, int sectors) => Assert.Equal(sectors, AccessCounter.Sectors(Lanes(l => l * stride)));
}
