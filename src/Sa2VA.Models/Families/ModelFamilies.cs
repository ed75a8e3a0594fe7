using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>The families that are supported. To add one: docs/adding-a-family.md.</summary>
public static class ModelFamilies
{
    private static readonly ModelFamily[] All = [InternVl, Qwen25Vl, Qwen3Vl];

    /// <summary>Sa2VA-1B to -26B and -InternVL3.</summary>
    public static ModelFamily InternVl => InternVlFamily.Instance;

    /// <summary>Sa2VA-Qwen2_5-VL.</summary>
    public static ModelFamily Qwen25Vl => QwenVlFamily.Qwen25;

    /// <summary>Sa2VA-Qwen3-VL.</summary>
    public static ModelFamily Qwen3Vl => QwenVlFamily.Qwen3;

    /// <summary>The family of a config.json.</summary>
    /// <exception cref="CheckpointException">None that is supported.</exception>
    internal static ModelFamily Of(ConfigFields fields, string file)
    {
        string architecture = fields.FirstText("architectures") ?? "";
        string type = fields.Text("model_type") ?? "";
        if (All.FirstOrDefault(f => f.Matches(fields)) is { } family) return family;
        if (architecture.Contains("Qwen", StringComparison.Ordinal) || type.Contains("qwen", StringComparison.Ordinal)
            || fields.Object("text_config") is not null)
        {
            string kind = fields.Object("text_config")?.Text("model_type") ?? fields.Object("vision_config")?.Text("model_type") ?? type;
            throw new CheckpointException($"'{file}' describes a model of the kind '{kind}', which is not supported; Sa2VA checkpoints of "
                + $"the kinds {string.Join(", ", All.Select(f => f.Title))} are.");
        }
        if (architecture.Length + type.Length == 0 && fields.Has("error"))
            throw new CheckpointException($"'{file}' is a server's error message, not the file itself; download it again.");
        throw new CheckpointException(
            $"'{file}' describes '{(architecture.Length > 0 ? architecture : type)}', no Sa2VA checkpoint (Sa2VAChatModel).");
    }
}
