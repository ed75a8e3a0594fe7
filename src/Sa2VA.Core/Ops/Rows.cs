namespace Sa2VA.Core;

/// <summary>Rows of a table by index: out[i] = table[index[i]]; a negative index gives a row of zeros. Keeps the table's element type.</summary>
public sealed class Gather : Op
{
    internal Gather(Tensor table, Tensor index) => Inputs = [table, index];
}

/// <summary>
/// Token embeddings: out[i] = table[id] for id ≥ 0, row −1−id of the overriding rows for id &lt; 0 (image tokens: scattered as
/// docs/model/prompt.md#image-and-video-expansion says, without a second pass). The table stays in its stored type.
/// </summary>
public sealed class Embedding : Op
{
    internal Embedding(Weight table, Tensor ids, Tensor? overrides)
    {
        Inputs = overrides is null ? [ids] : [ids, overrides];
        Table = table;
    }

    /// <summary>[vocabulary, C].</summary>
    public Weight Table { get; }

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => [Table];
}

/// <summary>One tensor's rows after another's, each with its run-time length.</summary>
public sealed class Concat : Op
{
    internal Concat(Tensor[] parts) => Inputs = parts;
}

/// <summary>Writes x's rows into a state from row <see cref="Start"/> on, converting to the state's float type: a KV cache, a memory bank.</summary>
public sealed class WriteRows : Op
{
    internal WriteRows(Tensor state, Tensor x, RuntimeScalar start)
    {
        Inputs = [x, state];
        Start = start;
    }

    /// <summary>First row written.</summary>
    public RuntimeScalar Start { get; }
}

/// <summary>The last valid row of x, a run-time choice: the last token's state.</summary>
public sealed class LastRow : Op
{
    internal LastRow(Tensor x) => Inputs = [x];
}

/// <summary>Index of the largest element of each row, the lowest on ties.</summary>
public sealed class ArgMax : Op
{
    internal ArgMax(Tensor x) => Inputs = [x];
}

/// <summary>
/// SAM 2's choice among four mask candidates (docs/model/mask-decoder.md#choice-of-a-mask) → I32 [1]. With several masks on: the best of
/// 1…3 by predicted IoU. Off: mask 0 unless its stability #(m &gt; 0.05)/#(m &gt; −0.05) is below 0.98, then the best of 1…3.
/// </summary>
public sealed class MaskSelect : Op
{
    internal MaskSelect(Tensor masks, Tensor ious, bool multimask)
    {
        Inputs = [masks, ious];
        Multimask = multimask;
    }

    /// <summary>True to choose among masks 1…3 only.</summary>
    public bool Multimask { get; }
}

/// <summary>Recording of the ops that pick, place and join rows, and the views that cost nothing.</summary>
public static class RowExtensions
{
    /// <summary>Records table[index]; table [n, C], index I32 [k] → [k, C].</summary>
    public static Tensor Gather(this GraphBuilder g, Tensor table, Tensor index)
    {
        if (index.Type != DType.I32 || index.Shape.Rank != 1 || table.Shape.Rank != 2) throw g.Error(nameof(Gather), $"table {table} and index {index} do not fit.");
        return g.Record(new Gather(table, index), table.Type, new Shape(index.Shape[0], table.Shape.Last), index.Length);
    }

    /// <summary>Records the look-up of ids I32 [n] in a stored table [vocabulary, C] with optional overriding rows [k, C].</summary>
    public static Tensor Embedding(this GraphBuilder g, Weight table, Tensor ids, Tensor? overrides = null)
    {
        if (table.Shape.Rank != 2 || ids.Type != DType.I32 || ids.Shape.Rank != 1
            || (overrides is not null && (overrides.Type != DType.F32 || overrides.Shape.Last != table.Shape.Last)))
            throw g.Error(nameof(Embedding), $"table {table}, ids {ids} and rows {overrides} do not fit.");
        return g.Record(new Embedding(table, ids, overrides), DType.F32, new Shape(ids.Shape[0], table.Shape.Last), ids.Length, table.Name);
    }

    /// <summary>Records the parts one under the other; <paramref name="length"/> is their run-time sum when any part's length is one.</summary>
    public static Tensor Concat(this GraphBuilder g, ReadOnlySpan<Tensor> parts, RuntimeScalar? length = null)
    {
        if (parts.Length == 0) throw g.Error(nameof(Concat), "no parts.");
        long count = 0;
        bool grows = false;
        foreach (Tensor p in parts)
        {
            if (p.Shape.Last != parts[0].Shape.Last || p.Type != parts[0].Type) throw g.Error(nameof(Concat), $"parts {parts[0]} and {p} do not fit.");
            count += p.Shape.Rows;
            grows |= p.Length is not null;
        }
        if (grows != length is not null) throw g.Error(nameof(Concat), "a run-time length is needed exactly when a part has one.");
        return g.Record(new Concat(parts.ToArray()), parts[0].Type, new Shape(checked((int)count), parts[0].Shape.Last), length);
    }

    /// <summary>Records state[start…] = x and returns the state as [capacity, C] whose first <paramref name="length"/> rows are valid afterwards.</summary>
    public static Tensor WriteRows(this GraphBuilder g, Tensor state, Tensor x, RuntimeScalar start, RuntimeScalar? length = null)
    {
        if (state.Kind != TensorKind.State || !state.Type.IsFloat() || x.Type != DType.F32 || x.Shape.Last != state.Shape.Last)
            throw g.Error(nameof(WriteRows), $"rows {x} do not fit state {state}.");
        g.RecordInPlace(new WriteRows(state, x, start), state);
        return length is null ? state : state.View(state.Name, state.Shape, length, 0, state.RowStride);
    }

    /// <summary>Records the last valid row of x [n, C] → [1, C].</summary>
    public static Tensor LastRow(this GraphBuilder g, Tensor x)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(LastRow), $"input {x} is not F32.");
        return g.Record(new LastRow(x), DType.F32, new Shape(1, x.Shape.Last), null);
    }

    /// <summary>Records the index of each row's largest element: x [.., n] → I32 [rows].</summary>
    public static Tensor ArgMax(this GraphBuilder g, Tensor x)
    {
        if (x.Type != DType.F32) throw g.Error(nameof(ArgMax), $"input {x} is not F32.");
        return g.Record(new ArgMax(x), DType.I32, new Shape((int)x.Shape.Rows), x.Length);
    }

    /// <summary>Records the choice among masks [4, pixels] with predicted IoUs [4] or [1, 4] → I32 [1].</summary>
    public static Tensor MaskSelect(this GraphBuilder g, Tensor masks, Tensor ious, bool multimask)
    {
        if (masks.Type != DType.F32 || masks.Shape.Rank != 2 || masks.Shape[0] != 4 || ious.Shape.Count != 4)
            throw g.Error(nameof(MaskSelect), $"masks {masks} and IoUs {ious} are not four of each.");
        return g.Record(new MaskSelect(masks, ious, multimask), DType.I32, new Shape(1), null);
    }

    /// <summary>The same elements under another shape; no op. A run-time length of the result is given anew.</summary>
    public static Tensor Reshape(this GraphBuilder g, Tensor x, Shape shape, RuntimeScalar? length = null)
    {
        bool keepsRows = shape.Last == x.Shape.Last;
        if (shape.Count != x.Shape.Count || !(x.IsContiguous || keepsRows)) throw g.Error(nameof(Reshape), $"input {x} cannot be seen as {shape}.");
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
        if (start < 0 || length < 1 || start + length > x.Shape.Last) throw g.Error(nameof(SliceChannels), $"input {x} has no channels {start}…{start + length - 1}.");
        return x.View($"{x.Name}[.., {start}..{start + length}]", x.Shape.WithLast(length), x.Length, start, x.RowStride);
    }

    /// <summary>
    /// Steps [start, start+length) of axis 0, a view; no op. Where x has a run-time length, every run must reach beyond the slice: the first
    /// rows of a list that only grows at its end.
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
