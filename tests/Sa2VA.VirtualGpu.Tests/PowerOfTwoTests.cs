using System.Runtime.Intrinsics;
using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>The polynomial against the library's function, in float64 and rounded to float32.</summary>
public sealed class PowerOfTwoTests
{
    [Fact]
    public void Is_the_librarys_to_a_few_units_and_as_float32_the_same()
    {
        var random = new Random(4);
        for (int run = 0; run < 20000; run++)
        {
            float x = (random.NextSingle() * 2 - 1) * (run % 2 == 0 ? 1 : 150);
            double expected = Math.Pow(2, x), found = PowerOfTwo.Of(x);
            Assert.InRange(found / expected - 1, -1e-15, 1e-15);
            Assert.Equal((float)expected, (float)found);
            Assert.Equal((float)found, PowerOfTwo.Of(Vector256.Create(x)).GetElement(run % 8));
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(-149, 1.40129846e-45f)]
    [InlineData(127, 1.70141183e38f)]
    [InlineData(128, float.PositiveInfinity)]
    [InlineData(float.PositiveInfinity, float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity, 0)]
    [InlineData(float.NaN, float.NaN)]
    public void At_the_edges(float x, float expected) => Assert.Equal(expected, (float)PowerOfTwo.Of(x));
}
