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
    private readonly Weight _table;
    private readonly RuntimeScalar _start;
    private readonly RuntimeScalar? _count;

    /// <param name="g">Graph that it is recorded in.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="chunk">Most new tokens of a run; 1 for decode steps.</param>
    /// <param name="capacity">Most tokens of a sequence.</param>
    /// <param name="imageRows">Rows of <see cref="ImageTokens"/>; 0 when no token stands for a part of an image.</param>
    public LanguageStack(GraphBuilder g, LanguageConfig config, int chunk, int capacity, int imageRows = 0)
    {
        (_graph, _weights, _config) = (g, g.At("language_model"), config);
        if (chunk > 1) _count = g.Scalar("tokens", chunk);
        Ids = g.Input("ids", DType.I32, new Shape(chunk), _count);
        SequencePosition at = Position(g, config, capacity, _count);
        _start = at.Start;
        if (imageRows > 0) ImageTokens = g.Input("image tokens", DType.F32, new Shape(imageRows, config.HiddenSize));

        _table = _weights.Table(TableName(config), config.VocabularySize, config.HiddenSize);
        Tensor x = g.Embedding(_table, Ids, ImageTokens);
        var caches = new LayerCache[config.Layers];
        for (int i = 0; i < caches.Length; i++)
        {
            caches[i] = Cache(g, config, capacity, i);
            x = LanguageLayer.Record(g, x, _weights.At("model.layers").At(i), caches[i], at, config);
        }
        (Caches, Rows) = (caches, x);
    }

    /// <summary>Name of the head's weight below <c>language_model</c>.</summary>
    public static string HeadName(LanguageConfig config) => config.Kind == LanguageKind.InternLm2 ? "output.weight" : "lm_head.weight";

    /// <summary>Name of the embedding table below <c>language_model</c>.</summary>
    public static string TableName(LanguageConfig config) =>
        config.Kind == LanguageKind.InternLm2 ? "model.tok_embeddings.weight" : "model.embed_tokens.weight";

    /// <summary>Token ids I32 [n]; −1 − j stands for row j of <see cref="ImageTokens"/>.</summary>
    public Tensor Ids { get; }

    /// <summary>[rows, H], or null.</summary>
    public Tensor? ImageTokens { get; }

    /// <summary>Keys and values of each layer [capacity, kvHeads·d].</summary>
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
        return (hidden, _graph.Linear(hidden, _weights.Has(name) ? _weights.Get(name, _table.Shape[0], _config.HiddenSize) : _table));
    }

    /// <summary>Sets the run's place in the sequence.</summary>
    /// <param name="plan">A graph that contains this, bound.</param>
    /// <param name="start">Tokens before it.</param>
    /// <param name="count">New tokens.</param>
    public void SetPosition(BoundPlan plan, int start, int count)
    {
        plan.Set(_start, start);
        if (_count is not null) plan.Set(_count, count);
    }

    /// <summary>Where new rows stand in a sequence.</summary>
    /// <param name="g">Graph.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="capacity">Most rows.</param>
    /// <param name="count">New rows of a run; null when there are always <paramref name="rows"/>.</param>
    /// <param name="rows">New rows of every run.</param>
    internal static SequencePosition Position(GraphBuilder g, LanguageConfig config, int capacity, RuntimeScalar? count, int rows = 1)
    {
        RuntimeScalar start = g.Scalar("start", capacity);
        RuntimeScalar length = count is null ? g.Sum("length", capacity, rows, start) : g.Sum("length", capacity, 0, start, count);
        int dim = config.HeadDim, pairs = dim / 2;
        double theta = config.RopeTheta;
        var shape = new Shape(capacity, pairs);
        string key = FormattableString.Invariant($"positions 0…{capacity - 1}, theta {theta:R}, head dim {dim}");
        return new SequencePosition(start, length, g.Constant($"rotary cos, {key}", shape, to => Fill(to, MathF.Cos)),
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

    internal static LayerCache Cache(GraphBuilder g, LanguageConfig config, int capacity, int layer)
    {
        var shape = new Shape(capacity, config.KvHeads * config.HeadDim);
        return new LayerCache(g.State(FormattableString.Invariant($"keys {layer}"), DType.F32, shape),
            g.State(FormattableString.Invariant($"values {layer}"), DType.F32, shape));
    }
}
