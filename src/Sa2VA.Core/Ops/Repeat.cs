namespace Sa2VA.Core;

/// <summary>A tensor's rows, over and over: what several objects share, before they go ways of their own.</summary>
public sealed class Repeat : Op
{
    internal Repeat(Tensor x) => Inputs = [x];

    internal override bool ChecksRuns => Output.Length is not null;

    internal override void CheckRun(ReadOnlySpan<int> numbers)
    {
        if (RowCount(Output, numbers) % Inputs[0].Shape.Rows != 0)
            throw new GraphException($"{Name}: {RowCount(Output, numbers)} rows are no multiple of {Inputs[0]}.");
    }
}

/// <summary>Recording of <see cref="Repeat"/>.</summary>
public static class RepeatExtensions
{
    /// <summary>Records x [n, C] → [times·n, C].</summary>
    /// <param name="g">Graph.</param>
    /// <param name="x">Of a fixed length; a view will do.</param>
    /// <param name="times">How often, at least 1.</param>
    /// <param name="length">Rows of the result, a multiple of n, where it is not always that often.</param>
    public static Tensor Repeat(this GraphBuilder g, Tensor x, int times, RuntimeScalar? length = null)
    {
        if (times < 1 || x.Length is not null || x.Shape.Rank != 2)
            throw g.Error(nameof(Repeat), $"input {x} cannot be repeated {times} times.");
        return g.Record(new Repeat(x), x.Type, new Shape(checked(times * x.Shape[0]), x.Shape.Last), length);
    }
}
