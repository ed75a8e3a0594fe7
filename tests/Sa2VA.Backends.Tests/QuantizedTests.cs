using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// Products with weights of 8 and 4 bits: every backend gives, bit for bit, what it gives in BF16 for the numbers that the codes stand for,
/// and those are worked out here once more, by the definition.
/// </summary>
public class QuantizedTests
{
    private delegate Tensor Recorder(GraphBuilder g, Tensor x);

    /// <summary>Rows, outputs, inputs.</summary>
    public static TheoryData<int, int, int, Precision> Shapes()
    {
        var data = new TheoryData<int, int, int, Precision>();
        foreach (Precision precision in (Precision[])[Precision.Int8, Precision.Int4])
        {
            // Depths that are no chunks, that end within a stage or a group; few and many rows.
            data.Add(1, 1, 1, precision);
            data.Add(3, 33, 131, precision);
            data.Add(17, 40, 136, precision);
            data.Add(1, 70, 520, precision);
            data.Add(16, 37, 904, precision);
            data.Add(40, 65, 264, precision);
            // The released models' depths.
            data.Add(1, 131, 896, precision);
            data.Add(5, 24, 4864, precision);
            data.Add(2, 150, 2048, precision);
            data.Add(1, 16, 11008, precision);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Linear(int rows, int columns, int depth, Precision precision)
    {
        Product product = new(rows, columns, depth, precision);
        (float[] w, float[] b) = (product.Stands, product.Bias);
        var reference = new double[rows * columns];
        var naive = new float[reference.Length];
        for (int i = 0; i < reference.Length; i++)
        {
            (int row, int column) = (i / columns, i % columns);
            for (int k = 0; k < depth; k++)
            {
                reference[i] += (double)product.X[row * depth + k] * w[column * depth + k];
                naive[i] += product.X[row * depth + k] * w[column * depth + k];
            }
            reference[i] += b[column];
            naive[i] += b[column];
        }
        product.Check<float>(DType.BF16, (g, x) => g.Linear(x, g.Weight("w"), g.Weight("b")),
            y => Float64Rule.Check(reference, naive, y, $"{rows}×{columns}×{depth} {precision}"));
    }

    [Theory]
    [MemberData(nameof(Shapes))]
    public void GatedLinear(int rows, int columns, int depth, Precision precision) =>
        new Product(rows, columns, depth, precision).Check<float>(DType.BF16,
            (g, x) => g.SwiGlu(g.Linear(x, g.Weight("w")), g.Linear(x, g.Weight("w2"))));

    [Theory]
    [InlineData(1, 70, 264)]
    [InlineData(4, 131, 896)]
    [InlineData(16, 33, 2048)]
    [InlineData(3, 33, 131)]
    [InlineData(17, 40, 136)]
    public void LinearArgMax_of_floats(int rows, int columns, int depth) =>
        new Product(rows, columns, depth, Precision.Int8).Check<int>(DType.F32, (g, x) => g.ArgMax(g.Linear(x, g.Weight("w"))));

    [Theory]
    [InlineData(3, 40, 72)]
    public void LinearArgMax_of_BF16(int rows, int columns, int depth) =>
        new Product(rows, columns, depth, Precision.Int8).Check<int>(DType.BF16, (g, x) => g.ArgMax(g.Linear(x, g.Weight("w"))));

    [Theory]
    [InlineData(Precision.Int8)]
    [InlineData(Precision.Int4)]
    public void A_row_has_the_bits_alone_that_it_has_among_sixteen(Precision precision)
    {
        const int Rows = 16, Columns = 45, Depth = 776;
        Product product = new(Rows, Columns, Depth, precision);
        foreach (TestBackend configuration in TestBackend.All)
        {
            float[] y = product.Run<float>(configuration, precision, DType.BF16, false, (g, x) => g.Concat(
                [Product(g, x), Product(g, g.SliceRows(x, 11, 1))]), (Rows + 1) * Columns);
            Assert.Equal(y[(11 * Columns)..(12 * Columns)], y[(Rows * Columns)..]);
        }

        static Tensor Product(GraphBuilder g, Tensor x) => g.Linear(x, g.Weight("w"), g.Weight("b"));
    }

    [Fact]
    public void What_may_not_be_quantised_is_BF16()
    {
        Product product = new(3, 20, 136, Precision.Int4);
        foreach (TestBackend configuration in TestBackend.All)
        {
            float[] coarse = Run(Precision.Int4, 4), eight = Run(Precision.Int4, 8), plain = Run(Precision.Int4, 16);
            Assert.Equal(Run(Precision.BFloat16, 4), plain);
            Assert.Equal(Run(Precision.Int8, 4), eight);
            Assert.NotEqual(plain, eight);
            Assert.NotEqual(eight, coarse);

            float[] Run(Precision precision, int least) =>
                product.Run<float>(configuration, precision, DType.BF16, false, (g, x) => g.Linear(x, g.Weight("w")), 3 * 20, least);
        }
    }

    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    public void Codes_and_scales_are_those_of_the_definition(int bits)
    {
        int most = 1 << (bits - 1);
        // A group whose extreme is positive, one whose is negative, zeros, and a short one of a number too small for a scale.
        float[] row = [.. TestValues.Random(1, 128), .. TestValues.Random(2, 128), .. new float[128], 1e-42f, -1e-43f];
        (row[5], row[130]) = (1.5f, -3);
        // Ties go to the even code.
        (row[6], row[7]) = (0.5f * 1.5f / -most, 1.5f * 1.5f / -most);
        var codes = new sbyte[row.Length];
        var scales = new BFloat16[4];
        GroupQuantization.Quantize(row, bits, codes, scales);
        Assert.Equal([1.5f / -most, 3f / most, 0], scales[..3].Select(s => s.ToSingle()));
        Assert.Equal((-most, -most, 0, 2), (codes[5], codes[130], codes[6], codes[7]));
        Assert.All(codes[256..384], c => Assert.Equal(0, c));
        Assert.Equal(Product.Standing(row, row.Length, bits)[..256],
            Enumerable.Range(0, 256).Select(k => GroupQuantization.Value(codes[k], scales[k / 128]).ToSingle()));
    }

    /// <summary>Numbers of a product, and what its weights stand for.</summary>
    private sealed class Product
    {
        private readonly TestWeights _weights = new(), _standing = new();
        private readonly Precision _precision;
        private readonly Shape _x;
        private readonly int _columns;

        public Product(int rows, int columns, int depth, Precision precision)
        {
            (_precision, _x, _columns) = (precision, new Shape(rows, depth), columns);
            X = [.. TestValues.Random(1, (long)rows * depth).Select(BFloat16.Round)];
            Bias = _weights.Add("b", DType.F32, new Shape(columns), TestValues.Random(2, columns));
            _standing.Add("b", DType.F32, new Shape(columns), Bias);
            DType stored = columns % 2 == 0 ? DType.BF16 : DType.F32;
            Stands = Add("w", stored, 3);
            Add("w2", stored, 4);

            float[] Add(string name, DType type, int seed)
            {
                var shape = new Shape(columns, depth);
                float[] stored = _weights.Add(name, type, shape, TestValues.Random(seed, shape.Count));
                return _standing.Add(name, DType.BF16, shape, Standing(stored, depth, precision.WeightBits()));
            }
        }

        public float[] X { get; }

        public float[] Bias { get; }

        public float[] Stands { get; }

        /// <summary>What the definition makes of a matrix.</summary>
        public static float[] Standing(float[] stored, int depth, int bits)
        {
            int most = 1 << (bits - 1);
            return [.. stored.Chunk(depth).SelectMany(row => row.Chunk(128)).SelectMany(group =>
            {
                float scale = BFloat16.Round(group.MaxBy(MathF.Abs) / -most);
                return group.Select(w => scale == 0 ? 0 : BFloat16.Round(
                    Math.Min(most - 1, Math.Max(-most, MathF.Round(w / scale, MidpointRounding.ToEven))) * scale));
            })];
        }

        /// <summary>All configurations give what they give in BF16 for the numbers that the weights stand for.</summary>
        public void Check<T>(DType type, Recorder record, Action<T[]>? check = null) where T : unmanaged
        {
            T[]? first = null;
            foreach (TestBackend configuration in TestBackend.All)
            {
                int count = typeof(T) == typeof(int) ? (int)_x.Rows : (int)_x.Rows * _columns;
                T[] y = Run<T>(configuration, _precision, type, false, record, count);
                OpRun.AssertSameBits(Run<T>(configuration, Precision.BFloat16, type, true, record, count), y,
                    $"in {_precision} with {configuration.Name}");
                if (first is null) check?.Invoke(first = y);
            }
        }

        /// <summary>The product on a backend.</summary>
        /// <param name="configuration">The backend.</param>
        /// <param name="precision">Its precision.</param>
        /// <param name="type">x's type.</param>
        /// <param name="isStanding">True for the numbers that its weights stand for.</param>
        /// <param name="record">The op.</param>
        /// <param name="count">Numbers of the result.</param>
        /// <param name="least">Fewest bits that weights may have.</param>
        public T[] Run<T>(TestBackend configuration, Precision precision, DType type, bool isStanding, Recorder record, int count,
            int least = 4) where T : unmanaged
        {
            var run = new OpRun(isStanding ? _standing : _weights, [new GuardedInput(type, _x, X)], []);
            using IBackend backend = configuration.ForOneOp(precision);
            return isStanding || configuration.RunsOnce ? run.Once<T>(backend, Record, count) : run.Twice<T>(backend, Record, count);

            Tensor Record(GraphBuilder g, Tensor[] t, RuntimeScalar[] s)
            {
                using GraphBuilder.BitsScope? scope = least < 16 ? g.AllowWeightBits(least) : null;
                return record(g, type == DType.BF16 ? g.Copy(t[0], DType.F32) : t[0]);
            }
        }
    }
}
