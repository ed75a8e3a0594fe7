namespace Sa2VA.Models;

/// <summary>Sizes of the SAM 2 half. What a checkpoint's <c>grounding_config</c> leaves out has the released value: Hiera-L at 1024².</summary>
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
}
