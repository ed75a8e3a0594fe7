using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>The rule by which a Hopper card sums sixteen products and an accumulator, on sums that tell it from its neighbours.</summary>
public sealed unsafe class TensorCoreTests
{
    private static float Dot(float accumulator, params (float X, float Y)[] products)
    {
        float* x = stackalloc float[16], y = stackalloc float[16];
        for (int k = 0; k < products.Length; k++) (x[k], y[k]) = products[k];
        return TensorCore.Dot(x, y, accumulator);
    }

    private static (float, float)[] Times(int count, int exponent, float sign = 1) =>
        [.. Enumerable.Repeat((sign * MathF.ScaleB(1, exponent / 2), MathF.ScaleB(1, exponent - exponent / 2)), count)];

    [Fact]
    public void Summands_keep_25_bits_below_the_largest()
    {
        Assert.Equal(1 + MathF.ScaleB(1, -23), Dot(1, Times(4, -25)));
        Assert.Equal(1, Dot(1, Times(8, -26)));
    }

    [Fact]
    public void Cuts_are_toward_zero()
    {
        Assert.Equal(1, Dot(1, Times(16, -26, -1)));
        Assert.Equal(-1, Dot(-1, Times(16, -26)));
        // The sum has 26 bits; the two that do not fit are cut, not rounded.
        Assert.Equal(1, Dot(1, Times(3, -25)));
        Assert.Equal(-1, Dot(-1, Times(3, -25, -1)));
    }

    [Fact]
    public void The_exponent_of_a_product_is_the_sum_of_its_factors()
    {
        // 1.5 · 1.5 counts as exponent 0 although it is 2.25.
        Assert.Equal(2.25f + MathF.ScaleB(1, -22), Dot(0, [(1.5f, 1.5f), .. Times(8, -25)]));
    }

    [Fact]
    public void Zeros_and_what_is_not_finite()
    {
        Assert.Equal(0u, BitConverter.SingleToUInt32Bits(Dot(0)));
        Assert.Equal(float.PositiveInfinity, Dot(0, (float.PositiveInfinity, 1)));
        Assert.Equal(0x7fffffffu, BitConverter.SingleToUInt32Bits(Dot(float.PositiveInfinity, (float.NegativeInfinity, 1))));
        Assert.Equal(0x7fffffffu, BitConverter.SingleToUInt32Bits(Dot(0, (float.PositiveInfinity, 0))));
    }
}
