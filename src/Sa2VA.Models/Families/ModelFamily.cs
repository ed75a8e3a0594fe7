using System.Text.Json;
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

    /// <summary>Tokens that Sa2VA's training adds to every model.</summary>
    private protected static readonly IReadOnlyList<string> Sa2VATokens = ["[SEG]", "<p>", "</p>", "<vp>", "</vp>"];

    private protected ModelFamily() { }

    /// <summary>Name for programs: <c>internvl</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Name for people: <c>InternVL</c>.</summary>
    public abstract string Title { get; }

    /// <summary>The token that stands for a part of a picture.</summary>
    internal abstract string ContextToken { get; }

    /// <summary>True if a config.json is of this family.</summary>
    /// <param name="root">Its root object.</param>
    internal abstract bool Matches(ConfigFields root);

    /// <summary>Reads config.json.</summary>
    /// <param name="root">Its root object.</param>
    /// <param name="file">Name for messages.</param>
    /// <exception cref="CheckpointException">A field is missing, out of range, or of a kind that is not supported.</exception>
    internal abstract Sa2VAConfig ReadConfig(ConfigFields root, string file);

    /// <summary>Writes what <see cref="ReadConfig"/> reads, fields of the root object, but for the grounding part.</summary>
    internal abstract void WriteConfig(Utf8JsonWriter json, Sa2VAConfig config);

    /// <summary>
    /// Tokens that are added to the base language model's tokenizer, in the order of their ids, which end the vocabulary, and how many of
    /// the first ones are "additional special".
    /// </summary>
    internal abstract (IReadOnlyList<string> Tokens, int Special) AddedTokens { get; }

    /// <summary>How a turn is written.</summary>
    /// <exception cref="CheckpointException">config.json names a template that is not known.</exception>
    internal abstract ChatTemplate Template(Sa2VAConfig config);

    /// <summary>
    /// A first turn as upstream spells it where the caller gives earlier text himself (<c>past_text</c>), without a picture of its own.
    /// </summary>
    internal virtual string Spell(ChatTemplate template, string pastText, string text) => pastText + template.Turn(text);

    /// <summary>True where the picture stands before the user's text, wherever its tag is; else the tag says where.</summary>
    internal virtual bool PutsPictureFirst => false;

    /// <summary>True where a [SEG] of the user's text is an object too.</summary>
    internal virtual bool SegmentsPrompt => false;

    /// <summary>The same configuration with one resize where upstream has more.</summary>
    internal virtual Sa2VAConfig ResizeOnce(Sa2VAConfig config) => config;

    /// <summary>Image rows that suffice for any picture or video.</summary>
    internal abstract int MaxImageRows(Sa2VAConfig config);

    /// <summary>The tokens of each tile that an image of this size is shown as.</summary>
    /// <exception cref="MediaException">The model cannot see an image of this size.</exception>
    internal abstract IReadOnlyList<TokenGrid> Grids(int width, int height, Sa2VAConfig config);

    /// <summary>The tiles of an image, as the vision graph takes them.</summary>
    internal abstract IReadOnlyList<RgbImage> Tiles(RgbImage image, Sa2VAConfig config);

    /// <summary>The tile of a frame of a video.</summary>
    internal abstract RgbImage FrameTile(RgbImage frame, Sa2VAConfig config);

    /// <summary>True if <see cref="FrameTile"/> can give a tile of this size.</summary>
    internal abstract bool IsFrameTile(int width, int height, Sa2VAConfig config);

    /// <summary>The tokens of a tile.</summary>
    internal abstract TokenGrid GridOf(RgbImage tile, Sa2VAConfig config);

    /// <summary>
    /// A region of an image on the grid at whose points the model looks at regions; its area is the region's token count.
    /// </summary>
    /// <exception cref="PromptException">The family knows no regions.</exception>
    internal virtual Mask RegionCells(Mask region, Sa2VAConfig config) =>
        throw new PromptException($"Models of the {Title} family know no regions; name in words what is meant.");

    /// <summary>The text that stands for the picture in a prompt, with a context token for each of its tokens.</summary>
    internal abstract string PictureText(PromptMedia media, Sa2VAConfig config);

    /// <summary>The image row of each context token of the picture, in their order.</summary>
    internal abstract IReadOnlyList<int> PictureRows(PromptMedia media, Sa2VAConfig config);

    /// <summary>Records the vision tower and projector.</summary>
    /// <param name="weights">Checkpoint.</param>
    /// <param name="config">Sizes.</param>
    /// <param name="type">What the tokens are stored as.</param>
    internal abstract VisionGraph RecordVision(IWeightSource weights, Sa2VAConfig config, DType type);

    /// <summary>Asks for every tensor that a checkpoint stores of the vision tower and projector, those that nothing reads too.</summary>
    internal abstract void RecordStoredVision(IWeightSource weights, Sa2VAConfig config);
}
