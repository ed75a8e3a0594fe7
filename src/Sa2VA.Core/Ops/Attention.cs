namespace Sa2VA.Core;

/// <summary>
/// softmax(scale·q·kᵀ)·v per head with an online softmax (Dao et al. 2022), no n×n matrix. Heads are blocks of the last axis; query head h
/// reads key/value head ⌊h·kvHeads/heads⌋. A query row that sees no key gives 0.
/// </summary>
public sealed class FlashAttention : Op
{
    internal FlashAttention(Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale, bool causal, RuntimeScalar? start)
    {
        Inputs = [q, k, v];
        (Heads, KvHeads, Scale, Causal, Start) = (heads, kvHeads, scale, causal, start);
    }

    /// <summary>Query heads.</summary>
    public int Heads { get; }

    /// <summary>Key/value heads; divides <see cref="Heads"/>.</summary>
    public int KvHeads { get; }

    /// <summary>Factor of q·kᵀ.</summary>
    public float Scale { get; }

    /// <summary>Query row i sees keys j ≤ <see cref="Start"/> + i.</summary>
    public bool Causal { get; }

    /// <summary>Position of query row 0 among the keys when causal; null means 0.</summary>
    public RuntimeScalar? Start { get; }

    /// <summary>Width of a query or key head.</summary>
    public int HeadDim => Inputs[0].Shape.Last / Heads;

    /// <summary>Width of a value head; may differ from <see cref="HeadDim"/>.</summary>
    public int ValueDim => Inputs[2].Shape.Last / KvHeads;

    /// <inheritdoc/>
    public override long Flops(ReadOnlySpan<int> scalars)
    {
        long queries = RowCount(Inputs[0], scalars), keys = RowCount(Inputs[1], scalars);
        long pairs = queries * keys;
        if (Causal)
        {
            long start = Start is null ? 0 : scalars[Start.Index];
            pairs = queries * start + queries * (queries + 1) / 2;
        }
        return 2 * pairs * Heads * (HeadDim + ValueDim);
    }
}

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

/// <summary>Recording of the attention ops.</summary>
public static class AttentionExtensions
{
    /// <summary>Records attention of q [n, heads·d] over k [m, kvHeads·d] and v [m, kvHeads·e] → [n, heads·e]; views will do.</summary>
    public static Tensor FlashAttention(this GraphBuilder g, Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale,
        bool causal = false, RuntimeScalar? start = null)
    {
        CheckHeads(g, nameof(FlashAttention), q, k, v, heads, kvHeads);
        if (start is not null && !causal) throw g.Error(nameof(FlashAttention), "a start position is for causal attention only.");
        return g.Record(new FlashAttention(q, k, v, heads, kvHeads, scale, causal, start), DType.F32,
            new Shape((int)q.Shape.Rows, v.Shape.Last / kvHeads * heads), q.Length);
    }

    /// <summary>Records windowed self-attention of qkv [H, W, 3C], channels [q | k | v] each [heads][d] → [H, W, C], or half of H and W when pooled.</summary>
    public static Tensor WindowAttention(this GraphBuilder g, Tensor qkv, Weight? bias, int heads, int window, bool pool, float scale)
    {
        Shape s = qkv.Shape;
        if (qkv.Type != DType.F32 || s.Rank != 3 || !qkv.IsContiguous || heads < 1 || s.Last % (3 * heads) != 0 || (bias is not null && bias.Shape.Count != s.Last))
            throw g.Error(nameof(WindowAttention), $"input {qkv} does not fit {heads} heads and bias {bias}.");
        if (window < 1 || (pool && (window % 2 != 0 || s[0] % 2 != 0 || s[1] % 2 != 0)))
            throw g.Error(nameof(WindowAttention), $"window {window} does not fit input {qkv}{(pool ? " with 2×2 pooling" : "")}.");
        int by = pool ? 2 : 1;
        return g.Record(new WindowAttention(qkv, bias, heads, window, pool, scale), DType.F32, new Shape(s[0] / by, s[1] / by, s.Last / 3), null);
    }

    /// <summary>Records the attention of one query row [1, heads·d] over caches whose rows are a run-time length.</summary>
    public static Tensor DecodeAttention(this GraphBuilder g, Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale)
    {
        CheckHeads(g, nameof(DecodeAttention), q, k, v, heads, kvHeads);
        if (q.Shape.Rows != 1 || v.Shape.Last != k.Shape.Last) throw g.Error(nameof(DecodeAttention), $"input {q} is not one row, or {v} is not as wide as {k}.");
        return g.Record(new DecodeAttention(q, k, v, heads, kvHeads, scale), DType.F32, q.Shape, null);
    }

    private static void CheckHeads(GraphBuilder g, string op, Tensor q, Tensor k, Tensor v, int heads, int kvHeads)
    {
        bool fit = heads >= 1 && kvHeads >= 1 && heads % kvHeads == 0 && q.Shape.Last % heads == 0 && k.Shape.Last % kvHeads == 0
            && v.Shape.Last % kvHeads == 0 && q.Shape.Last / heads == k.Shape.Last / kvHeads && k.Shape.Rows == v.Shape.Rows && k.Length == v.Length
            && q.Type == DType.F32 && k.Type.IsFloat() && v.Type == k.Type;
        if (!fit) throw g.Error(op, $"q {q}, k {k}, v {v} do not fit {heads} query and {kvHeads} key/value heads.");
    }
}
