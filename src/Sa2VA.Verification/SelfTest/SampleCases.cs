using Sa2VA.Core;

namespace Sa2VA.Verification.SelfTest;

/// <summary>Draws from logits.</summary>
internal static class SampleCases
{
    public static IEnumerable<OpCase> All =>
    [
        new SampleCase(37, new(0, 0, 1, 0)), new SampleCase(37, new(1, 5, 1, 900_000_000)),
        new SampleCase(1500, new(0.7f, 0, 0.9f, 1_234_567_890)),
        new SampleCase(2100, new(1.5f, 40, 0.8f, 2_000_000_000)), new SampleCase(2100, new(1, 0, 1, 77_777_777)),
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
}
