using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A run of the language model over some new tokens behind a cache: a chunk of the prompt, or one decode step.</summary>
internal sealed class LanguageGraph
{
    private readonly RuntimeScalar _start, _length;

    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="chunk">Most new tokens of a run; 1 for decode steps.</param>
    /// <param name="capacity">Most tokens of a sequence.</param>
    /// <param name="imageRows">Rows of <see cref="ImageTokens"/>; 0 when no token stands for a part of an image.</param>
    /// <param name="everyRow">True to put out hidden states and logits of all rows, not of the last one alone.</param>
    public LanguageGraph(IWeightSource weights, LanguageConfig config, int chunk, int capacity, int imageRows = 0, bool everyRow = false)
    {
        var g = new GraphBuilder(chunk == 1 ? "decode" : "prefill", weights);
        WeightScope w = g.At("language_model");
        bool fused = config.Kind == LanguageKind.InternLm2;
        if (chunk > 1) TokenCount = g.Scalar("tokens", chunk);
        Ids = g.Input("ids", DType.I32, new Shape(chunk), TokenCount);
        SequencePosition at = Position(g, config, capacity);
        (_start, _length) = (at.Start, at.Length);
        if (imageRows > 0) ImageTokens = g.Input("image tokens", DType.F32, new Shape(imageRows, config.HiddenSize));

        Weight table = w.Table(TableName(config), config.VocabularySize, config.HiddenSize);
        Tensor x = g.Embedding(table, Ids, ImageTokens);
        var caches = new LayerCache[config.Layers];
        for (int i = 0; i < caches.Length; i++)
        {
            caches[i] = Cache(g, config, capacity, i);
            x = LanguageLayer.Record(g, x, w.At("model.layers").At(i), caches[i], at, config);
        }
        Caches = caches;

        // The final norm and the head matter for the last row alone, unless all are asked for.
        Tensor last = everyRow || chunk == 1 ? x : g.LastRow(x);
        Tensor hidden = g.RmsNorm(last, w.At("model.norm"), config.Epsilon);
        // Training parts head and embedding even where config.json ties them, so a stored head is always used, and the embedding serves
        // without one.
        string headName = HeadName(config);
        Tensor logits = g.Linear(hidden, w.Has(headName) ? w.Get(headName, table.Shape[0], config.HiddenSize) : table);
        Next = g.Output("next", g.ArgMax(logits));
        Hidden = g.Output("hidden", hidden);
        Logits = everyRow ? g.Output("logits", logits) : null;
        Graph = g.Build();
    }

    /// <summary>Name of the head's weight below <c>language_model</c>.</summary>
    public static string HeadName(LanguageConfig config) => config.Kind == LanguageKind.InternLm2 ? "output.weight" : "lm_head.weight";

    /// <summary>Name of the embedding table below <c>language_model</c>.</summary>
    public static string TableName(LanguageConfig config) =>
        config.Kind == LanguageKind.InternLm2 ? "model.tok_embeddings.weight" : "model.embed_tokens.weight";

    public Graph Graph { get; }

    /// <summary>Token ids I32 [n]; −1 − j stands for row j of <see cref="ImageTokens"/>.</summary>
    public Tensor Ids { get; }

    /// <summary>n; null for decode steps.</summary>
    public RuntimeScalar? TokenCount { get; }

    /// <summary>[rows, H], or null.</summary>
    public Tensor? ImageTokens { get; }

    /// <summary>Keys and values of each layer [capacity, kvHeads·d].</summary>
    public IReadOnlyList<LayerCache> Caches { get; }

    /// <summary>Most likely next token I32 [1], or after each row.</summary>
    public Tensor Next { get; }

    /// <summary>State after the final norm [1, H], or of all rows.</summary>
    public Tensor Hidden { get; }

    /// <summary>[n, V], if asked for.</summary>
    public Tensor? Logits { get; }

    /// <summary>Sets the run's place in the sequence.</summary>
    /// <param name="bindings">Bindings of this graph.</param>
    /// <param name="start">Tokens before it.</param>
    /// <param name="count">New tokens.</param>
    public void SetPosition(PlanBindings bindings, int start, int count)
    {
        bindings.Set(_start, start).Set(_length, start + count);
        if (TokenCount is not null) bindings.Set(TokenCount, count);
    }

    internal static SequencePosition Position(GraphBuilder g, LanguageConfig config, int capacity)
    {
        RuntimeScalar start = g.Scalar("start", capacity), length = g.Scalar("length", capacity);
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
