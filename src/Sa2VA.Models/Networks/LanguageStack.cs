using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The language model inside a graph (docs/model/language.md): token ids → rows behind the last layer, whatever then becomes of them.
/// </summary>
internal sealed class LanguageStack
{
    private readonly GraphBuilder _graph;
    private readonly WeightScope _weights;
    private readonly LanguageConfig _config;
    private readonly int _rows;

    /// <param name="g">Graph that it is recorded in.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="ids">Token ids I32 [n]; −1 − j stands for row j of <see cref="ImageTokens"/>.</param>
    /// <param name="at">Where the rows stand.</param>
    /// <param name="imageRows">Rows of <see cref="ImageTokens"/>; 0 when no token stands for a part of an image.</param>
    public LanguageStack(GraphBuilder g, LanguageConfig config, Tensor ids, SequenceRows at, int imageRows = 0)
    {
        (_graph, _weights, _config) = (g, g.At("language_model"), config);
        if (imageRows > 0) ImageTokens = g.Input("image tokens", at.Kv.Type, new Shape(imageRows, config.HiddenSize));
        RotaryTables tables = Tables(g, config, at.Kv.Capacity);
        Weight table = Table(g, config);
        _rows = table.Shape[0];
        Tensor x = g.Embedding(table, ids, ImageTokens);
        var caches = new LayerCache[config.Layers];
        for (int i = 0; i < caches.Length; i++)
        {
            caches[i] = Cache(g, config, at.Kv, i);
            x = LanguageLayer.Record(g, x, _weights.At("model.layers").At(i), new LayerPlace(caches[i], at, tables), config);
        }
        (Caches, Rows) = (caches, x);
    }

    /// <summary>Name of the head's weight below <c>language_model</c>.</summary>
    public static string HeadName(LanguageConfig config) => config.Kind == LanguageKind.InternLm2 ? "output.weight" : "lm_head.weight";

    /// <summary>Name of the embedding table below <c>language_model</c>.</summary>
    public static string TableName(LanguageConfig config) =>
        config.Kind == LanguageKind.InternLm2 ? "model.tok_embeddings.weight" : "model.embed_tokens.weight";

    /// <summary>Ids that a host may give: those of the embedding table, or −1 − j for row j of the image tokens.</summary>
    public static IndexRange IdRange(GraphBuilder g, LanguageConfig config, int imageRows) => new(-imageRows, Table(g, config).Shape[0]);

    /// <summary>[rows, H], or null.</summary>
    public Tensor? ImageTokens { get; }

    /// <summary>Keys and values of each layer, pools [pages·r, kvHeads·d].</summary>
    public IReadOnlyList<LayerCache> Caches { get; }

    /// <summary>States behind the last layer [n, H].</summary>
    public Tensor Rows { get; }

    /// <summary>Records the final norm and the head on some of <see cref="Rows"/> [k, H] → states [k, H] and logits [k, V].</summary>
    public (Tensor Hidden, Tensor Logits) Head(Tensor rows)
    {
        Tensor hidden = _graph.RmsNorm(rows, _weights.At("model.norm"), _config.Epsilon);
        // Training parts head and embedding even where config.json ties them, so a stored head is always used, and the embedding serves
        // without one.
        string name = HeadName(_config);
        using GraphBuilder.BitsScope _ = _graph.AllowWeightBits(8);
        return (hidden, _graph.Linear(hidden, _weights.Has(name) ? _weights.Get(name, _rows, _config.HiddenSize) : Table(_graph, _config)));
    }

    /// <summary>Records the angles of every position that a sequence may have.</summary>
    internal static RotaryTables Tables(GraphBuilder g, LanguageConfig config, int capacity)
    {
        int dim = config.HeadDim, pairs = dim / 2;
        double theta = config.RopeTheta;
        var shape = new Shape(capacity, pairs);
        string key = FormattableString.Invariant($"positions 0…{capacity - 1}, theta {theta:R}, head dim {dim}");
        return new RotaryTables(g.Constant($"rotary cos, {key}", shape, to => Fill(to, MathF.Cos)),
            g.Constant($"rotary sin, {key}", shape, to => Fill(to, MathF.Sin)));

        void Fill(Span<float> table, Func<float, float> function)
        {
            for (int i = 0; i < pairs; i++)
            {
                float frequency = 1 / (float)Math.Pow(theta, (float)(2 * i) / dim);
                for (int p = 0; p < capacity; p++) table[p * pairs + i] = function(p * frequency);
            }
        }
    }

    internal static LayerCache Cache(GraphBuilder g, LanguageConfig config, KvLayout kv, int layer)
    {
        var shape = new Shape(kv.Pages * KvLayout.PageRows, config.KvHeads * config.HeadDim);
        return new LayerCache(g.State(FormattableString.Invariant($"keys {layer}"), kv.Type, shape),
            g.State(FormattableString.Invariant($"values {layer}"), kv.Type, shape));
    }

    private static Weight Table(GraphBuilder g, LanguageConfig config) =>
        g.At("language_model").Table(TableName(config), config.VocabularySize, config.HiddenSize);
}
