namespace Sa2VA.Core;

/// <summary>
/// Self-attention inside square windows of a channels-last map (Hiera, docs/model/image-encoder.md#block). Where the map ends inside a
/// window, the missing tokens take part as keys and values equal to the projection's bias, and as queries that are dropped. With
/// <see cref="Pool"/> the queries of a window are max-pooled 2×2 first, so the result has half the height and width.
/// </summary>
public sealed class WindowAttention : Op
{
    internal WindowAttention(Tensor qkv, Weight? bias, int heads, int window, bool pool, float scale)
    {
        Inputs = [qkv];
        (Bias, Heads, Window, Pool, Scale) = (bias, heads, window, pool, scale);
    }

    /// <summary>The fused projection's bias [3C]; null means zeros.</summary>
    public Weight? Bias { get; }

    /// <summary>Heads.</summary>
    public int Heads { get; }

    /// <summary>Window side in tokens.</summary>
    public int Window { get; }

    /// <summary>True to max-pool queries 2×2.</summary>
    public bool Pool { get; }

    /// <summary>Factor of q·kᵀ.</summary>
    public float Scale { get; }

    /// <inheritdoc/>
    public override IEnumerable<Weight> Weights => Bias is null ? [] : [Bias];

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars)
    {
        Shape s = Inputs[0].Shape;
        long windows = ((s[0] + Window - 1L) / Window) * ((s[1] + Window - 1L) / Window);
        long area = (long)Window * Window;
        return 4 * windows * area * (Pool ? area / 4 : area) * (s.Last / 3);
    }
}

/// <summary>Recording of <see cref="WindowAttention"/>.</summary>
public static class WindowAttentionExtensions
{
    /// <summary>
    /// Records windowed self-attention of qkv [H, W, 3C], channels [q | k | v] each [heads][d] → [H, W, C], or half of H and W when pooled.
    /// </summary>
    public static Tensor WindowAttention(this GraphBuilder g, Tensor qkv, Weight? bias, int heads, int window, bool pool, float scale)
    {
        Shape s = qkv.Shape;
        if (qkv.Type != DType.F32 || s.Rank != 3 || !qkv.IsContiguous || heads < 1 || s.Last % (3 * heads) != 0
            || (bias is not null && bias.Shape.Count != s.Last))
            throw g.Error(nameof(WindowAttention), $"input {qkv} does not fit {heads} heads and bias {bias}.");
        if (window < 1 || (pool && (window % 2 != 0 || s[0] % 2 != 0 || s[1] % 2 != 0)))
            throw g.Error(nameof(WindowAttention), $"window {window} does not fit input {qkv}{(pool ? " with 2×2 pooling" : "")}.");
        int by = pool ? 2 : 1;
        return g.Record(new WindowAttention(qkv, bias, heads, window, pool, scale), DType.F32,
            new Shape(s[0] / by, s[1] / by, s.Last / 3), null);
    }
}
