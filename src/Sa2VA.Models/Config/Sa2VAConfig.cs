using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// config.json of an InternVL-type checkpoint (docs/model/checkpoint.md#configuration) with its grounding part
/// (docs/model/checkpoint.md#grounding-config).
/// </summary>
public sealed record Sa2VAConfig
{
    /// <summary>Vision tower and projector.</summary>
    public required VisionConfig Vision { get; init; }

    /// <summary>Language model.</summary>
    public required LanguageConfig Language { get; init; }

    /// <summary>SAM 2 half.</summary>
    public required GroundingConfig Grounding { get; init; }

    /// <summary>Name of the chat template, '-' replaced by '_'.</summary>
    public required string Template { get; init; }

    /// <summary>What a user should know: settings that are absent and on which upstream's default is not what the releases say.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Reads a checkpoint folder's config.json.</summary>
    /// <exception cref="CheckpointException">Missing, malformed, out of range, or of a kind that is not supported.</exception>
    public static Sa2VAConfig Read(string folder)
    {
        CheckpointFolder.CheckConfig(folder);
        string file = Path.Combine(folder, CheckpointFolder.ConfigFile);
        using JsonDocument document = JsonFile.Read(file);
        return Read(document.RootElement, file);
    }

    /// <summary>Reads a parsed config.json.</summary>
    /// <param name="root">Its root object.</param>
    /// <param name="file">Name for messages.</param>
    public static Sa2VAConfig Read(JsonElement root, string file)
    {
        if (root.ValueKind != JsonValueKind.Object) throw new CheckpointException($"'{file}' is no JSON object.");
        ConfigFields fields = new ConfigFields(root, file, "").Renamed(("llm_config", "text_config"));
        CheckFamily(fields, file);
        foreach (string lora in (string[])["use_backbone_lora", "use_llm_lora"])
            if (fields.Int(lora, 0, 1 << 16, 0) != 0)
                throw fields.Bad(lora, "is not 0: the tensors are LoRA-wrapped; merge the adapter and save the model again");
        Quantization.Refuse(fields);
        string template = (fields.Text("template") ?? throw fields.Bad("template", "is missing")).Replace('-', '_');
        return new Sa2VAConfig
        {
            Vision = VisionConfig.Read(fields),
            Language = LanguageConfig.Read(fields),
            Grounding = GroundingConfig.Read(fields),
            Template = template,
            Notes = fields.Has("ps_version")
                ? []
                : [$"'{file}' has no ps_version: pixel shuffle v1 is computed, as upstream does then. Every release says v2."],
        };
    }

    private static void CheckFamily(ConfigFields fields, string file)
    {
        string architecture = fields.FirstText("architectures") ?? "";
        string type = fields.Text("model_type") ?? "";
        if (architecture == "Sa2VAChatModel" && type is "" or "sa2va_chat") return;
        if (architecture.Contains("Qwen", StringComparison.Ordinal) || type.Contains("qwen", StringComparison.Ordinal) || fields.Object("text_config") is not null)
        {
            string kind = fields.Object("text_config")?.Text("model_type") ?? fields.Object("vision_config")?.Text("model_type") ?? type;
            string family = kind.StartsWith("qwen3", StringComparison.Ordinal) ? "Qwen3-VL" : "Qwen2.5-VL";
            throw new CheckpointException($"'{file}' is a Sa2VA checkpoint of the {family} family, which is not supported yet; InternVL-type checkpoints are.");
        }
        if (architecture.Length + type.Length == 0 && fields.Has("error"))
            throw new CheckpointException($"'{file}' is a server's error message, not the file itself; download it again.");
        throw new CheckpointException($"'{file}' describes '{(architecture.Length > 0 ? architecture : type)}', no Sa2VA checkpoint (Sa2VAChatModel).");
    }
}
