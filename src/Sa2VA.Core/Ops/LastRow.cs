namespace Sa2VA.Core;

/// <summary>The last valid row of x, a run-time choice: the last token's state.</summary>
public sealed class LastRow : Op
{
    internal LastRow(Tensor x) => Inputs = [x];

    internal override bool ChecksRuns => true;

    internal override void CheckRun(ReadOnlySpan<int> numbers)
    {
        if (RowCount(Inputs[0], numbers) < 1) throw new GraphException($"{Name}: no valid row.");
    }
}

/// <summary>Recording of <see cref="LastRow"/>.</summary>
public static class LastRowExtensions
{
    /// <summary>Records the last valid row of x [n, C] → [1, C].</summary>
    public static Tensor LastRow(this GraphBuilder g, Tensor x)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(LastRow), $"input {x} is not F32.");
        return g.Record(new LastRow(x), DType.F32, new Shape(1, x.Shape.Last), null);
    }
}
