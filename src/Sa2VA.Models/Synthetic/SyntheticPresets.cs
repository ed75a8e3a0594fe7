using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Configurations of the released models (docs/model/checkpoint.md#released-sizes), for synthetic checkpoints.
/// </summary>
public static class SyntheticPresets
{
    private const int QwenVocabulary = 151679, InternLmVocabulary = 92558;

    private static readonly Dictionary<string, Func<Sa2VAConfig>> Presets = new(StringComparer.Ordinal)
    {
        ["sa2va-1b"] = () => Released(Small, Qwen(24, 896, 14, 2, 4864), "qwen_chat"),
        ["sa2va-4b"] = () => Released(Small, Qwen(36, 2048, 16, 2, 11008), "phi3_chat"),
        ["sa2va-8b"] = () => Released(Small, InternLm(32, 4096, 32, 8, 14336, 1e6), "internlm2_chat"),
        ["sa2va-26b"] = () => Released(Large, InternLm(48, 6144, 48, 8, 16384, 5e7), "internlm2_chat"),
        ["sa2va-internvl3-2b"] = () => Released(Small, Qwen(28, 1536, 12, 2, 8960), "qwen_chat"),
        ["sa2va-internvl3-8b"] = () => Released(Small, Qwen(28, 3584, 28, 4, 18944), "qwen_chat"),
        ["sa2va-internvl3-14b"] = () => Released(Small, Qwen(48, 5120, 40, 8, 13824), "qwen_chat"),
        ["sa2va-qwen2_5-vl-3b"] = () => QwenVl(QwenVlFamily.Qwen25, Windowed, QwenVl25(36, 2048, 16, 2, 11008)),
        ["sa2va-qwen2_5-vl-7b"] = () => QwenVl(QwenVlFamily.Qwen25, Windowed, QwenVl25(28, 3584, 28, 4, 18944)),
        ["sa2va-qwen3-vl-4b"] = () => QwenVl(QwenVlFamily.Qwen3, Deepstack, QwenVl3(36, 2560, 32, 8, 9728)),
    };

    /// <summary>Names of the presets.</summary>
    public static IReadOnlyCollection<string> Names => Presets.Keys;

    /// <summary>The configuration of a preset.</summary>
    /// <exception cref="CheckpointException">No preset of that name.</exception>
    public static Sa2VAConfig Get(string name) => Presets.TryGetValue(name, out Func<Sa2VAConfig>? make)
        ? make()
        : throw new CheckpointException($"There is no preset '{name}'; there are {string.Join(", ", Presets.Keys)}.");

    private static InternVitConfig Small => new()
    {
        HiddenSize = 1024, Layers = 24, Heads = 16, IntermediateSize = 4096, ImageSize = 448, TileSize = 448, RmsNorm = false,
            QkvBias = true,
        QkNormalization = false, SelectedLayers = 24, TransposedShuffle = false,
    };

    private static InternVitConfig Large => new()
    {
        Layers = 45, ImageSize = 448, TileSize = 448, SelectedLayers = 45, TransposedShuffle = false,
    };

    private static QwenVisionConfig Windowed => new()
    {
        Kind = QwenVlKind.Qwen25, HiddenSize = 1280, Layers = 32, Heads = 16, IntermediateSize = 3420, PatchSize = 14, WindowTokens = 4,
        FullLayers = [7, 15, 23, 31],
    };

    private static QwenVisionConfig Deepstack => new()
    {
        Kind = QwenVlKind.Qwen3, HiddenSize = 1024, Layers = 24, Heads = 16, IntermediateSize = 4096, PatchSize = 16, PositionGrid = 48,
        DeepstackLayers = [5, 11, 17],
    };

    private static LanguageConfig QwenVl25(int layers, int hidden, int heads, int kvHeads, int ffn) =>
        Qwen(layers, hidden, heads, kvHeads, ffn) with
        {
            VocabularySize = 151670, MaxPositions = 128000, Rotary = new RotarySections(16, 24, 24, Interleaved: false),
        };

    private static LanguageConfig QwenVl3(int layers, int hidden, int heads, int kvHeads, int ffn) => new()
    {
        Kind = LanguageKind.Qwen3, Layers = layers, HiddenSize = hidden, Heads = heads, KvHeads = kvHeads, HeadDim = 128,
        IntermediateSize = ffn, VocabularySize = 151674, Epsilon = 1e-6f, RopeTheta = 5e6, MaxPositions = 262144,
        Rotary = new RotarySections(24, 20, 20, Interleaved: true),
    };

    private static Sa2VAConfig QwenVl(QwenVlFamily family, QwenVisionConfig vision, LanguageConfig language) => new()
    {
        Family = family, Vision = vision, Language = QwenVlFamily.Decoder(language, vision), Grounding = new GroundingConfig(),
        Template = family.TemplateName,
    };

    private static LanguageConfig Qwen(int layers, int hidden, int heads, int kvHeads, int ffn) => new()
    {
        Kind = LanguageKind.Qwen2, Layers = layers, HiddenSize = hidden, Heads = heads, KvHeads = kvHeads, HeadDim = hidden / heads,
            IntermediateSize = ffn,
        VocabularySize = QwenVocabulary, Epsilon = 1e-6f, RopeTheta = 1e6, MaxPositions = 32768, Bias = true,
    };

    private static LanguageConfig InternLm(int layers, int hidden, int heads, int kvHeads, int ffn, double theta) => new()
    {
        Kind = LanguageKind.InternLm2, Layers = layers, HiddenSize = hidden, Heads = heads, KvHeads = kvHeads, HeadDim = hidden / heads,
            IntermediateSize = ffn,
        VocabularySize = InternLmVocabulary, Epsilon = 1e-5f, RopeTheta = theta, MaxPositions = 32768,
    };

    private static Sa2VAConfig Released(InternVitConfig vision, LanguageConfig language, string template) =>
        new() { Family = ModelFamilies.InternVl, Vision = vision, Language = language, Grounding = new GroundingConfig(),
            Template = template };
}
