using Sa2VA.Core;

namespace Sa2VA.Tests;

public class ElementwiseTests
{
    public static TheoryData<int, int> Shapes => new() { { 1, 1 }, { 4, 3 }, { 3, 15 }, { 2, 17 }, { 5, 64 }, { 31, 331 }, { 6, 4864 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Map(int rows, int width)
    {
        float[] x = TestValues.Random(1, (long)rows * width, 9);
        foreach (Activation f in Enum.GetValues<Activation>())
        {
            double[] reference = [.. x.Select(v => Reference.Activate((double)v, f) * 20 - 10)];
            float[] naive = [.. x.Select(v => Reference.Activate(v, f) * 20 - 10)];
            new GuardedOp().Floats(new Shape(rows, width), x)
                .Follows(reference, naive, $"{f} of {rows}×{width}", (g, t) => g.Map(t[0], f, 20, -10));
        }
    }

    [Fact]
    public void Activations_keep_their_limits()
    {
        // Far out there is nothing to round: 0 below, x or 1 above, and no NaN on the way.
        float[] x = [-100, -1e30f, float.MinValue, 0, 100, 1e30f, float.MaxValue];
        float[] ramp = [0, 0, 0, 0, 100, 1e30f, float.MaxValue];
        foreach (Activation f in (Activation[])[Activation.Relu, Activation.Gelu, Activation.GeluTanh, Activation.Silu])
            new GuardedOp().Floats(new Shape(7, 1), x).Gives(ramp, (g, t) => g.Map(g.Map(t[0], f), Activation.Relu));
        new GuardedOp().Floats(new Shape(7, 1), x).Gives([0, 0, 0, 0.5f, 1, 1, 1], (g, t) => g.Map(t[0], Activation.Sigmoid));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Combine(int rows, int width)
    {
        float[] a = TestValues.Random(1, (long)rows * width, 4), b = TestValues.Random(2, (long)rows * width, 4);
        var shape = new Shape(rows, width);
        new GuardedOp().Floats(shape, a).Floats(shape, b).Gives<float>([.. a.Zip(b, (x, y) => x + y)], (g, t) => g.Add(t[0], t[1]));
        new GuardedOp().Floats(shape, a).Floats(shape, b).Gives<float>([.. a.Zip(b, (x, y) => x * y)], (g, t) => g.Multiply(t[0], t[1]));
        new GuardedOp().Floats(shape, a).Floats(shape, b)
            .Follows([.. a.Zip(b, (x, y) => Reference.Activate((double)x, Activation.Silu) * y)],
            [.. a.Zip(b, (x, y) => Reference.Activate(x, Activation.Silu) * y)], $"SwiGLU {rows}×{width}", (g, t) => g.SwiGlu(t[0], t[1]));
    }

    [Fact]
    public void Rows_of_the_second_operand_repeat()
    {
        float[] a = TestValues.Random(1, 6 * 19), b = TestValues.Random(2, 2 * 19);
        new GuardedOp().Floats(new Shape(6, 19), a).Floats(new Shape(2, 19), b)
            .Gives<float>([.. a.Select((v, i) => v + b[i % 38])], (g, t) => g.Add(t[0], t[1]));
        new GuardedOp().Floats(new Shape(3, 2, 19), a).Floats(new Shape(19), b[..19])
            .Gives<float>([.. a.Select((v, i) => v * b[i % 19])], (g, t) => g.Multiply(t[0], t[1]));
    }

    [Theory]
    [InlineData(0.001f, true)]
    [InlineData(0f, false)]
    [InlineData(-3f, false)]
    public void Where_takes_the_first_alternative_above_zero(float condition, bool first)
    {
        float[] a = TestValues.Random(1, 37), b = TestValues.Random(2, 37);
        new GuardedOp().Floats(new Shape(1), [condition]).Floats(new Shape(1, 37), a).Floats(new Shape(1, 37), b)
            .Gives(first ? a : b, (g, t) => g.Where(t[0], t[1], t[2]));
    }

    [Fact]
    public void Copy_converts_between_float_types()
    {
        float[] x = [.. TestValues.Random(1, 16 * 33),
            .. (float[])[0, -0f, 1e-8f, 6e-8f, 65504, 65520, 1e9f, -1e9f, 3.3895314e38f, float.MaxValue, float.PositiveInfinity,
            float.NegativeInfinity, 1e-40f, 1, 2, 3]];
        var shape = new Shape(16 * 33 + 16, 1);
        new GuardedOp().Floats(shape, x).Gives<ushort>([.. x.Select(v => BFloat16.FromSingle(v).Bits)], (g, t) => g.Copy(t[0], DType.BF16));
        new GuardedOp().Floats(shape, x)
            .Gives<ushort>([.. x.Select(v => BitConverter.HalfToUInt16Bits((Half)v))], (g, t) => g.Copy(t[0], DType.F16));
        var row = new Shape(2, x.Length / 2);
        new GuardedOp().Floats(row, x).Gives<float>([.. x.Select(BFloat16.Round)], (g, t) => g.Copy(g.Copy(t[0], DType.BF16), DType.F32));
        new GuardedOp().Floats(row, x)
            .Gives<float>([.. x.Select(v => (float)(Half)v)], (g, t) => g.Copy(g.Copy(t[0], DType.F16), DType.F32));
        new GuardedOp().Floats(row, x).Gives<float>([.. x.Select(v => (float)(Half)BFloat16.Round(v))],
            (g, t) => g.Copy(g.Copy(g.Copy(t[0], DType.BF16), DType.F16), DType.F32));
    }

    [Fact]
    public void Copy_rounds_every_kind_of_number_to_BF16()
    {
        // Just below, at and just above each half-way point, of every sign, exponent and NaN.
        float[] x = [.. from upper in Enumerable.Range(0, 1 << 16).Where(u => u % 7 == 0 || u % 128 >= 126)
            from lower in (int[])[0, 1, 0x7fff, 0x8000, 0x8001, 0xffff]
            select BitConverter.Int32BitsToSingle(upper << 16 | lower)];
        new GuardedOp().Floats(new Shape(2, x.Length / 2), x)
            .Gives<ushort>([.. x.Select(v => BFloat16.FromSingle(v).Bits)], (g, t) => g.Copy(t[0], DType.BF16));
    }

    [Fact]
    public void Copy_makes_a_view_contiguous()
    {
        float[] x = TestValues.Random(1, 50 * 700);
        float[] expected = [.. Enumerable.Range(0, 40 * 600).Select(i => x[(i / 600 + 7) * 700 + 51 + i % 600])];
        new GuardedOp().Floats(new Shape(50, 700), x).Gives(expected, (g, t) => g.Copy(g.SliceChannels(g.SliceRows(t[0], 7, 40), 51, 600)));
    }

    [Fact]
    public void Normalize_looks_every_level_up()
    {
        byte[] image = [.. Enumerable.Range(0, 7 * 111 * 3).Select(i => (byte)(i * 37 + i / 256))];
        float[] table = TestValues.Random(1, 768);
        new GuardedOp().Bytes(new Shape(7, 111, 3), image).Gives<float>([.. image.Select((level, i) => table[i % 3 * 256 + level])],
            (g, t) => g.Normalize(t[0], g.Constant("table", new Shape(3, 256), table)));
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(4, 15, 16)]
    [InlineData(4, 1000, 32)]
    [InlineData(3, 17, 331)]
    [InlineData(13, 2, 15)]
    public void MatMul(int m, int n, int k)
    {
        float[] a = TestValues.Random(1, m * k), b = TestValues.Random(2, n * k);
        var reference = new double[m * n];
        var naive = new float[m * n];
        for (int i = 0; i < m * n; i++)
            for (int l = 0; l < k; l++)
            {
                reference[i] += (double)a[i / n * k + l] * b[i % n * k + l];
                naive[i] += a[i / n * k + l] * b[i % n * k + l];
            }
        new GuardedOp().Floats(new Shape(m, k), a).Floats(new Shape(n, k), b)
            .Follows(reference, naive, $"{m}×{n}×{k}", (g, t) => g.MatMul(t[0], t[1]));
    }
}
