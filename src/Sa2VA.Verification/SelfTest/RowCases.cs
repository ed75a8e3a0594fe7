using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Ops that work row by row.</summary>
internal static class RowCases
{
    public static IEnumerable<OpCase> All =>
    [
        .. Enum.GetValues<Activation>().Select(f => new MapCase(f)),
        .. Enum.GetValues<Combination>().Select(f => new CombineCase(f)),
        new NormCase(3, 37, Activation.None), new NormCase(5, 256, Activation.Gelu), new NormCase(2, 1152, Activation.None),
        new NormCase(2, 2500, Activation.None), new NormCase(70, 4, Activation.Gelu), new NormCase(9, 64, Activation.None),
        new NormCase(9, 576, Activation.None), new NormCase(2, 4500, Activation.None), new RmsNormCase(3, 37), new RmsNormCase(2, 896),
        new RmsNormCase(2, 2300), new RmsNormCase(2, 4500),
        new SoftmaxCase(3, 4), new SoftmaxCase(4, 331), new SoftmaxCase(2, 1300), new SoftmaxCase(2, 2200),
        new RotaryCase(RotaryPairing.Half), new RotaryCase(RotaryPairing.Adjacent), new WhereCase(), new ArgMaxCase(3, 10),
        new ArgMaxCase(2, 1500), new ArgMaxCase(2, 2100), new MaskSelectCase(false), new MaskSelectCase(true),
    ];

    /// <summary>The functions of <see cref="Activation"/>.</summary>
    public static T Activate<T>(T x, Activation function) where T : IBinaryFloatingPointIeee754<T>
    {
        T half = T.CreateChecked(0.5), cubic = T.CreateChecked(0.044715), root = T.Sqrt(T.CreateChecked(2) / T.Pi);
        return function switch
        {
            Activation.Relu => T.Max(x, T.Zero),
            Activation.Gelu => half * x * (T.One + T.CreateChecked(Erf(double.CreateChecked(x / T.Sqrt(T.CreateChecked(2)))))),
            Activation.GeluTanh => half * x * (T.One + T.Tanh(root * (x + cubic * x * x * x))),
            Activation.Silu => x / (T.One + T.Exp(-x)),
            Activation.Sigmoid => T.One / (T.One + T.Exp(-x)),
            _ => x,
        };
    }

    /// <summary>The error function by its series, to about 10⁻¹⁴ below 4, where it is 1 to eight digits.</summary>
    private static double Erf(double x)
    {
        if (Math.Abs(x) > 4) return Math.Sign(x);
        double term = x, sum = x;
        for (int n = 1; Math.Abs(term) > 1e-17; n++)
        {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * sum;
    }

    private sealed class MapCase : OpCase
    {
        private readonly Activation _function;

        public MapCase(Activation function) : base(nameof(Map), $"3×37, {function}")
        {
            _function = function;
            Floats(new Shape(3, 37), 3);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Map(x[0], _function, 0.75f, -0.5f);

        public override T[] Result<T>(CaseValues<T> x) =>
            [.. x[0].Select(v => Activate(v, _function) * T.CreateChecked(0.75) - T.CreateChecked(0.5))];
    }

    private sealed class CombineCase : OpCase
    {
        private readonly Combination _function;

        public CombineCase(Combination function) : base(nameof(Combine), $"6×37 with 3×37, {function}")
        {
            _function = function;
            Floats(new Shape(6, 37), 3);
            Floats(new Shape(3, 37), 3);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => _function switch
        {
            Combination.Add => g.Add(x[0], x[1]),
            Combination.Multiply => g.Multiply(x[0], x[1]),
            _ => g.SwiGlu(x[0], x[1]),
        };

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] a = x[0], b = x[1];
            return [.. a.Select((v, i) => _function switch
            {
                Combination.Add => v + b[i % b.Length],
                Combination.Multiply => v * b[i % b.Length],
                _ => Activate(v, Activation.Silu) * b[i % b.Length],
            })];
        }
    }

    private sealed class NormCase : OpCase
    {
        private readonly int _width;
        private readonly Activation _activation;

        public NormCase(int rows, int width, Activation activation) : base(nameof(LayerNorm), $"{rows}×{width}, {activation}")
        {
            (_width, _activation) = (width, activation);
            Floats(new Shape(rows, width));
            Weight("norm.weight", new Shape(width));
            Weight("norm.bias", new Shape(width));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.LayerNorm(x[0], g.At("norm"), 1e-6f, _activation);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] gain = x.Weight("norm.weight"), bias = x.Weight("norm.bias");
            T count = T.CreateChecked(_width), epsilon = T.CreateChecked(1e-6f);
            return [.. x[0].Chunk(_width).SelectMany(row =>
            {
                T mean = Sum(row) / count, scale = T.One / T.Sqrt(Sum([.. row.Select(v => (v - mean) * (v - mean))]) / count + epsilon);
                return row.Select((v, i) => Activate((v - mean) * scale * gain[i] + bias[i], _activation));
            })];
        }
    }

    private sealed class RmsNormCase : OpCase
    {
        private readonly int _width;

        public RmsNormCase(int rows, int width) : base(nameof(RmsNorm), $"{rows}×{width}")
        {
            _width = width;
            Floats(new Shape(rows, width));
            Weight("norm.weight", new Shape(width));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.RmsNorm(x[0], g.At("norm"), 1e-6f);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] gain = x.Weight("norm.weight");
            T count = T.CreateChecked(_width), epsilon = T.CreateChecked(1e-6f);
            return [.. x[0].Chunk(_width).SelectMany(row =>
            {
                T scale = T.One / T.Sqrt(Sum([.. row.Select(v => v * v)]) / count + epsilon);
                return row.Select((v, i) => v * scale * gain[i]);
            })];
        }
    }

    private sealed class SoftmaxCase : OpCase
    {
        private readonly int _width;

        public SoftmaxCase(int rows, int width) : base(nameof(Softmax), $"{rows}×{width}")
        {
            _width = width;
            Floats(new Shape(rows, width), 10);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Softmax(x[0]);

        public override T[] Result<T>(CaseValues<T> x) => [.. x[0].Chunk(_width).SelectMany(Softmax)];
    }

    private sealed class RotaryCase : OpCase
    {
        private const int Rows = 5, Heads = 2, Dim = 24, Table = 9;
        private readonly RotaryPairing _pairing;
        private readonly float[] _cos = Angles(Math.Cos), _sin = Angles(Math.Sin);

        public RotaryCase(RotaryPairing pairing) : base(nameof(RotaryEmbedding), $"{Rows}×{Heads}·{Dim}, {pairing}")
        {
            _pairing = pairing;
            Floats(new Shape(Rows, Heads * Dim));
            Integers(3, -1, 8, 0, 8);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.RotaryEmbedding(x[0],
            g.Constant("cos", new Shape(Table, Dim / 2), _cos), g.Constant("sin", new Shape(Table, Dim / 2), _sin), x[1], Heads, _pairing);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] from = x[0], to = [.. from];
            for (int r = 0; r < Rows; r++)
                for (int h = 0; h < Heads && x.Integers(1)[r] >= 0; h++)
                    for (int i = 0; i < Dim / 2; i++)
                    {
                        int angle = x.Integers(1)[r] * Dim / 2 + i, head = (r * Heads + h) * Dim;
                        (int a, int b) = _pairing == RotaryPairing.Half ? (head + i, head + i + Dim / 2) : (head + 2 * i, head + 2 * i + 1);
                        T cos = T.CreateChecked(_cos[angle]), sin = T.CreateChecked(_sin[angle]);
                        (to[a], to[b]) = (from[a] * cos - from[b] * sin, from[b] * cos + from[a] * sin);
                    }
            return to;
        }

        private static float[] Angles(Func<double, double> of) =>
            [.. Enumerable.Range(0, Table * Dim / 2).Select(i => (float)of(i / (Dim / 2) * Math.Pow(100, -(i % (Dim / 2)) * 2.0 / Dim)))];
    }

    private sealed class WhereCase : OpCase
    {
        private const int Rows = 6, Width = 19;

        public WhereCase() : base(nameof(Where), $"{Rows}×{Width}")
        {
            Floats(new Shape(Rows, 1));
            Floats(new Shape(Rows, Width));
            Floats(new Shape(Rows / 2, Width));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Where(x[0], x[1], x[2]);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] condition = x[0], a = x[1], b = x[2];
            return [.. a.Select((v, i) => condition[i / Width] > T.Zero ? v : b[i % b.Length])];
        }
    }

    private sealed class ArgMaxCase : OpCase
    {
        private readonly int _width;

        public ArgMaxCase(int rows, int width) : base(nameof(ArgMax), $"{rows}×{width}")
        {
            _width = width;
            Floats(new Shape(rows, width));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.ArgMax(x[0]);

        public override T[] Result<T>(CaseValues<T> x) =>
            [.. x[0].Chunk(_width).Select(row => T.CreateChecked(Array.IndexOf(row, row.Max())))];
    }

    private sealed class MaskSelectCase : OpCase
    {
        private const int Objects = 3, Pixels = 100;

        public MaskSelectCase(bool prefersFirst)
            : base(nameof(MaskSelect), $"{Objects}×4{(prefersFirst ? $" with masks of {Pixels}" : "")}")
        {
            Floats(new Shape(Objects, 4));
            if (prefersFirst) Floats(new Shape(4 * Objects, Pixels), [.. Enumerable.Range(0, 4 * Objects * Pixels).Select(Logit)]);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.MaskSelect(x[0], x.Count > 1 ? x[1] : null);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] ious = x[0];
            return [.. Enumerable.Range(0, Objects).Select(o =>
            {
                T best = T.One;
                for (int i = 2; i < 4; i++)
                    if (ious[4 * o + i] > ious[4 * o + int.CreateChecked(best)]) best = T.CreateChecked(i);
                // The middle object's first mask is stable.
                return Inputs.Count > 1 && o == 1 ? T.Zero : best;
            })];
        }

        // Of the middle object all logits are far from 0; of the others half are near.
        private static float Logit(int i) => i / Pixels / 4 == 1 || i % 2 == 0 ? i % 3 - 0.5f : 0.01f;
    }

    /// <summary>e^(x−max) ÷ their sum.</summary>
    public static T[] Softmax<T>(T[] row) where T : IBinaryFloatingPointIeee754<T>
    {
        if (row.Length == 0) return row;
        T most = row.Max()!;
        T[] e = [.. row.Select(v => T.Exp(v - most))];
        T sum = Sum(e);
        return [.. e.Select(v => v / sum)];
    }

    private static T Sum<T>(T[] values) where T : IBinaryFloatingPointIeee754<T>
    {
        T sum = T.Zero;
        foreach (T v in values) sum += v;
        return sum;
    }
}
