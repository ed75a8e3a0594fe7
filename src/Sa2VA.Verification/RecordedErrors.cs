using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification;

/// <summary>An error relative to the record: of its rms, of its largest magnitude.</summary>
internal readonly record struct RelativeError(double Rms, double Max);

/// <summary>
/// What the reference implementation's own bf16 differs by from its float32 (<c>bf16-error.json</c>,
/// docs/model/verification.md#tolerances): by model, stage and output.
/// </summary>
internal sealed class RecordedErrors
{
    private const string FileName = "bf16-error.json", Format = "sa2va-bf16-error/1";
    private readonly Dictionary<(string Model, string Stage, string Output), RelativeError> _errors = [];
    private readonly Dictionary<string, double> _lowestIou = [];

    private RecordedErrors(JsonElement models)
    {
        foreach (JsonProperty model in models.EnumerateObject())
            foreach (JsonProperty stage in model.Value.EnumerateObject())
            {
                if (stage.Value.TryGetProperty("rms", out _)) _errors.Add((model.Name, stage.Name, ""), Error(stage.Value));
                else
                    foreach (JsonProperty output in stage.Value.EnumerateObject())
                        _errors.Add((model.Name, stage.Name, output.Name), Error(output.Value));
                if (stage.Value.TryGetProperty("iou", out JsonElement ious))
                    _lowestIou[model.Name] = ious.EnumerateArray().Min(i => i.GetDouble());
            }
    }

    private RecordedErrors() { }

    /// <summary>Nothing is known.</summary>
    public static RecordedErrors None { get; } = new();

    /// <summary>Those in a folder above a recorded file, or in <c>goldens</c> below one; <see cref="None"/> if there are none.</summary>
    /// <exception cref="CheckpointException">The file is broken.</exception>
    public static RecordedErrors Near(string path)
    {
        for (string? at = Path.GetDirectoryName(Path.GetFullPath(path)); at is not null; at = Path.GetDirectoryName(at))
            foreach (string file in (string[])[Path.Combine(at, FileName), Path.Combine(at, "goldens", FileName)])
                if (File.Exists(file)) return Read(file);
        return None;
    }

    /// <summary>The error of an output, of the whole stage where outputs are not told apart, or null.</summary>
    public RelativeError? Of(string model, string stage, string output) =>
        _errors.TryGetValue((model, stage, Same(stage, output)), out RelativeError error)
        || (IsMain(stage, output) && _errors.TryGetValue((model, stage, ""), out error)) ? error : null;

    /// <summary>Lowest IoU of its masks with float32's, or null.</summary>
    public double? LowestIou(string model) => _lowestIou.TryGetValue(model, out double lowest) ? lowest : null;

    private static RecordedErrors Read(string file)
    {
        using JsonDocument json = JsonFile.Read(file);
        try
        {
            if (json.RootElement.TryGetProperty("format", out JsonElement format) && format.GetString() == Format)
                return new RecordedErrors(json.RootElement.GetProperty("models"));
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or FormatException or ArgumentException)
        {
            throw new CheckpointException($"'{file}' holds no recorded bf16 errors: a field is missing or of another kind.", e);
        }
        throw new CheckpointException($"'{file}' holds no recorded bf16 errors: its format is not {Format}.");
    }

    /// <summary>The neck's map and the tokens that are read of it are the same numbers.</summary>
    private static string Same(string stage, string output) => (stage, output) == ("net.image_encoder", "l2") ? "f" : output;

    /// <summary>What a number without an output's name is of.</summary>
    private static bool IsMain(string stage, string output) => stage switch
    {
        "net.video" => output == "low",
        "net.vision_tower" => true,
        _ => false,
    };

    private static RelativeError Error(JsonElement json) => new(json.GetProperty("rms").GetDouble(), json.GetProperty("max").GetDouble());
}
