using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// What the vision-language models of one family do in their own way: how they read config.json, cut pictures, name them in a prompt, and
/// turn pixels into tokens. The rest is common to all: the decoders, SAM 2, generation, tracking.
/// </summary>
public abstract class ModelFamily
{
    /// <summary>Most frames of a video that a prompt shows.</summary>
    public const int MaxFrames = 13;

    private protected ModelFamily() { }

    /// <summary>Name for programs: <c>internvl</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Name for people: <c>InternVL</c>.</summary>
    public abstract string Title { get; }

    /// <summary>The token that stands for a part of a picture.</summary>
    internal abstract string ContextToken { get; }

    /// <summary>True if a config.json with these fields is of this family.</summary>
    /// <param name="architecture">First of <c>architectures</c>, or empty.</param>
    /// <param name="modelType"><c>model_type</c>, or empty.</param>
    internal abstract bool Matches(string architecture, string modelType);

    /// <summary>Reads config.json.</summary>
    /// <param name="root">Its root object.</param>
    /// <param name="file">Name for messages.</param>
    /// <exception cref="CheckpointException">A field is missing, out of range, or of a kind that is not supported.</exception>
    internal abstract Sa2VAConfig ReadConfig(ConfigFields root, string file);

    /// <summary>How a turn is written.</summary>
    /// <exception cref="CheckpointException">config.json names a template that is not known.</exception>
    internal abstract ChatTemplate Template(Sa2VAConfig config);

    /// <summary>Image rows that suffice for any picture or video.</summary>
    internal abstract int MaxImageRows(Sa2VAConfig config);

    /// <summary>Tiles that an image of this size is shown as.</summary>
    internal abstract int TileCount(int width, int height, Sa2VAConfig config);

    /// <summary>The tiles of an image, as the vision graph takes them.</summary>
    internal abstract IReadOnlyList<RgbImage> Tiles(RgbImage image, Sa2VAConfig config);

    /// <summary>The tile of a frame of a video.</summary>
    internal abstract RgbImage FrameTile(RgbImage frame, Sa2VAConfig config);

    /// <summary>
    /// A region of an image on the grid at whose points the model looks at regions; its area is the region's token count.
    /// </summary>
    internal abstract Mask RegionCells(Mask region, Sa2VAConfig config);

    /// <summary>The text that stands for the picture in a prompt, with a context token for each of its tokens.</summary>
    internal abstract string PictureText(PromptMedia media, Sa2VAConfig config);

    /// <summary>The image row of each context token of the picture, in their order.</summary>
    internal abstract IReadOnlyList<int> PictureRows(PromptMedia media, Sa2VAConfig config);

    /// <summary>Records the vision tower and projector on 8-bit pixels.</summary>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="type">What the tokens are stored as.</param>
    internal abstract VisionGraph RecordVision(IWeightSource weights, Sa2VAConfig config, DType type);

    /// <summary>Asks for every tensor that a checkpoint stores of the vision tower and projector, those that nothing reads too.</summary>
    internal abstract void RecordStoredVision(IWeightSource weights, Sa2VAConfig config);
}
