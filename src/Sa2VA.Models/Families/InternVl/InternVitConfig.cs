namespace Sa2VA.Models;

/// <summary>Sizes of InternViT and of the projector behind it (docs/model/vision.md).</summary>
public sealed record InternVitConfig : VisionConfig
{
    // Keeps the position table, and what follows from it, within the extents that a tensor may have.
    private const int MaxGrid = 1024;

    /// <summary>What upstream's configuration class has where config.json says nothing.</summary>
    public InternVitConfig() => (HiddenSize, Layers, Heads, IntermediateSize, PatchSize) = (3200, 48, 25, 12800, 14);

    /// <summary>Side of the image that the position table was made for, in pixels.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>True for RMS norms, false for layer norms.</summary>
    public bool RmsNorm { get; init; } = true;

    /// <summary>Added to the variance.</summary>
    public float Epsilon { get; init; } = 1e-6f;

    /// <summary>True when the fused projection has a bias.</summary>
    public bool QkvBias { get; init; }

    /// <summary>True when queries and keys pass an RMS norm over the full width.</summary>
    public bool QkNormalization { get; init; } = true;

    /// <summary>t: side of a tile in pixels; a multiple of twice <see cref="VisionConfig.PatchSize"/>.</summary>
    public int TileSize { get; init; } = 224;

    /// <summary>Layers that run: the tower's output is the residual stream after this many.</summary>
    public int SelectedLayers { get; init; } = 48;

    /// <summary>True for pixel shuffle v1, whose tokens are transposed (docs/model/vision.md#pixel-shuffle).</summary>
    public bool TransposedShuffle { get; init; } = true;

    /// <summary>Patches along a tile's side.</summary>
    public int Grid => TileSize / PatchSize;

    /// <summary>Tokens that the language model gets per tile.</summary>
    public int TokensPerTile => Grid / 2 * (Grid / 2);

    /// <inheritdoc/>
    public override string Describe() => FormattableString.Invariant(
        $"{SelectedLayers} of {Layers} layers, {Heads} heads, tiles of {TileSize}×{TileSize} pixels as {TokensPerTile} tokens");

    internal static InternVitConfig Read(ConfigFields root)
    {
        // What is absent has the default of upstream's configuration class, which is what upstream computes then.
        ConfigFields v = root.RequiredObject("vision_config")
            .Renamed(("qkv_bias", "attention_bias"), ("qk_normalization", "use_qk_norm"), ("hidden_act", "hidden_activation"));
        if (v.FirstText("architectures") is { } architecture and not "InternVisionModel")
            throw v.Bad("architectures", $"is '{architecture}'; only InternVisionModel is supported");
        if (v.Text("model_type") is { } type && !type.StartsWith("intern_vit", StringComparison.Ordinal) && type != "internvl_vision")
            throw v.Bad("model_type", $"is '{type}'; only intern_vit_6b, the kind of every InternViT, is supported");
        Quantization.Refuse(v);
        int hidden = v.Int("hidden_size", 1, 1 << 16, 3200), heads = v.Int("num_attention_heads", 1, 1024, 25);
        int layers = v.Int("num_hidden_layers", 1, 1024, 48);
        int patch = v.Side("patch_size", 1, 256, 14), image = v.Side("image_size", patch, 8192, 224);
        if (v.Int("num_channels", 1, 1 << 16, 3) is var channels and not 3)
            throw v.Bad("num_channels", $"is {channels}; pictures have 3 channels");
        if (hidden % heads != 0 && !v.Has("num_attention_heads"))
            throw v.Bad("num_attention_heads", $"is missing, and the default of {heads} does not divide hidden_size {hidden}");
        if (hidden % heads != 0) throw v.Bad("num_attention_heads", $"is {heads}, which does not divide hidden_size {hidden}");
        if (image / patch > MaxGrid) throw v.Bad("image_size", $"is {image}: more than {MaxGrid} patches of {patch} along a side");
        if (image % patch != 0) throw v.Bad("image_size", $"is {image}, no multiple of patch_size {patch}");
        string norm = v.Text("norm_type") ?? "rms_norm";
        if (norm is not ("rms_norm" or "layer_norm")) throw v.Bad("norm_type", $"is '{norm}', neither rms_norm nor layer_norm");
        string activation = v.Text("hidden_act") ?? "gelu";
        if (activation != "gelu") throw v.Bad("hidden_act", $"is '{activation}'; only gelu is supported");

        int tile = root.Side("force_image_size", 2 * patch, 8192, image);
        if (tile % (2 * patch) != 0) throw root.Bad("force_image_size", $"is {tile}, no multiple of twice the patch size {patch}");
        if (tile / patch > MaxGrid) throw root.Bad("force_image_size", $"is {tile}: more than {MaxGrid} patches of {patch} along a side");
        int select = root.Int("select_layer", -layers - 1, layers, -1);
        if (root.Number("downsample_ratio", 0, 1, 0.5) != 0.5) throw root.Bad("downsample_ratio", "is not 0.5, the only supported value");
        string shuffle = root.Text("ps_version") ?? "v1";
        if (shuffle is not ("v1" or "v2")) throw root.Bad("ps_version", $"is '{shuffle}', neither v1 nor v2");
        return new InternVitConfig
        {
            HiddenSize = hidden,
            Layers = layers,
            Heads = heads,
            IntermediateSize = v.Int("intermediate_size", 1, 1 << 18, 12800),
            PatchSize = patch,
            ImageSize = image,
            RmsNorm = norm == "rms_norm",
            Epsilon = (float)v.Number("layer_norm_eps", 0, 1, 1e-6),
            QkvBias = v.Flag("qkv_bias", false),
            QkNormalization = v.Flag("qk_normalization", true),
            TileSize = tile,
            SelectedLayers = select < 0 ? layers + 1 + select : select,
            TransposedShuffle = shuffle == "v1",
        };
    }
}
