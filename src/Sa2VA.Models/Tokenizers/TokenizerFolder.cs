using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// The tokenizer files of one checkpoint. Every defect becomes a <see cref="CheckpointException"/> that names the file and the remedy.
/// </summary>
internal sealed class TokenizerFolder(string folder)
{
    /// <summary>Real vocabularies stay below 200,000; a damaged id must not size a table.</summary>
    public const int HighestId = 1_000_000;

    public bool Has(string name) => File.Exists(Path.Combine(folder, name));

    public byte[] ReadBytes(string name, long largest = JsonFile.MaxBytes) => JsonFile.ReadBytes(Path.Combine(folder, name), largest);

    /// <summary>Reads a JSON file and hands its root object to <paramref name="read"/>.</summary>
    public T ReadJson<T>(string name, Func<JsonElement, T> read)
    {
        using JsonDocument document = JsonFile.Read(Path.Combine(folder, name));
        try
        {
            return read(document.RootElement);
        }
        catch (InvalidOperationException e)
        {
            // JsonElement's answer to a value of another kind.
            throw Broken(name, "holds a value of an unexpected kind", e);
        }
    }

    /// <summary>A member, or null when it is absent or JSON null.</summary>
    public static JsonElement? Member(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out JsonElement value)
            && value.ValueKind != JsonValueKind.Null
            ? value : null;

    /// <summary>An id within the allowed range.</summary>
    public int Id(string name, string token, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id)) return CheckId(name, token, id);
        throw Broken(name, $"gives the token '{token}' an id that is not a whole number from 0 to {HighestId}");
    }

    public int CheckId(string name, string token, int id) => id is >= 0 and <= HighestId
        ? id : throw Broken(name, $"gives the token '{token}' the id {id}, which is not within 0 to {HighestId}");

    public CheckpointException Broken(string name, string what, Exception? inner = null) =>
        new($"{Path.Combine(folder, name)} {what}. Download the checkpoint's tokenizer files again.", inner);

    public CheckpointException Unsupported(string name, string what) =>
        new($"{Path.Combine(folder, name)}: {what} is not supported. The engine reads the byte-level BPE of Qwen2 and the "
            + "SentencePiece BPE of "
            + "InternLM2, which the Sa2VA checkpoints use; choose one of these.");
}
