using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Products of matrices.</summary>
internal static class ProductCases
{
    public static IEnumerable<OpCase> All =>
    [
        new LinearCase(1, 64, 40, Plain), new LinearCase(3, 37, 65, Full), new LinearCase(16, 256, 96, Full),
        new LinearCase(70, 147, 130, Plain), new LinearCase(6, 2048, 20, Full), new LinearCase(1, 2504, 9, Plain),
        .. Enum.GetValues<Activation>().Select(f => new LinearCase(9, 72, 48, new Epilogue(f, false, false))),
        new LinearCase(9, 72, 48, new Epilogue(Activation.Silu, false, true)),
        new LinearCase(9, 72, 48, new Epilogue(Activation.Relu, true, true)),
        new GatedLinearCase(1, 64, 32), new GatedLinearCase(17, 96, 70), new GatedLinearCase(5, 37, 65),
        new LinearArgMaxCase(1, 64, 500), new LinearArgMaxCase(5, 96, 131), new LinearArgMaxCase(3, 37, 200),
        new LinearArgMaxCase(2, 264, 70),
        .. ((int[])[1, 4, 7, 16]).Select(rows => new LinearArgMaxCase(rows, 520, 133) { KeepsFloat = true }),
        new MatMulCase(4, 17, 331), new MatMulCase(70, 65, 32),
        .. Tiles, .. HopperTiles, .. Codes,
    ];

    /// <summary>
    /// As few columns and rows as make a card of a hundred multiprocessors take each tile of tensor cores, with depths that end in one of
    /// its stages.
    /// </summary>
    private static IEnumerable<OpCase> Tiles =>
    [
        new LinearCase(1, 264, 2304, Plain, true), new LinearCase(1, 136, 5000, Full, true), new LinearCase(49, 72, 3456, Plain, true),
        new LinearCase(65, 72, 5000, Full, true), new LinearCase(200, 72, 5000, Full, true), new LinearCase(1500, 40, 1440, Full, true),
        new LinearCase(2000, 24, 2048, Full, true), new GatedLinearCase(250, 24, 8000, true), new GatedLinearCase(480, 24, 2300, true),
        new GatedLinearCase(1, 136, 2304, true), new GatedLinearCase(17, 72, 2304, true), new GatedLinearCase(17, 72, 4000, true),
        new GatedLinearCase(17, 24, 2304, true), new GatedLinearCase(65, 72, 5000, true), new LinearArgMaxCase(2500, 24, 260, true),
        // Few rows and a depth that is cut.
        new LinearCase(5, 520, 3200, Plain, true), new LinearCase(16, 1000, 1650, Full, true), new LinearCase(1, 776, 99, Full, true),
        new GatedLinearCase(3, 584, 1600, true), new GatedLinearCase(1, 1032, 70, true), new LinearArgMaxCase(2, 520, 300, true),
    ];

    /// <summary>
    /// The same for the tiles that an H100 or H200 takes where it is told to take its own wherever they can be: a wave of each.
    /// </summary>
    private static IEnumerable<OpCase> HopperTiles =>
    [
        new LinearCase(1800, 136, 130, Full, true), new LinearCase(260, 136, 5000, Full, true), new LinearCase(385, 128, 4700, Full, true),
        new LinearCase(385, 128, 5000, Plain, true), new LinearCase(513, 128, 5000, Full, true), new GatedLinearCase(385, 128, 2500, true),
    ];

    /// <summary>Weights in few bits: skinny tiles of both widths, numbers made of codes for many rows, rows that are no chunks.</summary>
    private static IEnumerable<OpCase> Codes =>
    [
        new LinearCase(5, 520, 3200, Plain) { LeastBits = 4 }, new LinearCase(16, 1000, 1650, Full) { LeastBits = 4 },
        new LinearCase(70, 264, 96, Full) { LeastBits = 4 }, new LinearCase(3, 147, 40, Plain) { LeastBits = 4 },
        new GatedLinearCase(3, 584, 1600) { LeastBits = 4 }, new GatedLinearCase(17, 136, 70) { LeastBits = 4 },
        .. ((int[])[1, 4, 16]).Select(rows => new LinearArgMaxCase(rows, 520, 133) { KeepsFloat = true, LeastBits = 8 }),
    ];

    private static Epilogue Plain => new(Activation.None, false, false);

    private static Epilogue Full => new(Activation.Gelu, true, true);

    /// <summary>What a product with its bias goes through.</summary>
    private readonly record struct Epilogue(Activation Activation, bool HasScale, bool HasResidual)
    {
        public override string ToString() => string.Concat(Activation == Activation.None ? "" : $", {Activation}",
            HasScale ? ", scale" : "", HasResidual ? ", residual" : "");
    }

    /// <summary>x·Wᵀ.</summary>
    public static T[] Product<T>(T[] x, T[] w, int depth) where T : IBinaryFloatingPointIeee754<T>
    {
        int rows = x.Length / depth, columns = w.Length / depth;
        var y = new T[rows * columns];
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<T> left = x.AsSpan(row * depth, depth);
            Span<T> sums = y.AsSpan(row * columns, columns);
            int column = 0;
            // Four sums at a time, as each waits for itself.
            for (; column + 4 <= columns; column += 4)
            {
                ReadOnlySpan<T> a = w.AsSpan(column * depth, depth), b = w.AsSpan((column + 1) * depth, depth),
                    c = w.AsSpan((column + 2) * depth, depth), d = w.AsSpan((column + 3) * depth, depth);
                T sumA = T.Zero, sumB = T.Zero, sumC = T.Zero, sumD = T.Zero;
                for (int k = 0; k < left.Length; k++)
                {
                    sumA += left[k] * a[k];
                    sumB += left[k] * b[k];
                    sumC += left[k] * c[k];
                    sumD += left[k] * d[k];
                }
                (sums[column], sums[column + 1], sums[column + 2], sums[column + 3]) = (sumA, sumB, sumC, sumD);
            }
            for (; column < columns; column++)
                for (int k = 0; k < depth; k++) sums[column] += left[k] * w[column * depth + k];
        }
        return y;
    }

    private sealed class LinearCase : OpCase
    {
        private readonly int _in, _out;
        private readonly Epilogue _epilogue;

        public LinearCase(int rows, int inFeatures, int outFeatures, Epilogue epilogue, bool isOfBFloat16Alone = false)
            : base(nameof(Linear), $"{rows}×{inFeatures}→{outFeatures}{epilogue}")
        {
            (_in, _out, _epilogue, IsOfBFloat16Alone) = (inFeatures, outFeatures, epilogue, isOfBFloat16Alone);
            Floats(new Shape(rows, inFeatures));
            Floats(new Shape(rows, outFeatures));
            Weight("linear.weight", new Shape(outFeatures, inFeatures), 0.3f);
            Weight("linear.bias", new Shape(outFeatures));
            Weight("scale", new Shape(outFeatures));
        }

        public override bool IsOfBFloat16Alone { get; }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Linear(x[0], g.At("linear"), _out,
            _epilogue.Activation, _epilogue.HasScale ? g.Weight("scale") : null, _epilogue.HasResidual ? x[1] : null);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] residual = x[1], bias = x.Weight("linear.bias"), scale = x.Weight("scale"),
                y = Product(x[0], x.Weight("linear.weight"), _in);
            for (int i = 0; i < y.Length; i++)
            {
                y[i] = RowCases.Activate(y[i] + bias[i % _out], _epilogue.Activation);
                if (_epilogue.HasScale) y[i] *= scale[i % _out];
                if (_epilogue.HasResidual) y[i] += residual[i];
            }
            return y;
        }
    }

    private sealed class GatedLinearCase : OpCase
    {
        private readonly int _in;

        public GatedLinearCase(int rows, int inFeatures, int outFeatures, bool isOfBFloat16Alone = false)
            : base(nameof(GatedLinear), $"{rows}×{inFeatures}→{outFeatures}")
        {
            (_in, IsOfBFloat16Alone) = (inFeatures, isOfBFloat16Alone);
            Floats(new Shape(rows, inFeatures));
            Weight("gate", new Shape(outFeatures, inFeatures), 0.3f);
            Weight("up", new Shape(outFeatures, inFeatures), 0.3f);
        }

        public override bool IsOfBFloat16Alone { get; }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.SwiGlu(g.Linear(x[0], g.Weight("gate")), g.Linear(x[0], g.Weight("up")));

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] gate = Product(x[0], x.Weight("gate"), _in), up = Product(x[0], x.Weight("up"), _in);
            return [.. gate.Select((v, i) => RowCases.Activate(v, Activation.Silu) * up[i])];
        }
    }

    private sealed class LinearArgMaxCase : OpCase
    {
        private readonly int _in, _out;

        public LinearArgMaxCase(int rows, int inFeatures, int outFeatures, bool isOfBFloat16Alone = false)
            : base(nameof(LinearArgMax), $"{rows}×{inFeatures}→{outFeatures}")
        {
            (_in, _out, IsOfBFloat16Alone) = (inFeatures, outFeatures, isOfBFloat16Alone);
            Floats(new Shape(rows, inFeatures));
            Weight("head", new Shape(outFeatures, inFeatures));
        }

        public override bool IsOfBFloat16Alone { get; }

        /// <summary>True if x is F32 in a BF16 backend too, as the state after a model's last norm is.</summary>
        public bool KeepsFloat { get; init; }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.ArgMax(g.Linear(KeepsFloat ? Kept(g, x[0]) : x[0], g.Weight("head")));

        private static Tensor Kept(GraphBuilder g, Tensor x)
        {
            using GraphBuilder.FloatScope _ = g.KeepFloat();
            return g.Add(x, x);
        }

        public override T[] Result<T>(CaseValues<T> x) => [.. Product(x[0], x.Weight("head"), _in).Chunk(_out)
            .Select(row => T.CreateChecked(Array.IndexOf(row, row.Max())))];
    }

    private sealed class MatMulCase : OpCase
    {
        private readonly int _depth;

        public MatMulCase(int rows, int columns, int depth) : base(nameof(MatMul), $"{rows}×{depth}·{depth}×{columns}")
        {
            _depth = depth;
            Floats(new Shape(rows, depth));
            Floats(new Shape(columns, depth));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.MatMul(x[0], x[1]);

        public override T[] Result<T>(CaseValues<T> x) => Product(x[0], x[1], _depth);
    }
}
