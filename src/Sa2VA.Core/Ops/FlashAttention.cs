namespace Sa2VA.Core;

/// <summary>
/// softmax(scale·q·kᵀ)·v per head with an online softmax (Dao et al. 2022), no n×n matrix. Heads are blocks of the last axis; query head h
/// reads key/value head ⌊h·kvHeads/heads⌋. A query row that sees no key gives 0. Keys and values are read in their stored float type, sums
/// are F32.
/// </summary>
public sealed class FlashAttention : Op
{
    private readonly AttentionSegments? _segments;

    internal FlashAttention(Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale, bool causal, RuntimeScalar? start)
    {
        Inputs = [q, k, v];
        (Heads, KvHeads, Scale, Causal, Start) = (heads, kvHeads, scale, causal, start);
    }

    internal FlashAttention(Tensor q, Tensor k, Tensor v, AttentionSegments segments, int heads, int kvHeads, float scale, bool causal)
    {
        Inputs = [q, k, v, .. segments.Tensors];
        (_segments, Heads, KvHeads, Scale, Causal) = (segments, heads, kvHeads, scale, causal);
    }

    /// <summary>The parts that q's rows fall into; null when they are one.</summary>
    public AttentionSegments? Segments => _segments?.Of(Inputs);

    /// <summary>Query heads.</summary>
    public int Heads { get; }

    /// <summary>Key/value heads; divides <see cref="Heads"/>.</summary>
    public int KvHeads { get; }

    /// <summary>Factor of q·kᵀ.</summary>
    public float Scale { get; }

    /// <summary>Query row i sees keys j ≤ <see cref="Start"/> + i; with segments, what <see cref="AttentionSegments"/> says.</summary>
    public bool Causal { get; }

    /// <summary>Position of query row 0 among the keys when causal; null means 0.</summary>
    public RuntimeScalar? Start { get; }

    /// <summary>Width of a query or key head.</summary>
    public int HeadDim => Inputs[0].Shape.Last / Heads;

    /// <summary>Width of a value head; may differ from <see cref="HeadDim"/>.</summary>
    public int ValueDim => Inputs[2].Shape.Last / KvHeads;

    /// <summary>
    /// <inheritdoc/> With segments, as if each had as many keys as it can have on average: how many there are is not known here.
    /// </summary>
    public override long Flops(ReadOnlySpan<int> scalars)
    {
        long queries = RowCount(Inputs[0], scalars), keys = RowCount(Inputs[1], scalars);
        long pairs = queries * keys;
        if (Segments is not null) pairs = queries * Segments.TotalCapacity(Inputs[1]) / Segments.Count;
        else if (Causal)
        {
            long start = Start is null ? 0 : scalars[Start.Index];
            pairs = queries * start + queries * (queries + 1) / 2;
        }
        return 2 * pairs * Heads * (HeadDim + ValueDim);
    }

    internal override bool ChecksRuns => Segments?.ChecksRuns ?? false;

    internal override void CheckRun(ReadOnlySpan<int> numbers) =>
        Segments!.CheckRun(Name, numbers, RowCount(Inputs[0], numbers), RowCount(Inputs[1], numbers));
}

/// <summary>Recording of attention.</summary>
public static class FlashAttentionExtensions
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

    /// <summary>
    /// Records attention of the rows of several segments: q [n, heads·d] over keys [m, kvHeads·d] and values [m, kvHeads·e], or pools of
    /// such rows, → [n, heads·e].
    /// </summary>
    public static Tensor FlashAttention(this GraphBuilder g, Tensor q, Tensor k, Tensor v, AttentionSegments segments, int heads,
        int kvHeads, float scale, bool causal = false)
    {
        CheckHeads(g, nameof(FlashAttention), q, k, v, heads, kvHeads);
        segments.Check(g, nameof(FlashAttention), q, k);
        return g.Record(new FlashAttention(q, k, v, segments, heads, kvHeads, scale, causal), DType.F32,
            new Shape((int)q.Shape.Rows, v.Shape.Last / kvHeads * heads), q.Length);
    }

    internal static void CheckHeads(GraphBuilder g, string op, Tensor q, Tensor k, Tensor v, int heads, int kvHeads)
    {
        bool fit = heads >= 1 && kvHeads >= 1 && heads % kvHeads == 0 && q.Shape.Last % heads == 0 && k.Shape.Last % kvHeads == 0
            && v.Shape.Last % kvHeads == 0 && q.Shape.Last / heads == k.Shape.Last / kvHeads && k.Shape.Rows == v.Shape.Rows
            && k.Length == v.Length
            && q.Type == DType.F32 && k.Type.IsFloat() && v.Type == k.Type;
        if (!fit) throw g.Error(op, $"q {q}, k {k}, v {v} do not fit {heads} query and {kvHeads} key/value heads.");
    }
}
