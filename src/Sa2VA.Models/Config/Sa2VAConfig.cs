using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// config.json of a checkpoint (docs/model/checkpoint.md#configuration) with its grounding part
/// (docs/model/checkpoint.md#grounding-config).
/// </summary>
public sealed record Sa2VAConfig
{
    /// <summary>Kind of the vision-language half.</summary>
    public required ModelFamily Family { get; init; }

    /// <summary>Vision tower and projector; of the family's own kind.</summary>
    public required VisionConfig Vision { get; init; }

    /// <summary>Language model.</summary>
    public required LanguageConfig Language { get; init; }

    /// <summary>SAM 2 half.</summary>
    public required GroundingConfig Grounding { get; init; }

    /// <summary>Name of the chat template, '-' replaced by '_'.</summary>
    public required string Template { get; init; }

    /// <summary>How weights are stored in few bits; null where they are stored as numbers.</summary>
    public StoredQuantization? Quantization { get; init; }

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
        var fields = new ConfigFields(root, file, "");
        return ModelFamilies.Of(fields, file).ReadConfig(fields, file);
    }
}
