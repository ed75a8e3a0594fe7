namespace Sa2VA.Core;

/// <summary>One new query row per head against a KV cache: the decode step's attention.</summary>
public sealed class DecodeAttention : Op
{
    internal DecodeAttention(Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale)
    {
        Inputs = [q, k, v];
        (Heads, KvHeads, Scale) = (heads, kvHeads, scale);
    }

    /// <summary>Query heads.</summary>
    public int Heads { get; }

    /// <summary>Key/value heads.</summary>
    public int KvHeads { get; }

    /// <summary>Factor of q·kᵀ.</summary>
    public float Scale { get; }

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars) => 4 * RowCount(Inputs[1], scalars) * Inputs[0].Shape.Last;
}

/// <summary>Recording of <see cref="DecodeAttention"/>.</summary>
public static class DecodeAttentionExtensions
{
    /// <summary>Records the attention of one query row [1, heads·d] over caches whose rows are a run-time length.</summary>
    public static Tensor DecodeAttention(this GraphBuilder g, Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale)
    {
        FlashAttentionExtensions.CheckHeads(g, nameof(DecodeAttention), q, k, v, heads, kvHeads);
        if (q.Shape.Rows != 1 || v.Shape.Last != k.Shape.Last)
            throw g.Error(nameof(DecodeAttention), $"input {q} is not one row, or {v} is not as wide as {k}.");
        return g.Record(new DecodeAttention(q, k, v, heads, kvHeads, scale), DType.F32, q.Shape, null);
    }
}
