namespace Sa2VA.Models;

/// <summary>
/// Sizes of the SAM 2 half. What a checkpoint's <c>grounding_config</c> leaves out has the released value: Hiera-L at 1024².
/// </summary>
public sealed record GroundingConfig
{
    /// <summary>S: side of the network input in pixels; a multiple of 16.</summary>
    public int ImageSize { get; init; } = 1024;

    /// <summary>Channels of the trunk's first stage; they double with each stage.</summary>
    public int EmbedDim { get; init; } = 144;

    /// <summary>Heads of the trunk's first stage; they double with each stage.</summary>
    public int NumHeads { get; init; } = 2;

    /// <summary>Blocks of each of the four stages.</summary>
    public IReadOnlyList<int> Stages { get; init; } = [2, 6, 36, 4];

    /// <summary>Blocks that attend to the whole grid.</summary>
    public IReadOnlyList<int> GlobalAttBlocks { get; init; } = [23, 33, 43];

    /// <summary>Rows and columns of the learned coarse position grid.</summary>
    public IReadOnlyList<int> WindowPosEmbedBkgSpatialSize { get; init; } = [7, 7];

    /// <summary>Window side of each stage, in tokens.</summary>
    public IReadOnlyList<int> WindowSpec { get; init; } = [8, 4, 16, 8];

    /// <summary>D: width of frame tokens, prompts and pointers.</summary>
    public int DModel { get; init; } = 256;

    /// <summary>Dm: width of memory tokens; divides <see cref="DModel"/>.</summary>
    public int MemDim { get; init; } = 64;

    /// <summary>Layers of the memory attention.</summary>
    public int MemoryAttentionLayers { get; init; } = 4;

    /// <summary>Hidden width of the memory attention's feed-forward part.</summary>
    public int MemoryAttentionFfn { get; init; } = 2048;

    /// <summary>Hidden width of the mask decoder's feed-forward part.</summary>
    public int MaskDecoderFfn { get; init; } = 2048;

    /// <summary>Hidden width of the head that predicts IoUs.</summary>
    public int IouHeadHidden { get; init; } = 256;

    /// <summary>ConvNeXt blocks of the memory encoder.</summary>
    public int FuserLayers { get; init; } = 2;

    private static readonly string[] Known =
    [
        "image_size", "embed_dim", "num_heads", "stages", "global_att_blocks", "window_pos_embed_bkg_spatial_size", "window_spec",
            "d_model", "mem_dim",
        "memory_attention_layers", "memory_attention_ffn", "mask_decoder_ffn", "iou_head_hidden", "fuser_layers",
    ];

    internal static GroundingConfig Read(ConfigFields root)
    {
        var released = new GroundingConfig();
        if (root.Object("grounding_config") is not { } g) return released;
        // Upstream has no such object, so a field that is not known here is a mistake.
        foreach (string name in g.Names)
            if (!Known.Contains(name)) throw g.Bad(name, "is not known; it would have no effect");
        var config = new GroundingConfig
        {
            ImageSize = g.Int("image_size", 32, 4096, released.ImageSize),
            EmbedDim = g.Int("embed_dim", 1, 4096, released.EmbedDim),
            NumHeads = g.Int("num_heads", 1, 256, released.NumHeads),
            Stages = g.Ints("stages", 1, 256, 4, 4, released.Stages),
            GlobalAttBlocks = g.Ints("global_att_blocks", 0, 1023, 0, 1024, released.GlobalAttBlocks),
            WindowPosEmbedBkgSpatialSize =
            g.Ints("window_pos_embed_bkg_spatial_size", 1, 1024, 2, 2, released.WindowPosEmbedBkgSpatialSize),
            WindowSpec = g.Ints("window_spec", 1, 1024, 4, 4, released.WindowSpec),
            DModel = g.Int("d_model", 16, 8192, released.DModel),
            MemDim = g.Int("mem_dim", 1, 8192, released.MemDim),
            MemoryAttentionLayers = g.Int("memory_attention_layers", 1, 256, released.MemoryAttentionLayers),
            MemoryAttentionFfn = g.Int("memory_attention_ffn", 1, 1 << 17, released.MemoryAttentionFfn),
            MaskDecoderFfn = g.Int("mask_decoder_ffn", 1, 1 << 17, released.MaskDecoderFfn),
            IouHeadHidden = g.Int("iou_head_hidden", 1, 1 << 16, released.IouHeadHidden),
            FuserLayers = g.Int("fuser_layers", 1, 256, released.FuserLayers),
        };
        // No tensor's shape tells these, so the released value must not go silently with a trunk of another size.
        if (config.EmbedDim != released.EmbedDim || !config.Stages.SequenceEqual(released.Stages))
            foreach (string name in (ReadOnlySpan<string>)["image_size", "num_heads", "global_att_blocks", "window_spec"])
                if (!g.Has(name)) throw g.Bad(name, "is missing; a trunk of another size than the released one must state it");
        if (config.ImageSize % 32 != 0) throw g.Bad("image_size", $"is {config.ImageSize}, no multiple of 32");
        if (config.EmbedDim % config.NumHeads != 0)
            throw g.Bad("num_heads", $"is {config.NumHeads}, which does not divide embed_dim {config.EmbedDim}");
        if (config.DModel % 16 != 0) throw g.Bad("d_model", $"is {config.DModel}, no multiple of 16");
        if (config.DModel % config.MemDim != 0 || config.MemDim % 4 != 0)
            throw g.Bad("mem_dim", $"is {config.MemDim}, no multiple of 4 that divides d_model {config.DModel}");
        for (int i = 0; i < 3; i++)
            if (config.WindowSpec[i] % 2 != 0)
                throw g.Bad("window_spec",
                    $"holds {config.WindowSpec[i]} for stage {i + 1}; windows that the next stage pools must be even");
        foreach (int block in config.GlobalAttBlocks)
            if (block >= config.Stages.Sum()) throw g.Bad("global_att_blocks", $"holds {block}; there are {config.Stages.Sum()} blocks");
        for (int stage = 1, first = config.Stages[0]; stage < 4; first += config.Stages[stage++])
            if (config.GlobalAttBlocks.Contains(first))
                throw g.Bad("global_att_blocks",
                    $"holds {first}, which begins stage {stage + 1}: a block that pools its queries cannot attend globally");
        return config;
    }
}
