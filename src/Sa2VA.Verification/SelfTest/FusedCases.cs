using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Ops that passes put in the place of several, with more than one result.</summary>
internal static class FusedCases
{
    public static IEnumerable<OpCase> All =>
    [
        new RotaryAppendCase("queries"), new RotaryAppendCase("keys"), new RotaryAppendCase("values"),
        .. from pairing in Enum.GetValues<RotaryPairing>()
           from shape in ((int, int, int)[])[(3, 520, 2), (70, 72, 3)] select new LinearRotaryCase(shape, pairing),
        // As many columns as make a card of a hundred multiprocessors take the larger tiles.
        new LinearRotaryCase((1500, 40, 60), RotaryPairing.Half, isWhole: true), new LinearRotaryCase((5, 520, 66), RotaryPairing.Half),
        // The tile that an H100 or H200 has besides.
        new LinearRotaryCase((1800, 136, 6), RotaryPairing.Adjacent, isWhole: true),
        new LinearRotaryCase((1800, 136, 5), RotaryPairing.Half, isWhole: true),
        new LinearRotaryCase((5, 520, 3), RotaryPairing.Half) { LeastBits = 4 },
        .. from isRms in (bool[])[true, false] from width in (int[])[37, 64, 896, 2300, 4500] select new SumNormCase(isRms, width),
    ];

    /// <summary>Rotation and writes of five new tokens; one of the three results is looked at.</summary>
    private sealed class RotaryAppendCase : OpCase
    {
        private const int Rows = 5, Heads = 3, Pairs = 12, Dim = 2 * Pairs, ValueWidth = 19, Table = 9, Capacity = 11;
        private readonly string _result;
        private readonly float[] _cos = Angles(Table, Pairs, Math.Cos), _sin = Angles(Table, Pairs, Math.Sin);

        public RotaryAppendCase(string result) : base(nameof(RotaryAppend), $"{Rows}×{Heads}·{Dim}, {result}")
        {
            _result = result;
            Floats(new Shape(Rows, Heads * Dim));
            Floats(new Shape(Rows, Dim));
            Floats(new Shape(Rows, ValueWidth));
            Integers(3, -1, 8, 0, 8);
            Integers(7, 10, -1, 0, 4);
            if (result != "queries") Floats(new Shape(Capacity, result == "keys" ? Dim : ValueWidth));
        }

        public override int? StateInput => _result == "queries" ? null : 5;

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x)
        {
            Tensor cos = g.Constant("cos", new Shape(Table, Pairs), _cos), sin = g.Constant("sin", new Shape(Table, Pairs), _sin);
            Tensor keys = _result == "keys" ? x[5] : g.State("keys", DType.F32, new Shape(Capacity, Dim));
            Tensor values = _result == "values" ? x[5] : g.State("values", DType.F32, new Shape(Capacity, ValueWidth));
            Tensor q = g.RotaryEmbedding(x[0], cos, sin, x[3], Heads, RotaryPairing.Half);
            g.WriteRows(keys, g.RotaryEmbedding(x[1], cos, sin, x[3], 1, RotaryPairing.Half), x[4]);
            g.WriteRows(values, x[2], x[4]);
            return _result switch { "keys" => keys, "values" => values, _ => q };
        }

        public override T[] Result<T>(CaseValues<T> x)
        {
            if (_result == "queries") return Rotated(x, 0, Heads);
            T[] rows = _result == "keys" ? Rotated(x, 1, 1) : x[2], state = [.. x[5]];
            int width = rows.Length / Rows;
            for (int r = 0; r < Rows; r++)
                if (x.Integers(4)[r] is >= 0 and var to) rows.AsSpan(r * width, width).CopyTo(state.AsSpan(to * width));
            return state;
        }

        private T[] Rotated<T>(CaseValues<T> x, int input, int heads) where T : IBinaryFloatingPointIeee754<T>
        {
            T[] from = x[input], to = [.. from];
            for (int i = 0; i < Rows * heads * Pairs; i++)
            {
                int row = i / (heads * Pairs), pair = i % Pairs, a = i / Pairs * Dim + pair, b = a + Pairs, position = x.Integers(3)[row];
                if (position < 0) continue;
                T cos = T.CreateChecked(_cos[position * Pairs + pair]), sin = T.CreateChecked(_sin[position * Pairs + pair]);
                (to[a], to[b]) = (from[a] * cos - from[b] * sin, from[b] * cos + from[a] * sin);
            }
            return to;
        }
    }

    /// <summary>Heads of a product, rotated before they are stored where a backend does both at once.</summary>
    private sealed class LinearRotaryCase : OpCase
    {
        private const int Pairs = 12, Dim = 2 * Pairs, Table = 35;
        private readonly RotaryPairing _pairing;
        private readonly int _depth, _heads;
        private readonly float[] _cos = Angles(Table, Pairs, Math.Cos), _sin = Angles(Table, Pairs, Math.Sin);

        /// <param name="shape">Sizes.</param>
        /// <param name="pairing">Which channels form a pair.</param>
        /// <param name="isWhole">
        /// True for operands of −1, 0 and 1, whose sums 16 bits hold. Where a backend has two ops for this, it rounds twice otherwise, and
        /// of a million numbers one is further off than one op may be.
        /// </param>
        public LinearRotaryCase((int Rows, int Depth, int Heads) shape, RotaryPairing pairing, bool isWhole = false)
            : base(nameof(LinearRotary), $"{shape.Rows}×{shape.Depth}→{shape.Heads}·{Dim}, {pairing}{(isWhole ? ", whole numbers" : "")}")
        {
            ((int rows, _depth, _heads), _pairing) = (shape, pairing);
            Shape x = new(rows, _depth), weight = new(_heads * Dim, _depth), bias = new(_heads * Dim);
            if (isWhole)
            {
                Floats(x, Signs(x, 1));
                Weight("linear.weight", weight, Signs(weight, 2));
                Weight("linear.bias", bias, Signs(bias, 3));
                return;
            }
            Floats(x);
            Weight("linear.weight", weight, 0.3f);
            Weight("linear.bias", bias);
        }

        public override bool IsOfBFloat16Alone => true;

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) =>
            g.RotaryEmbedding(g.Linear(x[0], g.At("linear"), _heads * Dim), g.Constant("cos", new Shape(Table, Pairs), _cos),
                g.Constant("sin", new Shape(Table, Pairs), _sin), _heads, _pairing);

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] y = ProductCases.Product(x[0], x.Weight("linear.weight"), _depth), bias = x.Weight("linear.bias");
            for (int i = 0; i < y.Length; i++) y[i] += bias[i % bias.Length];
            for (int i = 0; i < y.Length / 2; i++)
            {
                int row = i / (_heads * Pairs), pair = i % Pairs, step = _pairing == RotaryPairing.Half ? Pairs : 1;
                int a = i / Pairs * Dim + (_pairing == RotaryPairing.Half ? pair : 2 * pair), at = row % Table * Pairs + pair;
                T cos = T.CreateChecked(_cos[at]), sin = T.CreateChecked(_sin[at]);
                (y[a], y[a + step]) = (y[a] * cos - y[a + step] * sin, y[a + step] * cos + y[a] * sin);
            }
            return y;
        }

        private static float[] Signs(Shape shape, int seed)
        {
            var random = new Random(seed);
            return [.. Enumerable.Range(0, (int)shape.Count).Select(_ => (float)random.Next(-1, 2))];
        }
    }

    private static float[] Angles(int rows, int pairs, Func<double, double> of) =>
        [.. Enumerable.Range(0, rows * pairs).Select(i => (float)of(i / pairs * Math.Pow(100, -(i % pairs) / (double)pairs)))];

    /// <summary>A norm of a sum that it makes itself; both are looked at.</summary>
    private sealed class SumNormCase : OpCase
    {
        private const int Rows = 6;
        private readonly bool _isRms;
        private readonly int _width;

        public SumNormCase(bool isRms, int width)
            : base(isRms ? nameof(RmsNorm) : nameof(LayerNorm), $"{Rows}×{width} with {Rows / 2}×{width} added")
        {
            (_isRms, _width) = (isRms, width);
            Floats(new Shape(Rows, width));
            Floats(new Shape(Rows / 2, width));
            Weight("norm.weight", new Shape(width));
            Weight("norm.bias", new Shape(width));
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x)
        {
            Tensor sum = g.Add(x[0], x[1]);
            return g.Concat([_isRms ? g.RmsNorm(sum, g.At("norm"), 1e-6f) : g.LayerNorm(sum, g.At("norm"), 1e-6f), sum]);
        }

        public override T[] Result<T>(CaseValues<T> x)
        {
            T[] a = x[0], residual = x[1], gain = x.Weight("norm.weight"), bias = x.Weight("norm.bias");
            T[] sums = [.. a.Select((v, i) => v + residual[i % residual.Length])];
            return [.. sums.Chunk(_width).SelectMany(row => _isRms ? Rms(row, gain) : Centred(row, gain, bias)), .. sums];
        }

        private static IEnumerable<T> Rms<T>(T[] row, T[] gain) where T : IBinaryFloatingPointIeee754<T>
        {
            T scale = Scale(row);
            return row.Select((v, i) => v * scale * gain[i]);
        }

        private static IEnumerable<T> Centred<T>(T[] row, T[] gain, T[] bias) where T : IBinaryFloatingPointIeee754<T>
        {
            T mean = row.Aggregate(T.Zero, (s, v) => s + v) / T.CreateChecked(row.Length);
            T[] centred = [.. row.Select(v => v - mean)];
            T scale = Scale(centred);
            return centred.Select((v, i) => v * scale * gain[i] + bias[i]);
        }

        private static T Scale<T>(T[] row) where T : IBinaryFloatingPointIeee754<T> =>
            T.One / T.Sqrt(row.Aggregate(T.Zero, (s, v) => s + v * v) / T.CreateChecked(row.Length) + T.CreateChecked(1e-6f));
    }
}
