namespace Sa2VA.Models;

/// <summary>Generations of Qwen-VL, whose vision towers differ (docs/model/qwen-vl.md#vision-tower).</summary>
public enum QwenVlKind
{
    /// <summary>Qwen2.5-VL: RMS norms, SwiGLU, attention in windows.</summary>
    Qwen25,

    /// <summary>Qwen3-VL: layer norms, a table of positions, rows for the language model's first layers.</summary>
    Qwen3,
}

/// <summary>Sizes of a Qwen-VL vision tower and its mergers (docs/model/qwen-vl.md#configuration).</summary>
public sealed record QwenVisionConfig : VisionConfig
{
    /// <summary>Patches along the side of a token: a token is made of 2×2 patches.</summary>
    public const int Merge = 2;

    /// <summary>Frames that a patch spans; a still image is all of them.</summary>
    public const int Temporal = 2;

    /// <summary>Base of the tower's rotary frequencies.</summary>
    internal const double RopeTheta = 10000;

    /// <summary>Added to variances and mean squares.</summary>
    internal const float Epsilon = 1e-6f;

    /// <summary>Generation.</summary>
    public QwenVlKind Kind { get; init; }

    /// <summary>Side of a window in tokens; 0 where every layer sees the whole picture.</summary>
    public int WindowTokens { get; init; }

    /// <summary>Layers that see the whole picture where others see windows.</summary>
    public IReadOnlyList<int> FullLayers { get; init; } = [];

    /// <summary>Side of the learned table of positions; 0 where there is none.</summary>
    public int PositionGrid { get; init; }

    /// <summary>Layers behind which rows for the language model's first layers are made.</summary>
    public IReadOnlyList<int> DeepstackLayers { get; init; } = [];

    /// <summary>
    /// True to bring a picture to its size in one resize; false, as upstream does, in two: to multiples of 28 pixels and from there
    /// (docs/model/qwen-vl.md#two-resizes).
    /// </summary>
    public bool SingleResize { get; init; }

    /// <summary>Id of the token that stands for a part of a picture, where config.json names it; the tokenizer decides.</summary>
    public int? ImageTokenId { get; init; }

    /// <summary>Width of a head.</summary>
    public int HeadDim => HiddenSize / Heads;

    /// <summary>Side of a token in pixels.</summary>
    public int TokenSide => Merge * PatchSize;

    /// <summary>Numbers of a patch: [3, 2, p, p].</summary>
    public int PatchVector => 3 * Temporal * PatchSize * PatchSize;

    /// <summary>Most tokens of a picture.</summary>
    public int MaxTokens => (int)(QwenPicture.MaxPixels / (TokenSide * TokenSide));

    /// <summary>True if a layer sees windows alone.</summary>
    public bool IsWindowed(int layer) => WindowTokens > 0 && !FullLayers.Contains(layer);

    /// <inheritdoc/>
    public override string Describe()
    {
        string windows = WindowTokens > 0
            ? FormattableString.Invariant($"windows of {WindowTokens * TokenSide} pixels but in {FullLayers.Count} layers")
            : FormattableString.Invariant($"rows for {DeepstackLayers.Count} layers of the language model");
        return FormattableString.Invariant($"{Layers} layers, {Heads} heads, {windows}, ")
            + FormattableString.Invariant($"a token for {TokenSide}×{TokenSide} pixels, at most {MaxTokens}");
    }

    internal static QwenVisionConfig Read(ConfigFields root, QwenVlKind kind, int languageWidth)
    {
        ConfigFields v = root.RequiredObject("vision_config").Renamed(("in_channels", "in_chans"), ("hidden_act", "hidden_activation"));
        Quantization.Refuse(v);
        int hidden = v.Int("hidden_size", 1, 1 << 16), heads = v.Int("num_heads", 1, 1024), layers = v.Int("depth", 1, 1024);
        if (hidden % heads != 0 || hidden / heads % 4 != 0)
            throw v.Bad("num_heads", $"is {heads}; hidden_size {hidden} must fall into heads of a multiple of 4");
        int patch = v.Int("patch_size", 2, 64);
        (string, int)[] fixedSizes = [("spatial_merge_size", Merge), ("temporal_patch_size", Temporal), ("in_channels", 3)];
        foreach ((string name, int only) in fixedSizes)
            if (v.Int(name, 1, 1 << 16, only) is var value && value != only) throw v.Bad(name, $"is {value}; only {only} is supported");
        string activation = kind == QwenVlKind.Qwen25 ? "silu" : "gelu_pytorch_tanh";
        if (v.Text("hidden_act") is { } stated && stated != activation)
            throw v.Bad("hidden_act", $"is '{stated}'; only {activation} is supported");
        int width = v.Int("out_hidden_size", 1, 1 << 16);
        if (width != languageWidth) throw v.Bad("out_hidden_size", $"is {width}, the language model's hidden_size is {languageWidth}");
        var config = new QwenVisionConfig
        {
            Kind = kind,
            HiddenSize = hidden,
            Layers = layers,
            Heads = heads,
            IntermediateSize = v.Int("intermediate_size", 1, 1 << 18),
            PatchSize = patch,
            ImageTokenId = root.Has("image_token_id") ? root.Int("image_token_id", 0, 1 << 22) : null,
        };
        if (kind == QwenVlKind.Qwen25)
        {
            int window = v.Int("window_size", 1, 8192);
            if (window < Merge * patch) throw v.Bad("window_size", $"is {window}, less than the {Merge * patch} pixels of a token");
            return config with
            {
                WindowTokens = window / Merge / patch,
                FullLayers = v.Has("fullatt_block_indexes") ? v.Ints("fullatt_block_indexes", 0, layers - 1, 0, layers, [])
                    : throw v.Bad("fullatt_block_indexes", "is missing"),
            };
        }
        int table = v.Int("num_position_embeddings", 1, 1 << 20), side = (int)Math.Round(Math.Sqrt(table));
        if (side * side != table) throw v.Bad("num_position_embeddings", $"is {table}, no square");
        IReadOnlyList<int> taps = v.Ints("deepstack_visual_indexes", 0, layers - 1, 0, layers, []);
        if (!taps.SequenceEqual(taps.Distinct().Order())) throw v.Bad("deepstack_visual_indexes", "does not rise");
        return config with { PositionGrid = side, DeepstackLayers = taps };
    }
}
