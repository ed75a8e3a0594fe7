namespace Sa2VA.Core;

/// <summary>
/// softmax(scale·q·kᵀ)·v per head with an online softmax (Dao et al. 2022), no n×n matrix. Heads are blocks of the last axis; query head h
/// reads key/value head ⌊h·kvHeads/heads⌋. A query row that sees no key gives 0. Keys and values are read in their stored float type, sums
/// are F32.
/// </summary>
public sealed class FlashAttention : Op
{
    internal FlashAttention(Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale, bool causal, RuntimeScalar? start,
        int groups)
    {
        Inputs = [q, k, v];
        (Heads, KvHeads, Scale, Causal, Start, Groups) = (heads, kvHeads, scale, causal, start, groups);
    }

    internal FlashAttention(Tensor q, Tensor k, Tensor v, AttentionSegments segments, int heads, int kvHeads, float scale, bool causal)
    {
        Inputs = [q, k, v, .. segments.Tensors];
        (Segments, Heads, KvHeads, Scale, Causal, Groups) = (segments, heads, kvHeads, scale, causal, segments.Count);
    }

    /// <summary>The parts that q's rows fall into; null when they are one.</summary>
    public AttentionSegments? Segments { get; private set; }

    /// <summary>
    /// Parts that q's rows fall into, each with keys of its own: those of <see cref="Segments"/>, else equal parts of rows and keys.
    /// </summary>
    public int Groups { get; }

    private protected override void Moved() => Segments = Segments?.Of(Inputs);

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
        else if (Groups > 1) pairs = queries * (Inputs[1].Shape.Rows / Groups);
        else if (Causal)
        {
            long start = Start is null ? 0 : scalars[Start.Index];
            pairs = queries * start + queries * (queries + 1) / 2;
        }
        return 2 * pairs * Heads * (HeadDim + ValueDim);
    }

    internal override bool ChecksRuns => Segments?.ChecksRuns == true || HasEqualParts;

    internal override void CheckRun(ReadOnlySpan<int> numbers)
    {
        long queries = RowCount(Inputs[0], numbers), keys = RowCount(Inputs[1], numbers);
        if (Segments?.ChecksRuns == true) Segments.CheckRun(Name, numbers, queries, keys);
        if (!HasEqualParts) return;
        long rows = Inputs[0].Shape.Rows / Groups;
        if (queries % rows != 0 || Segments is null && keys != queries / rows * (Inputs[1].Shape.Rows / Groups))
            throw new GraphException($"{Name}: {queries} query rows and {keys} keys are no whole ones of {Groups} equal parts.");
    }

    /// <summary>True where rows fall into equal parts, of which a run may use the first ones.</summary>
    private bool HasEqualParts => Groups > 1 && Segments?.QueryOffsets is null && (Inputs[0].Length ?? Inputs[1].Length) is not null;
}

/// <summary>Recording of attention.</summary>
public static class FlashAttentionExtensions
{
    /// <summary>
    /// Records attention of q [n, heads·d] over k [m, kvHeads·d] and v [m, kvHeads·e] → [n, heads·e]; views will do. With
    /// <paramref name="groups"/>, of each of that many equal parts of q over its part of k and v.
    /// </summary>
    public static Tensor FlashAttention(this GraphBuilder g, Tensor q, Tensor k, Tensor v, int heads, int kvHeads, float scale,
        bool causal = false, RuntimeScalar? start = null, int groups = 1)
    {
        CheckHeads(g, nameof(FlashAttention), q, k, v, heads, kvHeads);
        if (groups < 1 || q.Shape.Rows % groups != 0 || k.Shape.Rows % groups != 0 || groups > 1 && causal)
            throw g.Error(nameof(FlashAttention), $"q {q} and k {k} do not fall into {groups} parts that see all of their keys.");
        if (start is not null && !causal) throw g.Error(nameof(FlashAttention), "a start position is for causal attention only.");
        return g.Record(new FlashAttention(q, k, v, heads, kvHeads, scale, causal, start, groups), DType.F32,
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
