using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Verification;

/// <summary>A recorded whole answer of upstream (docs/model/verification.md#recorded-answers).</summary>
public sealed class PredictCase
{
    private const string Format = "sa2va-predict/1";

    private PredictCase(string path, string root, JsonElement json)
    {
        (Path, Root) = (path, root);
        Name = Text(json, "name") ?? System.IO.Path.GetFileNameWithoutExtension(path);
        Model = Text(json, "model") ?? throw Bad(path, "it names no model");
        Image = Text(json, "image");
        Video = json.TryGetProperty("video", out JsonElement v) && v.ValueKind == JsonValueKind.Array
            ? [.. v.EnumerateArray().Select(f => f.GetString()!)]
            : null;
        Regions = Text(json, "mask_prompts");
        Prompt = Text(json, "text") ?? throw Bad(path, "it has no text");
        PastText = Text(json, "past_text") ?? "";
        MaxNewTokens = json.TryGetProperty("max_new_tokens", out JsonElement m) && m.ValueKind == JsonValueKind.Number
            ? m.GetInt32()
            : AskOptions.DefaultMaxNewTokens;
        PromptIds = Ints(json, "prompt_ids");
        OutputIds = Ints(json, "output_ids");
        Prediction = Text(json, "prediction") ?? throw Bad(path, "it has no prediction");
        MinMargin = Number(json, "min_margin");
        MinIouGap = Number(json, "min_iou_gap");
        Masks = [.. json.GetProperty("masks").EnumerateArray()
            .Select(o => (IReadOnlyList<Mask>)[.. o.GetProperty("frames").EnumerateArray().Select(Decode)])];
        SegEmbeddings = json.TryGetProperty("seg_embeddings", out JsonElement e) && e.ValueKind == JsonValueKind.Array
            ? [.. e.EnumerateArray().Select(row => row.EnumerateArray().Select(x => x.GetSingle()).ToArray())] : [];
    }

    /// <summary>The case's file.</summary>
    public string Path { get; }

    /// <summary>The fixtures folder that paths in the case are relative to.</summary>
    public string Root { get; }

    /// <summary>Name.</summary>
    public string Name { get; }

    /// <summary>Name of the checkpoint's folder.</summary>
    public string Model { get; }

    /// <summary>Image, relative to <see cref="Root"/>, or null.</summary>
    public string? Image { get; }

    /// <summary>Frames, relative to <see cref="Root"/>, or null.</summary>
    public IReadOnlyList<string>? Video { get; }

    /// <summary>Label image of marked regions, or null.</summary>
    public string? Regions { get; }

    /// <summary>The user's text.</summary>
    public string Prompt { get; }

    /// <summary>Earlier turns, literally.</summary>
    public string PastText { get; }

    /// <summary>Limit on the answer.</summary>
    public int MaxNewTokens { get; }

    /// <summary>What upstream's language model was given.</summary>
    public IReadOnlyList<int> PromptIds { get; }

    /// <summary>What it answered.</summary>
    public IReadOnlyList<int> OutputIds { get; }

    /// <summary>The answer as upstream spells it.</summary>
    public string Prediction { get; }

    /// <summary>Smallest distance, in logits, between the chosen token and the next best.</summary>
    public double? MinMargin { get; }

    /// <summary>
    /// Smallest distance, over all objects and frames, between the two highest predicted IoUs of the candidates that a mask was chosen
    /// from.
    /// </summary>
    public double? MinIouGap { get; }

    /// <summary>Per [SEG], a mask per frame.</summary>
    public IReadOnlyList<IReadOnlyList<Mask>> Masks { get; }

    /// <summary>Per [SEG], the vector that prompts the segmentation.</summary>
    public IReadOnlyList<float[]> SegEmbeddings { get; }

    /// <summary>True if a JSON file is a predict case.</summary>
    public static bool IsCase(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(RegularFile.ReadAllBytes(path));
            return document.RootElement.ValueKind == JsonValueKind.Object && Text(document.RootElement, "format") == Format;
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Reads a case; its fixtures root is the folder above <c>predict/</c>.</summary>
    /// <exception cref="CheckpointException">It is no predict case, or outside a fixtures folder.</exception>
    public static PredictCase Read(string path)
    {
        try
        {
            using JsonDocument document = JsonFile.Read(path);
            if (Text(document.RootElement, "format") != Format) throw Bad(path, $"its format is not {Format}");
            DirectoryInfo? folder = new FileInfo(path).Directory;
            while (folder is not null && folder.Name != "predict") folder = folder.Parent;
            string root = folder?.Parent?.FullName ?? throw Bad(path, "it lies in no folder named predict");
            return new PredictCase(path, root, document.RootElement);
        }
        catch (Exception e) when (e is InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw Bad(path, "a field is missing or of another kind", e);
        }
    }

    private static Mask Decode(JsonElement rle)
    {
        JsonElement size = rle.GetProperty("size");
        return CocoRle.Decode(rle.GetProperty("counts").GetString()!, size[1].GetInt32(), size[0].GetInt32());
    }

    private static int[] Ints(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement e) && e.ValueKind == JsonValueKind.Array
            ? [.. e.EnumerateArray().Select(i => i.GetInt32())]
            : [];

    private static double? Number(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement e) && e.ValueKind == JsonValueKind.Number ? e.GetDouble() : null;

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out JsonElement e) && e.ValueKind == JsonValueKind.String ? e.GetString() : null;

    private static CheckpointException Bad(string path, string why, Exception? inner = null) =>
        new($"'{path}' is no usable predict case: {why.TrimEnd('.')}.", inner);
}
