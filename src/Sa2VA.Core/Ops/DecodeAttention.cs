namespace Sa2VA.Core;

/// <summary>
/// One new query row against a KV cache: the decode step's attention. With segments, a row of each of several sequences against its own
/// cache. Keys and values are read in their stored float type, sums are F32.
/// </summary>
public sealed class DecodeAttention : Op
{
    internal DecodeAttention(Tensor q, Tensor k, Tensor v, AttentionSegments? segments, int heads, int kvHeads, float scale)
    {
        Inputs = segments is null ? [q, k, v] : [q, k, v, .. segments.Tensors];
        (Segments, Heads, KvHeads, Scale) = (segments, heads, kvHeads, scale);
    }

    /// <summary>The sequences, a row of q each; null when there is one.</summary>
    public AttentionSegments? Segments { get; private set; }

    private protected override void Moved() => Segments = Segments?.Of(Inputs);

    /// <summary>Query heads.</summary>
    public int Heads { get; }

    /// <summary>Key/value heads.</summary>
    public int KvHeads { get; }

    /// <summary>Factor of q·kᵀ.</summary>
    public float Scale { get; }

    /// <summary><inheritdoc/> With segments, as if each had all the keys that it can have: how many there are is not known here.</summary>
    public override long Flops(ReadOnlySpan<int> scalars) =>
        4 * (Segments?.TotalCapacity(Inputs[1]) ?? RowCount(Inputs[1], scalars)) * Inputs[0].Shape.Last;

    internal override bool ChecksRuns => Segments?.ChecksRuns ?? false;

    internal override void CheckRun(ReadOnlySpan<int> numbers) =>
        Segments!.CheckRun(Name, numbers, RowCount(Inputs[0], numbers), RowCount(Inputs[1], numbers));
}

/// <summary>Recording of <see cref="DecodeAttention"/>.</summary>
public static class DecodeAttentionExtensions
{
    /// <summary>
    /// Records the attention of one query row [1, heads·d] over caches whose rows are a run-time length, or of one row for each of S
    /// sequences [S, heads·d].
    /// </summary>
    public static Tensor DecodeAttention(this GraphBuilder g, Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale,
        AttentionSegments? segments = null)
    {
        FlashAttentionExtensions.CheckHeads(g, nameof(DecodeAttention), q, k, v, heads, kvHeads);
        segments?.Check(g, nameof(DecodeAttention), q, k);
        if (q.Shape.Rows != (segments?.Count ?? 1) || segments is not null && q.Length is not null || v.Shape.Last != k.Shape.Last)
            throw g.Error(nameof(DecodeAttention), $"input {q} is not one row for each sequence, or {v} is not as wide as {k}.");
        if (segments?.QueryOffsets is { } offsets)
            throw g.Error(nameof(DecodeAttention), $"each segment has one row; {offsets} is not for it.");
        return g.Record(new DecodeAttention(q, k, v, segments, heads, kvHeads, scale), DType.F32, q.Shape, null);
    }
}
