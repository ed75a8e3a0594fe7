using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>The rule by which a Hopper card sums sixteen products and an accumulator, on sums that tell it from its neighbours.</summary>
public sealed unsafe class TensorCoreTests
{
    private static float Dot(float accumulator, params (float X, float Y)[] products)
    {
        float* x = stackalloc float[16], y = stackalloc float[16 * 8];
        for (int k = 0; k < products.Length; k++) (x[k], y[8 * k]) = products[k];
        return TensorCore.Dot(x, y, accumulator, 16);
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

    [Fact]
    public void Eight_at_a_time_are_cut_in_between()
    {
        // 2⁻²⁵ once and then three times: a bit of 1 only where all four are added together.
        float* x = stackalloc float[16 * 16], powers = stackalloc float[16 * 16];
        float* y = stackalloc float[16 * 8], sums = stackalloc float[16 * 8];
        new Span<float>(x, 256).Fill(MathF.ScaleB(1, -12));
        for (int n = 0; n < 128; n++) y[n] = n / 8 is 0 or 8 or 9 or 10 ? MathF.ScaleB(1, -13) : 0;
        foreach ((int terms, float expected) in new[] { (16, 1 + MathF.ScaleB(1, -23)), (8, 1) })
        {
            new Span<float>(sums, 128).Fill(1);
            Assert.True(TensorCore.TryPowers(x, powers, 256));
            TensorCore.Exact(x, powers, y, sums, terms);
            Assert.All(new Span<float>(sums, 128).ToArray(), sum => Assert.Equal(expected, sum));
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => new VirtualDeviceOptions { ProductTerms = 4 });
    }

    [Theory]
    [InlineData(16)]
    [InlineData(8)]
    public void A_matrix_has_the_bits_of_its_sums_one_by_one(int terms)
    {
        var random = new Random(1);
        float* a = stackalloc float[16 * 16], powers = stackalloc float[16 * 16];
        float* b = stackalloc float[16 * 8], d = stackalloc float[16 * 8], sums = stackalloc float[16 * 8];
        for (int run = 0; run < 3000; run++)
        {
            // Ordinary numbers, large and small ones, zeros, the largest fractions of one sign, denormals, what is not finite.
            int spread = (run % 6) switch { 0 => 1, 1 => 12, 2 => 40, 3 => 0, 4 => 70, _ => 30 }, accumulators = run / 6 % 4 * 40;
            for (int n = 0; n < 16 * 16; n++) a[n] = Number(spread);
            for (int n = 0; n < 8 * 16; n++) b[n] = Number(spread);
            for (int n = 0; n < 16 * 8; n++)
            {
                float x = MathF.ScaleB(random.NextSingle() * 2 - 1, random.Next(-accumulators, accumulators + 1));
                d[n] = random.Next(8) == 0 ? 0 : spread == 0 ? MathF.Abs(x) + 1 : x;
                if (run % 50 == 49 && random.Next(100) == 0) d[n] = float.Epsilon * random.Next(100);
            }
            if (run % 100 == 99) a[random.Next(256)] = random.Next(2) == 0 ? float.NaN : float.PositiveInfinity;
            if (run % 100 == 98) d[random.Next(128)] = float.NegativeInfinity;
            if (run % 100 == 97) a[random.Next(256)] = float.Epsilon;
            for (int n = 0; n < 16 * 8; n++)
            {
                sums[n] = d[n];
                for (int k = 0; k < 16; k += terms) sums[n] = TensorCore.Dot(a + n / 8 * 16 + k, b + n % 8 + 8 * k, sums[n], terms);
            }
            TensorCore.Exact(a, TensorCore.TryPowers(a, powers, 16 * 16) ? powers : null, b, d, terms);
            for (int n = 0; n < 16 * 8; n++)
                Assert.Equal(BitConverter.SingleToUInt32Bits(sums[n]), BitConverter.SingleToUInt32Bits(d[n]));
        }

        // As bfloat16 has it.
        float Number(int exponents) => exponents == 0 ? 255 / 128f : random.Next(10) == 0 ? 0
            : MathF.ScaleB((random.Next(128) + 128) / 128f * (1 - 2 * random.Next(2)), random.Next(-exponents, exponents + 1));
    }
}
