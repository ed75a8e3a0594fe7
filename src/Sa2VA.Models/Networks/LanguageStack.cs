using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The language model inside a graph (docs/model/language.md): token ids → rows behind the last layer, whatever then becomes of them.
/// </summary>
internal sealed class LanguageStack
{
    private readonly GraphBuilder _graph;
    private readonly WeightScope _body;
    private readonly LanguageConfig _config;
    private readonly int _rows;

    /// <param name="g">Graph that it is recorded in.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="ids">Token ids I32 [n]; −1 − j stands for row j of <see cref="ImageTokens"/>.</param>
    /// <param name="at">Where the rows stand.</param>
    /// <param name="imageRows">Rows of <see cref="ImageTokens"/>; 0 when no token stands for a part of an image.</param>
    public LanguageStack(GraphBuilder g, LanguageConfig config, Tensor ids, SequenceRows at, int imageRows = 0)
    {
        (_graph, _body, _config) = (g, g.At(config.Prefixes.Body), config);
        if (imageRows > 0) ImageTokens = [.. Enumerable.Range(0, 1 + config.DeepstackLayers).Select(DeclareImages)];
        RotaryTables tables = at.Axes is { } axes ? AxisTables(g, config, at, axes) : Tables(g, config, at.Kv.Capacity, at.Positions);
        Weight table = Table(g, config);
        _rows = table.Shape[0];
        Tensor x = g.Embedding(table, ids, ImageTokens.Count > 0 ? ImageTokens[0] : null);
        var caches = new LayerCache[config.Layers];
        for (int i = 0; i < caches.Length; i++)
        {
            caches[i] = Cache(g, config, at.Kv, i);
            x = LanguageLayer.Record(g, x, _body.At("layers").At(i), new LayerPlace(caches[i], at, tables), config);
            // Rows that stand for no part of an image get zeros.
            if (at.ImageRows is { } rows && i < config.DeepstackLayers)
                x = g.Add(x, g.As(DType.F32, g.Gather(ImageTokens[1 + i], rows)));
        }
        (Caches, Rows) = (caches, x);

        Tensor DeclareImages(int level) => g.Input(
            level == 0 ? "image tokens" : FormattableString.Invariant($"image rows behind layer {level - 1}"), at.Kv.Type,
            new Shape(imageRows, config.HiddenSize));
    }

    /// <summary>Name of the head's weight.</summary>
    public static string HeadName(LanguageConfig config) =>
        $"{config.Prefixes.Head}.{(config.Kind == LanguageKind.InternLm2 ? "output.weight" : "lm_head.weight")}";

    /// <summary>Name of the embedding table.</summary>
    public static string TableName(LanguageConfig config) =>
        $"{config.Prefixes.Body}.{(config.Kind == LanguageKind.InternLm2 ? "tok_embeddings.weight" : "embed_tokens.weight")}";

    /// <summary>Ids that a host may give: those of the embedding table, or −1 − j for row j of the image tokens.</summary>
    public static IndexRange IdRange(GraphBuilder g, LanguageConfig config, int imageRows) => new(-imageRows, Table(g, config).Shape[0]);

    /// <summary>
    /// Inputs [rows, H]: what stands for parts of an image, then what is added to that behind the first layers. Empty where no token does.
    /// </summary>
    public IReadOnlyList<Tensor> ImageTokens { get; } = [];

    /// <summary>Keys and values of each layer, pools [pages·r, kvHeads·d].</summary>
    public IReadOnlyList<LayerCache> Caches { get; }

    /// <summary>States behind the last layer [n, H].</summary>
    public Tensor Rows { get; }

    /// <summary>
    /// Records the final norm and the head on some of <see cref="Rows"/> [k, H] → the states that [SEG] is read from, those behind the
    /// norm [k, H], and logits [k, V].
    /// </summary>
    public (Tensor State, Tensor Normed, Tensor Logits) Head(Tensor rows)
    {
        Tensor normed = _graph.RmsNorm(rows, _body.At("norm"), _config.Epsilon);
        // Training parts head and embedding even where config.json ties them, so a stored head is always used, and the embedding serves
        // without one.
        string name = HeadName(_config);
        using GraphBuilder.BitsScope _ = _graph.AllowWeightBits(8);
        Weight head = _graph.HasWeight(name) ? _graph.Weight(name, _rows, _config.HiddenSize) : Table(_graph, _config);
        return (_config.SegBeforeNorm ? rows : normed, normed, _graph.Linear(normed, head));
    }

    /// <summary>Records the angles of every position that a sequence may have.</summary>
    internal static RotaryTables Tables(GraphBuilder g, LanguageConfig config, int capacity, Tensor positions)
    {
        string key = TableKey(config, capacity);
        var shape = new Shape(capacity, config.HeadDim / 2);
        return new RotaryTables(g.Constant($"rotary cos, {key}", shape, to => Fill(config, to, shape.Last, MathF.Cos)),
            g.Constant($"rotary sin, {key}", shape, to => Fill(config, to, shape.Last, MathF.Sin)), positions);
    }

    /// <summary>
    /// Records the angles of each row, whose frequencies follow three axes: of each axis's position the cosines and sines of its own
    /// frequencies, and zeros for the others, which add up to the angles without rounding.
    /// </summary>
    internal static RotaryTables AxisTables(GraphBuilder g, LanguageConfig config, SequenceRows at, AxisPositions axes)
    {
        int pairs = config.HeadDim / 2, width = config.HeadDim;
        RotarySections sections = config.Rotary!;
        Tensor table = g.Constant($"rotary cos and sin, {TableKey(config, at.Kv.Capacity)}", new Shape(at.Kv.Capacity, width), to =>
        {
            Fill(config, to, width, MathF.Cos);
            Fill(config, to[pairs..], width, MathF.Sin);
        });
        using GraphBuilder.FloatScope exact = g.KeepFloat();
        Tensor sum = g.Add(g.Add(Axis(0, at.Positions), Axis(1, axes.Rows)), Axis(2, axes.Columns));
        return new RotaryTables(g.SliceChannels(sum, 0, pairs), g.SliceChannels(sum, pairs, pairs), null);

        Tensor Axis(int axis, Tensor positions) => g.Multiply(g.Gather(table, positions),
            g.Constant(FormattableString.Invariant($"frequencies of axis {axis} by {sections}"), new Shape(width), to =>
            {
                for (int i = 0; i < width; i++) to[i] = sections.AxisOf(i % pairs) == axis ? 1 : 0;
            }));
    }

    private static string TableKey(LanguageConfig config, int capacity) => FormattableString.Invariant(
        $"positions 0…{capacity - 1}, theta {config.RopeTheta:R}, head dim {config.HeadDim}");

    /// <summary>Fills the first columns of a table's rows.</summary>
    private static void Fill(LanguageConfig config, Span<float> table, int width, Func<float, float> function)
    {
        for (int i = 0; i < config.HeadDim / 2; i++)
        {
            float frequency = 1 / (float)Math.Pow(config.RopeTheta, (float)(2 * i) / config.HeadDim);
            for (int p = 0; p * width + i < table.Length; p++) table[p * width + i] = function(p * frequency);
        }
    }

    internal static LayerCache Cache(GraphBuilder g, LanguageConfig config, KvLayout kv, int layer)
    {
        var shape = new Shape(kv.Pages * KvLayout.PageRows, config.KvHeads * config.HeadDim);
        return new LayerCache(g.State(FormattableString.Invariant($"keys {layer}"), kv.Type, shape),
            g.State(FormattableString.Invariant($"values {layer}"), kv.Type, shape));
    }

    private static Weight Table(GraphBuilder g, LanguageConfig config) =>
        g.Table(TableName(config), config.VocabularySize, config.HiddenSize);
}
