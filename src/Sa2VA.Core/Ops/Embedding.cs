namespace Sa2VA.Core;

/// <summary>
/// Token embeddings: out[i] = table[id] for id ≥ 0, row −1−id of the overriding rows for id &lt; 0 (image tokens: scattered as
/// docs/model/prompt.md#image-and-video-expansion says, without a second pass); NaN for id &lt; 0 where there are none: what
/// <see cref="ArgMax"/> gives for a row that is not finite stays visible when it is fed back. The table stays in its stored type.
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

/// <summary>Recording of <see cref="Embedding"/>.</summary>
public static class EmbeddingExtensions
{
    /// <summary>Records the look-up of ids I32 [n] in a stored table [vocabulary, C] with optional overriding rows [k, C].</summary>
    public static Tensor Embedding(this GraphBuilder g, Weight table, Tensor ids, Tensor? overrides = null)
    {
        if (table.Shape.Rank != 2 || ids.Type != DType.I32 || ids.Shape.Rank != 1
            || (overrides is not null && (!overrides.Type.IsFloat() || overrides.Shape.Last != table.Shape.Last)))
            throw g.Error(nameof(Embedding), $"table {table}, ids {ids} and rows {overrides} do not fit.");
        return g.Record(new Embedding(table, ids, overrides), DType.F32, new Shape(ids.Shape[0], table.Shape.Last), ids.Length, table.Name);
    }
}
