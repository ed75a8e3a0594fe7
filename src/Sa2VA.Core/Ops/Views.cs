namespace Sa2VA.Core;

/// <summary>Views of tensors, which cost nothing and are no ops.</summary>
public static class ViewExtensions
{
    /// <summary>The same elements under another shape; no op. A run-time length of the result is given anew.</summary>
    public static Tensor Reshape(this GraphBuilder g, Tensor x, Shape shape, RuntimeScalar? length = null)
    {
        bool keepsRows = shape.Last == x.Shape.Last;
        if (shape.Count != x.Shape.Count || !(x.IsContiguous || keepsRows))
            throw g.Error(nameof(Reshape), $"input {x} cannot be seen as {shape}.");
        if (length is null && x.Length is not null)
        {
            if (shape[0] != x.Shape[0]) throw g.Error(nameof(Reshape), $"input {x} has a run-time length; give the length of {shape}.");
            length = x.Length;
        }
        if (length is not null && length.Max > shape[0]) throw g.Error(nameof(Reshape), $"{length} exceeds {shape}.");
        return x.View(x.Name, shape, length, 0, keepsRows ? x.RowStride : shape.Last);
    }

    /// <summary>Channels [start, start+length) of the last axis, a view; no op.</summary>
    public static Tensor SliceChannels(this GraphBuilder g, Tensor x, int start, int length)
    {
        if (start < 0 || length < 1 || start + length > x.Shape.Last)
            throw g.Error(nameof(SliceChannels), $"input {x} has no channels {start}…{start + length - 1}.");
        return x.View($"{x.Name}[.., {start}..{start + length}]", x.Shape.WithLast(length), x.Length, start, x.RowStride);
    }

    /// <summary>
    /// Steps [start, start+length) of axis 0, a view; no op. Where x has a run-time length, every run must reach beyond the slice: the
    /// first rows of a list that only grows at its end.
    /// </summary>
    public static Tensor SliceRows(this GraphBuilder g, Tensor x, int start, int length)
    {
        if (start < 0 || length < 1 || start + length > x.Shape[0] || x.Shape.Rank == 1)
            throw g.Error(nameof(SliceRows), $"input {x} has no rows {start}…{start + length - 1}.");
        int[] dims = x.Shape.ToArray();
        dims[0] = length;
        return x.View($"{x.Name}[{start}..{start + length}]", new Shape(dims), null, start * x.RowsPerStep * x.RowStride, x.RowStride);
    }
}
