using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Products of matrices.</summary>
internal static class ProductCases
{
    public static IEnumerable<OpCase> All =>
    [
        new LinearCase(1, 64, 40, false), new LinearCase(3, 37, 65, true), new LinearCase(16, 256, 96, true),
        new LinearCase(70, 147, 130, false),
        new GatedLinearCase(1, 64, 32), new GatedLinearCase(17, 96, 70), new LinearArgMaxCase(1, 64, 500), new LinearArgMaxCase(5, 96, 131),
        new MatMulCase(4, 17, 331), new MatMulCase(70, 65, 32),
    ];

    /// <summary>x·Wᵀ.</summary>
    public static T[] Product<T>(T[] x, T[] w, int depth) where T : IBinaryFloatingPointIeee754<T>
    {
        int rows = x.Length / depth, columns = w.Length / depth;
        var y = new T[rows * columns];
        for (int i = 0; i < y.Length; i++)
            for (int k = 0; k < depth; k++) y[i] += x[i / columns * depth + k] * w[i % columns * depth + k];
        return y;
    }

    private sealed class LinearCase : OpCase
    {
        private readonly int _in, _out;
        private readonly bool _isFused;

        public LinearCase(int rows, int inFeatures, int outFeatures, bool isFused)
            : base(nameof(Linear), $"{rows}×{inFeatures}→{outFeatures}{(isFused ? ", GELU, scale, residual" : "")}")
        {
            (_in, _out, _isFused) = (inFeatures, outFeatures, isFused);
            Floats(new Shape(rows, inFeatures));
            Floats(new Shape(rows, outFeatures));
            Weight("linear.weight", new Shape(outFeatures, inFeatures), 0.3f);
            Weight("linear.bias", new Shape(outFeatures));
            Weight("scale", new Shape(outFeatures));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => _isFused
            ? g.Linear(x[0], g.At("linear"), _out, Activation.Gelu, g.Weight("scale"), x[1])
            : g.Linear(x[0], g.At("linear"), _out);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] residual = x[1], bias = x.Weight("linear.bias"), scale = x.Weight("scale");
            return [.. Product(x[0], x.Weight("linear.weight"), _in).Select((v, i) => _isFused
                ? residual[i] + scale[i % _out] * RowCases.Activate(v + bias[i % _out], Activation.Gelu) : v + bias[i % _out])];
        }
    }

    private sealed class GatedLinearCase : OpCase
    {
        private readonly int _in;

        public GatedLinearCase(int rows, int inFeatures, int outFeatures)
            : base(nameof(GatedLinear), $"{rows}×{inFeatures}→{outFeatures}")
        {
            _in = inFeatures;
            Floats(new Shape(rows, inFeatures));
            Weight("gate", new Shape(outFeatures, inFeatures), 0.3f);
            Weight("up", new Shape(outFeatures, inFeatures), 0.3f);
        }

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

        public LinearArgMaxCase(int rows, int inFeatures, int outFeatures)
            : base(nameof(LinearArgMax), $"{rows}×{inFeatures}→{outFeatures}")
        {
            (_in, _out) = (inFeatures, outFeatures);
            Floats(new Shape(rows, inFeatures));
            Weight("head", new Shape(outFeatures, inFeatures));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.ArgMax(g.Linear(x[0], g.Weight("head")));

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
