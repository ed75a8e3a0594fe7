using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Draws from logits, and what is done to those before.</summary>
internal static class SampleCases
{
    public static IEnumerable<OpCase> All =>
    [
        new SampleCase(37, new(0, 0, 1, 0)), new SampleCase(37, new(1, 5, 1, 900_000_000)),
        new SampleCase(1500, new(0.7f, 0, 0.9f, 1_234_567_890)),
        new SampleCase(2100, new(1.5f, 40, 0.8f, 2_000_000_000)), new SampleCase(2100, new(1, 0, 1, 77_777_777)),
        new PenaltyCase(37), new PenaltyCase(1500), new BitsCase(2), new BitsCase(1200),
    ];

    private sealed class SampleCase : OpCase
    {
        private const int Rows = 3;
        private readonly int _width;
        private readonly SamplingChoice _choice;

        public SampleCase(int width, SamplingChoice choice)
            : base(nameof(Sample), $"{Rows}×{width}, temperature {choice.Temperature:0.0}, top-k {choice.TopK}, top-p {choice.TopP:0.0}")
        {
            (_width, _choice) = (width, choice);
            Floats(new Shape(Rows, width), 5);
            var choices = new int[Rows * SamplingChoice.Count];
            for (int r = 0; r < Rows; r++)
                (choice with { Draw = choice.Draw / (r + 1) }).Write(choices.AsSpan(r * SamplingChoice.Count));
            Integers(new Shape(Rows, SamplingChoice.Count), choices);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.Sample(x[0], x[1]);

        public override T[] Result<T>(CaseValues<T> x) => [.. x[0].Chunk(_width).Select((row, r) =>
        {
            int[] order = [.. Enumerable.Range(0, _width).OrderByDescending(i => row[i]).ThenBy(i => i)];
            if (_choice.Temperature == 0) return T.CreateChecked(order[0]);
            T[] p = [.. row.Select(v => T.Exp((v - row[order[0]]) / T.CreateChecked(_choice.Temperature)))];
            if (_choice.TopK > 0) order = order[.._choice.TopK];
            T share = Sum(order) * T.CreateChecked(_choice.TopP), before = T.Zero;
            int left = 0;
            for (; left < order.Length && (left == 0 || before < share); left++) before += p[order[left]];
            order = order[..left];
            T point = T.CreateChecked(_choice.Draw / (r + 1) / 2147483648.0) * Sum(order), sum = T.Zero;
            foreach (int i in order.Order())
            {
                sum += p[i];
                if (sum > point) return T.CreateChecked(i);
            }
            return -T.One;

            T Sum(int[] of) => of.Aggregate(T.Zero, (s, i) => s + p[i]);
        })];
    }

    private sealed class PenaltyCase : OpCase
    {
        private static readonly float[] Penalties = [1.25f, 0.5f, 1];
        private readonly int _width, _words;
        private readonly int[] _held;

        public PenaltyCase(int width) : base(nameof(RepetitionPenalty), $"{Penalties.Length}×{width}")
        {
            (_width, _words) = (width, RepetitionPenalty.WordsFor(width));
            _held = Bits(Penalties.Length * _words);
            Floats(new Shape(Penalties.Length, width), 5);
            Integers(new Shape(Penalties.Length, _words), _held);
            Integers(new Shape(Penalties.Length), [.. Penalties.Select(BitConverter.SingleToInt32Bits)]);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.RepetitionPenalty(x[0], x[1], x[2]);

        public override T[] Result<T>(CaseValues<T> x) => [.. x[0].Select((v, i) =>
        {
            int row = i / _width, token = i % _width;
            T penalty = T.CreateChecked(Penalties[row]);
            return (_held[row * _words + token / 32] >> token % 32 & 1) == 0 ? v : v < T.Zero ? v * penalty : v / penalty;
        })];
    }

    private sealed class BitsCase : OpCase
    {
        private static readonly int[] Index = [0, 47, -1, 42];
        private readonly int _words;
        private readonly int[] _bits;

        public BitsCase(int words) : base(nameof(SetBits), $"{Index.Length}×{words}")
        {
            (_words, _bits) = (words, Bits(Index.Length * words));
            Integers(new Shape(Index.Length, words), _bits);
            Integers(new Shape(Index.Length), Index);
        }

        public override Tensor Record(GraphBuilder g, IReadOnlyList<Tensor> x) => g.SetBits(x[0], x[1]);

        public override T[] Result<T>(CaseValues<T> x) => [.. _bits.Select((word, i) =>
            T.CreateChecked(Index[i / _words] / 32 == i % _words && Index[i / _words] >= 0 ? word | 1 << Index[i / _words] % 32 : word))];
    }

    // So few of each integer's that float32 holds it.
    private static int[] Bits(int count) => [.. Enumerable.Range(0, count).Select(i => (i * 2654435 ^ i << 5) & 0xffff)];
}
