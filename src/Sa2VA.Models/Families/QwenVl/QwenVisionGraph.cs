using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The vision graph of the Qwen-VL kinds: the patches of one picture of any size up to the model's limit → its tokens, row by row. What
/// follows from the picture's size alone (the order of patches, their angles and positions) is computed by the host and kept while the
/// size stays.
/// </summary>
internal sealed class QwenVisionGraph : VisionGraph
{
    private readonly QwenVisionConfig _config;
    private readonly Recorded _recorded;
    private float[]? _table;
    private TokenGrid? _grid;

    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="hidden">H.</param>
    /// <param name="type">What the tokens are stored as.</param>
    /// <param name="maxTokens">Most tokens of a picture.</param>
    public QwenVisionGraph(IWeightSource weights, QwenVisionConfig config, int hidden, DType type, int maxTokens)
        : this(config, Record(weights, config, hidden, type, maxTokens))
    {
    }

    private QwenVisionGraph(QwenVisionConfig config, Recorded recorded) : base(recorded.Graph, recorded.Tokens)
    {
        (_config, _recorded) = (config, recorded);
    }

    /// <summary>A photograph of 640×480 pixels after both resizes.</summary>
    public override (int Width, int Height) UsualTile => QwenPicture.Sizes(640, 480, _config).Last;

    /// <summary>Input [patches, 3·2·p·p]: the patches in the tower's order.</summary>
    public Tensor Patches => _recorded.Patches;

    public override void SetSize(BoundPlan plan, int width, int height) => SetSize(plan, PatchGrid.Of(width, height, _config));

    /// <summary>Sets lengths and lists for a picture.</summary>
    public void SetSize(BoundPlan plan, PatchGrid grid)
    {
        plan.Set(_recorded.Count, grid.Tokens.Count);
        if (_recorded.Windows is not { } windows) return;
        int count = windows.Count;
        int[] lengths = new int[count], offsets = new int[count + 1], places = new int[grid.Order.Length];
        for (int i = 0; i < count; i++)
        {
            offsets[i + 1] = i < grid.WindowEnds.Length ? grid.WindowEnds[i] : grid.Patches;
            lengths[i] = offsets[i + 1] - offsets[i];
        }
        for (int place = 0; place < places.Length; place++) places[grid.Order[place]] = place;
        plan.Set(windows.KeyLengths, lengths).Set(windows.QueryOffsets!, offsets).Set(_recorded.Places!, places);
    }

    public override void Write(RgbImage tile, DeviceQueue queue, IReadOnlyDictionary<Tensor, DeviceBuffer> buffers)
    {
        PatchGrid grid = PatchGrid.Of(tile.Width, tile.Height, _config);
        if (_grid != grid.Tokens)
        {
            _grid = null;
            foreach ((Tensor input, float[] values) in Inputs(grid)) queue.Write<float>(buffers[input], values);
            _grid = grid.Tokens;
        }
        queue.Write<float>(buffers[Patches], grid.Pack(tile, _config.PatchSize, QwenVlFamily.Levels(_config.Kind)));
    }

    /// <summary>Inputs whose values follow from the picture's size alone.</summary>
    public IEnumerable<(Tensor Input, float[] Values)> Inputs(PatchGrid grid)
    {
        float[] angles = grid.Angles(_config.HeadDim, QwenVisionConfig.RopeTheta);
        yield return (_recorded.Cos, Array.ConvertAll(angles, MathF.Cos));
        yield return (_recorded.Sin, Array.ConvertAll(angles, MathF.Sin));
        if (_recorded.Positions is { } positions)
            yield return (positions, grid.Positions(_table ??= _recorded.Table!.ReadValues(), _config.PositionGrid));
    }

    private static Recorded Record(IWeightSource weights, QwenVisionConfig config, int hidden, DType type, int maxTokens)
    {
        var g = new GraphBuilder("vision tower", weights);
        WeightScope w = g.At(QwenVlFamily.VisionPrefix);
        int most = 4 * maxTokens, pairs = config.HeadDim / 2;
        RuntimeScalar count = g.Scalar("tokens", maxTokens), rows = g.Sum("patches", most, 0, new ScalarTerm(count, 4));
        Tensor patches = g.Input("patches", DType.F32, new Shape(most, config.PatchVector), rows);
        Tensor cos = g.Input("rotary cos", DType.F32, new Shape(most, pairs), rows);
        Tensor sin = g.Input("rotary sin", DType.F32, new Shape(most, pairs), rows);
        Weight? table = config.PositionGrid == 0 ? null
            : w.At("pos_embed").Get("weight", config.PositionGrid * config.PositionGrid, config.HiddenSize);
        Tensor? positions = table is null ? null : g.Input("positions", DType.F32, new Shape(most, config.HiddenSize), rows);
        AttentionSegments? windows = config.WindowTokens == 0 ? null : Windows(g, config, maxTokens);
        Tensor? places = windows is null ? null : g.List("places of tokens", new Shape(maxTokens), new IndexRange(0, maxTokens), count);

        Tensor x = QwenVit.Embed(g, patches, w.At("patch_embed"), config, positions);
        var tokens = new List<Tensor>();
        for (int i = 0; i < config.Layers; i++)
        {
            x = QwenVit.Layer(g, x, w.At("blocks").At(i), new RotaryTables(cos, sin, null), config.IsWindowed(i) ? windows : null, config);
            if (config.DeepstackLayers.Contains(i))
                tokens.Add(QwenVit.MergeDeep(g, x, w.At("deepstack_merger_list").At(tokens.Count), config, hidden, count));
        }
        tokens.Insert(0, QwenVit.Merge(g, x, w.At("merger"), config, hidden, count));
        for (int i = 0; i < tokens.Count; i++)
        {
            Tensor rowByRow = places is null ? tokens[i] : g.Gather(tokens[i], places);
            tokens[i] = g.Output(i == 0 ? "tile tokens" : FormattableString.Invariant($"tile rows {i}"), g.As(type, rowByRow));
        }
        return new Recorded(g.Build(), count, patches, cos, sin)
        {
            Tokens = tokens, Positions = positions, Table = table, Windows = windows, Places = places,
        };
    }

    /// <summary>Room for the windows of any grid: a grid of one row has most, a window for each four tokens.</summary>
    private static AttentionSegments Windows(GraphBuilder g, QwenVisionConfig config, int maxTokens)
    {
        int most = maxTokens / config.WindowTokens + 1, end = 4 * maxTokens + 1;
        return new AttentionSegments(g.List("window keys", new Shape(most), new IndexRange(0, end)),
            g.List("window offsets", new Shape(most + 1), new IndexRange(0, end)));
    }

    private sealed record Recorded(Graph Graph, RuntimeScalar Count, Tensor Patches, Tensor Cos, Tensor Sin)
    {
        public required IReadOnlyList<Tensor> Tokens { get; init; }

        public Tensor? Positions { get; init; }

        public Weight? Table { get; init; }

        public AttentionSegments? Windows { get; init; }

        /// <summary>The place of each token, counted row by row, in the tower's order.</summary>
        public Tensor? Places { get; init; }
    }
}
