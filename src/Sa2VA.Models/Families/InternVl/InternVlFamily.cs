using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The InternVL kinds: square tiles and a thumbnail, InternViT with pixel shuffle, <c>&lt;IMG_CONTEXT&gt;</c> tokens
/// (docs/model/README.md).
/// </summary>
internal sealed class InternVlFamily : ModelFamily
{
    /// <summary>Tiles of the largest picture: a grid and the thumbnail, or frames of a video.</summary>
    private static readonly int MaxTiles = Math.Max(DynamicTiling.MaxTiles + 1, MaxFrames);

    private InternVlFamily() { }

    public static InternVlFamily Instance { get; } = new();

    public override string Name => "internvl";

    public override string Title => "InternVL";

    internal override string ContextToken => PicturePrompt.ContextToken;

    internal override bool Matches(ConfigFields root) =>
        root.FirstText("architectures") == "Sa2VAChatModel" && (root.Text("model_type") ?? "") is "" or "sa2va_chat";

    internal override Sa2VAConfig ReadConfig(ConfigFields root, string file)
    {
        root = root.Renamed(("llm_config", "text_config"));
        foreach (string lora in (string[])["use_backbone_lora", "use_llm_lora"])
            if (root.Int(lora, 0, 1 << 16, 0) != 0)
                throw root.Bad(lora, "is not 0: the tensors are LoRA-wrapped; merge the adapter and save the model again");
        StoredQuantization? quantization = StoredQuantization.Read(root);
        string template = (root.Text("template") ?? throw root.Bad("template", "is missing")).Replace('-', '_');
        return new Sa2VAConfig
        {
            Family = this,
            Vision = InternVitConfig.Read(root),
            Language = LanguageConfig.Read(root),
            Grounding = GroundingConfig.Read(root),
            Quantization = quantization,
            Template = template,
            Notes = root.Has("ps_version")
                ? []
                : [$"'{file}' has no ps_version: pixel shuffle v1 is computed, as upstream does then. Every release says v2."],
        };
    }

    internal override void WriteConfig(Utf8JsonWriter json, Sa2VAConfig config) => InternVlConfigFile.Write(json, config);

    // Those of InternVL are also "additional special"; those of Sa2VA are not.
    internal override (IReadOnlyList<string> Tokens, int Special) AddedTokens { get; } = (
        ["<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>", .. Sa2VATokens], 9);

    internal override ChatTemplate Template(Sa2VAConfig config) => config.Template switch
    {
        "qwen_chat" => Im(["<|im_end|>", "<|endoftext|>"]),
        "internlm2_chat" => Im(["<|im_end|>"]),
        "phi3_chat" => new("<|user|>\n", "<|end|>\n<|assistant|>\n", "<|end|>", "\n", ["<|end|>"]),
        "vicuna" => new("USER: ", " ASSISTANT:", "", "\n", []),
        var name => throw new CheckpointException(
            $"config.json names the chat template '{name}'; qwen_chat, internlm2_chat, phi3_chat and vicuna are known."),
    };

    internal override int MaxImageRows(Sa2VAConfig config) => MaxTiles * Vit(config).TokensPerTile;

    internal override IReadOnlyList<TokenGrid> Grids(int width, int height, Sa2VAConfig config) =>
        [.. Enumerable.Repeat(Tokens(config), DynamicTiling.Count(DynamicTiling.Grid(width, height, Vit(config).TileSize)))];

    internal override IReadOnlyList<RgbImage> Tiles(RgbImage image, Sa2VAConfig config) =>
        DynamicTiling.Split(image, Vit(config).TileSize);

    internal override RgbImage FrameTile(RgbImage frame, Sa2VAConfig config) =>
        PillowBicubic.Resize(frame, Vit(config).TileSize, Vit(config).TileSize);

    internal override bool IsFrameTile(int width, int height, Sa2VAConfig config) =>
        width == Vit(config).TileSize && height == Vit(config).TileSize;

    internal override TokenGrid GridOf(RgbImage tile, Sa2VAConfig config) => Tokens(config);

    internal override Mask RegionCells(Mask region, Sa2VAConfig config) => RegionGrid.Cells(region, Vit(config).Grid / 2);

    internal override string PictureText(PromptMedia media, Sa2VAConfig config) => PicturePrompt.Text(media, Vit(config).TokensPerTile);

    internal override IReadOnlyList<int> PictureRows(PromptMedia media, Sa2VAConfig config) =>
        PicturePrompt.Rows(media, Vit(config).TokensPerTile);

    internal override VisionGraph RecordVision(IWeightSource weights, Sa2VAConfig config, DType type) =>
        new InternVlGraph(weights, Vit(config), config.Language.HiddenSize, type);

    // Layers behind the selected one are stored though nothing reads them.
    internal override void RecordStoredVision(IWeightSource weights, Sa2VAConfig config) =>
        _ = new InternVlGraph(weights, Vit(config) with { SelectedLayers = Vit(config).Layers }, config.Language.HiddenSize, DType.F32);

    private static InternVitConfig Vit(Sa2VAConfig config) => (InternVitConfig)config.Vision;

    private static TokenGrid Tokens(Sa2VAConfig config) => new(Vit(config).Grid / 2, Vit(config).Grid / 2);

    private static ChatTemplate Im(string[] stopWords) =>
        new("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>", "\n", stopWords);
}
