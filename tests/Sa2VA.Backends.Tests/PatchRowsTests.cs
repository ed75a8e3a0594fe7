using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// Tokens of an 8-bit image: a convolution behind a look-up, which a backend may make of patch rows (<see cref="PatchRows"/>).
/// </summary>
public class PatchRowsTests
{
    // Levels that 16 bits hold, so that the rule of one rounding applies to the whole.
    private static readonly float[] Table = [.. TestValues.Random(5, 768, 2).Select(BFloat16.Round)];

    /// <summary>Height, width, outputs, kernel, stride, padding, and whether a map is added.</summary>
    public static TheoryData<int, int, int, int, int, int, bool> Shapes => new()
    {
        { 70, 56, 40, 14, 14, 0, false },
        { 24, 24, 144, 7, 4, 3, true },
        { 9, 17, 31, 7, 4, 3, true },
        { 5, 4, 6, 3, 2, 1, false },
        { 2, 3, 5, 7, 4, 3, false },
        // Half of the patches do not reach the last line and column.
        { 19, 31, 24, 4, 4, 0, true },
        { 1, 1, 1, 1, 1, 0, false },
        // More than one block of parts.
        { 112, 140, 20, 14, 14, 0, false },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void They_follow_the_rule(int height, int width, int outputs, int kernel, int stride, int padding, bool isAdded)
    {
        var of = new Convolution(1, height, width, outputs, kernel, stride, padding);
        (double[] reference, float[] naive) = of.Result();
        float[] map = isAdded ? TestValues.Random(7, naive.Length) : [];
        for (int i = 0; i < map.Length; i++) (reference[i], naive[i]) = (reference[i] + map[i], naive[i] + map[i]);
        new GuardedOp(of.Weights).Bytes(new Shape(height, width, 3), of.Image).Follows(reference, naive, $"tokens of {height}×{width}",
            (g, t) =>
            {
                Tensor y = of.Record(g, t[0], isApart: false);
                return isAdded ? g.Add(y, g.Constant("positions", y.Shape, map)) : y;
            });
    }

    [Fact]
    public void Images_of_a_batch_follow_it_too()
    {
        var of = new Convolution(3, 10, 13, 8, 7, 4, 3);
        (double[] reference, float[] naive) = of.Result();
        int valid = naive.Length / 3 * 2;
        new GuardedOp(of.Weights).Bytes(new Shape(3, 10, 13, 3), of.Image).Scalar("images", 3, 2)
            .Follows(reference[..valid], naive[..valid], "tokens of two images of three",
                (g, t, s) => of.Record(g, g.Reshape(t[0], t[0].Shape, s[0]), isApart: false));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void They_have_the_bits_of_a_normalised_image_that_is_convolved(
        int height, int width, int outputs, int kernel, int stride, int padding, bool isAdded)
    {
        var of = new Convolution(1, height, width, outputs, kernel, stride, padding);
        var run = new OpRun(of.Weights, [new GuardedInput(DType.U8, new Shape(height, width, 3), of.Image)], []);
        int count = of.Result().Naive.Length;
        foreach (TestBackend configuration in TestBackend.All)
            foreach (Precision precision in Enum.GetValues<Precision>())
            {
                using IBackend backend = configuration.ForOneOp(precision);
                float[] y = run.Twice<float>(backend, (g, t, _) => g.Concat([Rows(g, t[0], false), Rows(g, t[0], true)]), 2 * count);
                OpRun.AssertSameBits(y[count..], y[..count], $"with {configuration.Name} in {precision}");
            }

        Tensor Rows(GraphBuilder g, Tensor image, bool isApart)
        {
            Tensor tokens = of.Record(g, image, isApart);
            if (isAdded)
            {
                Tensor positions = g.Constant("positions", tokens.Shape, TestValues.Random(7, count));
                tokens = g.Add(isApart ? g.Reshape(g.Copy(tokens), tokens.Shape) : tokens, positions);
            }
            return g.Reshape(tokens, new Shape(count / outputs, outputs));
        }
    }

    private sealed class Convolution
    {
        private readonly int _images, _height, _width, _outputs, _kernel, _stride, _padding;
        private readonly float[] _filter, _bias;

        public Convolution(int images, int height, int width, int outputs, int kernel, int stride, int padding)
        {
            (_images, _height, _width, _outputs, _kernel) = (images, height, width, outputs, kernel);
            (_stride, _padding) = (stride, padding);
            _filter = Weights.Add("c.weight", DType.BF16, new Shape(outputs, 3, kernel, kernel),
                TestValues.Random(1, outputs * 3 * kernel * kernel, 0.3f));
            _bias = Weights.Add("c.bias", DType.F32, new Shape(outputs), TestValues.Random(2, outputs));
            Image = new byte[images * height * width * 3];
            new Random(3).NextBytes(Image);
        }

        public TestWeights Weights { get; } = new();

        public byte[] Image { get; }

        public Tensor Record(GraphBuilder g, Tensor image, bool isApart)
        {
            Tensor pixels = g.Normalize(image, g.Constant("table", new Shape(3, 256), Table));
            return g.Conv2d(isApart ? g.Copy(pixels) : pixels, g.At("c"), _outputs, _kernel, _stride, _padding);
        }

        public (double[] Reference, float[] Naive) Result()
        {
            int h = (_height + 2 * _padding - _kernel) / _stride + 1, v = (_width + 2 * _padding - _kernel) / _stride + 1;
            var reference = new double[_images * h * v * _outputs];
            var naive = new float[reference.Length];
            for (int i = 0; i < reference.Length; i++)
            {
                int o = i % _outputs, pixel = i / _outputs, image = pixel / (h * v);
                int top = pixel / v % h * _stride - _padding, left = pixel % v * _stride - _padding;
                for (int t = 0; t < _kernel * _kernel; t++)
                {
                    int row = top + t / _kernel, column = left + t % _kernel;
                    if (row < 0 || row >= _height || column < 0 || column >= _width) continue;
                    for (int c = 0; c < 3; c++)
                    {
                        float a = Table[c * 256 + Image[((image * _height + row) * _width + column) * 3 + c]];
                        float f = _filter[(o * 3 + c) * _kernel * _kernel + t];
                        reference[i] += (double)a * f;
                        naive[i] += a * f;
                    }
                }
                reference[i] += _bias[o];
                naive[i] += _bias[o];
            }
            return (reference, naive);
        }
    }
}
