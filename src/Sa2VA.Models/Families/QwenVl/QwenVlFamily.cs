using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The Qwen-VL kinds (docs/model/qwen-vl.md): pictures of their own size, a token for 2×2 patches, positions on three axes, and the
/// checkpoint's own chat format.
/// </summary>
internal sealed class QwenVlFamily : ModelFamily
{
    /// <summary>What precedes the names of the vision tower's tensors.</summary>
    public const string VisionPrefix = "model.model.visual";

    private const string Begin = "<|vision_start|>", Pad = "<|image_pad|>", End = "<|vision_end|>";

    private readonly QwenVlKind _kind;
    private readonly string _modelType;

    private QwenVlFamily(QwenVlKind kind, string name, string title, string modelType) =>
        (_kind, Name, Title, _modelType) = (kind, name, title, modelType);

    public static QwenVlFamily Qwen25 { get; } = new(QwenVlKind.Qwen25, "qwen2_5-vl", "Qwen2.5-VL", "qwen2_5_vl");

    public static QwenVlFamily Qwen3 { get; } = new(QwenVlKind.Qwen3, "qwen3-vl", "Qwen3-VL", "qwen3_vl");

    public override string Name { get; }

    public override string Title { get; }

    /// <summary>What <see cref="Sa2VAConfig.Template"/> says: the checkpoint's own chat format, whatever config.json names.</summary>
    internal string TemplateName => _modelType;

    internal override string ContextToken => Pad;

    internal override bool PutsPictureFirst => true;

    internal override bool SegmentsPrompt => true;

    /// <summary>What the tower is given for each channel and 8-bit level [3, 256].</summary>
    public static float[] Levels(QwenVlKind kind) => kind == QwenVlKind.Qwen25 ? Normalisation.Qwen25 : Normalisation.Qwen3;

    // Transformers writes the wrapper's name into one place or the other.
    internal override bool Matches(ConfigFields root) =>
        (root.FirstText("architectures") ?? root.Object("text_config")?.FirstText("architectures")) is null or "Sa2VAChatModelQwen"
        && (root.Text("model_type") ?? "sa2va_chat") is "sa2va_chat"
        && (root.Object("text_config")?.Text("model_type") ?? root.Object("vision_config")?.Text("model_type")) is { } type
        && (type == _modelType || type == _modelType + "_text");

    internal override Sa2VAConfig ReadConfig(ConfigFields root, string file)
    {
        StoredQuantization? quantization = StoredQuantization.Read(root);
        LanguageConfig language = LanguageConfig.Read(root, LanguageConfig.Named(root.RequiredObject("text_config")),
            _kind == QwenVlKind.Qwen25 ? LanguageKind.Qwen2 : LanguageKind.Qwen3, axes: true);
        if (language.Rotary is null)
            throw root.RequiredObject("text_config").Bad("rope_scaling", "has no mrope_section, which says how positions have three axes");
        QwenVisionConfig vision = QwenVisionConfig.Read(root, _kind, language.HiddenSize);
        if (vision.DeepstackLayers.Count > language.Layers)
            throw root.Bad("vision_config.deepstack_visual_indexes", $"names more layers than the {language.Layers} of the language model");
        return new Sa2VAConfig
        {
            Family = this,
            Vision = vision,
            Language = Decoder(language, vision),
            Grounding = GroundingConfig.Read(root),
            Quantization = quantization,
            Template = TemplateName,
        };
    }

    /// <summary>What the family adds to its decoder's sizes.</summary>
    internal static LanguageConfig Decoder(LanguageConfig language, QwenVisionConfig vision) => language with
    {
        Prefixes = new LanguagePrefixes("model.model.language_model", "model"),
        DeepstackLayers = vision.DeepstackLayers.Count,
        SegBeforeNorm = vision.Kind == QwenVlKind.Qwen3,
    };

    internal override void WriteConfig(Utf8JsonWriter json, Sa2VAConfig config) => QwenVlConfigFile.Write(json, config, _modelType);

    internal override (IReadOnlyList<string> Tokens, int Special) AddedTokens => (Sa2VATokens, 0);

    // Qwen2.5's own template begins with a system turn where none is given, and upstream gives none.
    internal override ChatTemplate Template(Sa2VAConfig config) =>
        new("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>", "\n", ["<|im_end|>"])
        {
            System = _kind == QwenVlKind.Qwen25 ? "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" : "",
        };

    internal override string Spell(ChatTemplate template, string pastText, string text) => template.Turn(pastText + text);

    internal override Sa2VAConfig ResizeOnce(Sa2VAConfig config) => config with { Vision = Vision(config) with { SingleResize = true } };

    internal override int MaxImageRows(Sa2VAConfig config) => MaxFrames * Vision(config).MaxTokens;

    internal override IReadOnlyList<TokenGrid> Grids(int width, int height, Sa2VAConfig config)
    {
        (int w, int h) = QwenPicture.Sizes(width, height, Vision(config)).Last;
        return [PatchGrid.Of(w, h, Vision(config)).Tokens];
    }

    internal override IReadOnlyList<RgbImage> Tiles(RgbImage image, Sa2VAConfig config) => [FrameTile(image, config)];

    internal override RgbImage FrameTile(RgbImage frame, Sa2VAConfig config) => QwenPicture.Resize(frame, Vision(config)).Last;

    internal override bool IsFrameTile(int width, int height, Sa2VAConfig config)
    {
        int side = Vision(config).TokenSide;
        return width >= side && height >= side && width % side == 0 && height % side == 0
            && (long)width / side * (height / side) <= Vision(config).MaxTokens;
    }

    internal override TokenGrid GridOf(RgbImage tile, Sa2VAConfig config) => PatchGrid.Of(tile.Width, tile.Height, Vision(config)).Tokens;

    internal override string PictureText(PromptMedia media, Sa2VAConfig config) =>
        string.Concat(media.Tiles.Select(t => Begin + string.Concat(Enumerable.Repeat(Pad, t.Count)) + End));

    internal override IReadOnlyList<int> PictureRows(PromptMedia media, Sa2VAConfig config) => [.. Enumerable.Range(0, media.Rows)];

    internal override VisionGraph RecordVision(IWeightSource weights, Sa2VAConfig config, DType type) =>
        new QwenVisionGraph(weights, Vision(config), config.Language.HiddenSize, type, Vision(config).MaxTokens);

    internal override void RecordStoredVision(IWeightSource weights, Sa2VAConfig config) => RecordVision(weights, config, DType.F32);

    private static QwenVisionConfig Vision(Sa2VAConfig config) => (QwenVisionConfig)config.Vision;
}
