namespace Sa2VA.Core;

/// <summary>One tensor's rows after another's, each with its run-time length.</summary>
public sealed class Concat : Op
{
    internal Concat(Tensor[] parts) => Inputs = parts;

    internal override bool ChecksRuns => Output.Length is not null;

    internal override void CheckRun(ReadOnlySpan<int> numbers)
    {
        long rows = 0;
        for (int i = 0; i < Inputs.Count; i++) rows += RowCount(Inputs[i], numbers);
        if (rows != RowCount(Output, numbers))
            throw new GraphException($"{Name}: the parts have {rows} rows, the result's run-time length is {RowCount(Output, numbers)}.");
    }
}

/// <summary>Recording of <see cref="Concat"/>.</summary>
public static class ConcatExtensions
{
    /// <summary>
    /// Records the parts one under the other; <paramref name="length"/> is their run-time sum when any part's length is one.
    /// </summary>
    public static Tensor Concat(this GraphBuilder g, ReadOnlySpan<Tensor> parts, RuntimeScalar? length = null)
    {
        if (parts.Length == 0) throw g.Error(nameof(Concat), "no parts.");
        long count = 0;
        bool grows = false;
        foreach (Tensor p in parts)
        {
            if (p.Shape.Last != parts[0].Shape.Last || p.Type != parts[0].Type)
                throw g.Error(nameof(Concat), $"parts {parts[0]} and {p} do not fit.");
            count += p.Shape.Rows;
            grows |= p.Length is not null;
        }
        if (grows != length is not null) throw g.Error(nameof(Concat), "a run-time length is needed exactly when a part has one.");
        return g.Record(new Concat(parts.ToArray()), parts[0].Type, new Shape(checked((int)count), parts[0].Shape.Last), length);
    }
}
