using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Tokenizer files of a checkpoint from those of its base language model: the tokens that the family and Sa2VA add come behind the
/// vocabulary (docs/model/tokenizers.md#special-tokens), in every file that lists added tokens.
/// </summary>
internal sealed class SyntheticTokenizerFiles
{
    private const string ConfigFile = "tokenizer_config.json", JsonFileName = "tokenizer.json";
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly string _source, _target;
    private readonly bool _sentencePiece;
    private readonly IReadOnlyList<string> _added;
    private readonly int _firstId, _special;

    private SyntheticTokenizerFiles(Sa2VAConfig config, string source, string target)
    {
        (_source, _target) = (source, target);
        _sentencePiece = config.Language.Kind == LanguageKind.InternLm2;
        (_added, _special) = config.Family.AddedTokens;
        _firstId = config.Language.VocabularySize - _added.Count;
    }

    /// <summary>Writes the files.</summary>
    /// <param name="config">Family, architecture, and the vocabulary, whose last rows are the added tokens.</param>
    /// <param name="source">
    /// Folder of the base tokenizer: tokenizer_config.json with tokenizer.json, vocab.json + merges.txt, or tokenizer.model.
    /// </param>
    /// <param name="target">Folder that gets the files.</param>
    /// <exception cref="CheckpointException">A file is missing or broken, or its ids do not leave room for the added tokens.</exception>
    public static void Write(Sa2VAConfig config, string source, string target)
    {
        var files = new SyntheticTokenizerFiles(config, source, target);
        string[] copies = files._sentencePiece ? ["tokenizer.model"] : ["vocab.json", "merges.txt"];
        bool any = false;
        foreach (string name in copies)
        {
            if (!File.Exists(Path.Combine(source, name))) continue;
            File.WriteAllBytes(Path.Combine(target, name), RegularFile.ReadAllBytes(Path.Combine(source, name)));
            any = true;
        }
        if (!files._sentencePiece && File.Exists(Path.Combine(source, JsonFileName)))
        {
            files.WriteTokenizerJson();
            any = true;
        }
        if (!any)
            throw new CheckpointException(
                $"'{source}' holds no {(files._sentencePiece ? "tokenizer.model" : "tokenizer.json and no vocab.json")}; "
                + "give the folder of the base language model's tokenizer.");
        files.WriteSettings();
    }

    private void WriteTokenizerJson()
    {
        using JsonDocument document = JsonFile.Read(Path.Combine(_source, JsonFileName));
        WriteFile(JsonFileName, json =>
        {
            json.WriteStartObject();
            foreach (JsonProperty p in document.RootElement.EnumerateObject())
            {
                if (p.Name != "added_tokens" || p.Value.ValueKind != JsonValueKind.Array)
                {
                    p.WriteTo(json);
                    continue;
                }
                json.WriteStartArray(p.Name);
                foreach (JsonElement token in p.Value.EnumerateArray())
                {
                    int id = token.ValueKind == JsonValueKind.Object && token.TryGetProperty("id", out JsonElement e)
                        && e.TryGetInt32(out int n) ? n : -1;
                    if (IsBase(JsonFileName, id, token)) token.WriteTo(json);
                }
                for (int i = 0; i < _added.Count; i++) WriteToken(json, _added[i], _firstId + i);
                json.WriteEndArray();
            }
            json.WriteEndObject();
        });
    }

    private void WriteSettings()
    {
        using JsonDocument document = JsonFile.Read(Path.Combine(_source, ConfigFile));
        JsonElement root = document.RootElement;
        var known = new List<(string Token, int Id, JsonElement Entry)>();
        if (root.TryGetProperty("added_tokens_decoder", out JsonElement decoder) && decoder.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty p in decoder.EnumerateObject())
                if (int.TryParse(p.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && IsBase(ConfigFile, id, p.Value))
                    known.Add((p.Value.GetProperty("content").GetString()!, id, p.Value));
        List<string> special = [];
        if (root.TryGetProperty("additional_special_tokens", out JsonElement list) && list.ValueKind == JsonValueKind.Array)
            special.AddRange(list.EnumerateArray().Where(t => t.ValueKind == JsonValueKind.String).Select(t => t.GetString()!));
        special.AddRange(_added.Take(_special).Except(special));

        WriteFile(ConfigFile, json =>
        {
            json.WriteStartObject();
            json.WriteStartObject("added_tokens_decoder");
            foreach ((_, int id, JsonElement entry) in known)
            {
                json.WritePropertyName(id.ToString(CultureInfo.InvariantCulture));
                entry.WriteTo(json);
            }
            for (int i = 0; i < _added.Count; i++)
            {
                json.WritePropertyName((_firstId + i).ToString(CultureInfo.InvariantCulture));
                WriteToken(json, _added[i], null);
            }
            json.WriteEndObject();
            WriteSpecial(json, special);
            foreach (JsonProperty p in root.EnumerateObject())
                if (p.Name is not ("added_tokens_decoder" or "additional_special_tokens")) p.WriteTo(json);
            json.WriteEndObject();
        });
        WriteFile("added_tokens.json", json =>
        {
            json.WriteStartObject();
            // SentencePiece has the base's tokens as pieces of its own.
            if (!_sentencePiece)
                foreach ((string token, int id, _) in known) json.WriteNumber(token, id);
            for (int i = 0; i < _added.Count; i++) json.WriteNumber(_added[i], _firstId + i);
            json.WriteEndObject();
        });
        WriteFile("special_tokens_map.json", json =>
        {
            json.WriteStartObject();
            WriteSpecial(json, special);
            foreach (string role in (string[])["bos_token", "eos_token", "pad_token", "unk_token"])
                if (root.TryGetProperty(role, out JsonElement token) && token.ValueKind is JsonValueKind.String or JsonValueKind.Object)
                {
                    json.WritePropertyName(role);
                    token.WriteTo(json);
                }
            json.WriteEndObject();
        });
    }

    // False for one of the added tokens, which a checkpoint's own tokenizer folder has already.
    private bool IsBase(string file, int id, JsonElement token)
    {
        string? content = token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out JsonElement e)
            && e.ValueKind == JsonValueKind.String ? e.GetString() : null;
        if (content is null || id < 0)
            throw new CheckpointException($"'{Path.Combine(_source, file)}' lists an added token without a name or an id.");
        int index = id - _firstId;
        if (index < 0 && !_added.Contains(content)) return true;
        if (index >= 0 && index < _added.Count && _added[index] == content) return false;
        throw new CheckpointException(
            $"'{Path.Combine(_source, file)}' gives '{content}' the id {id}; this checkpoint's added tokens begin at {_firstId}. "
            + "Give the tokenizer of the language model that the checkpoint is built on.");
    }

    private static void WriteToken(Utf8JsonWriter json, string content, int? id)
    {
        json.WriteStartObject();
        if (id is { } number) json.WriteNumber("id", number);
        json.WriteString("content", content);
        foreach (string flag in (string[])["lstrip", "normalized", "rstrip", "single_word"]) json.WriteBoolean(flag, false);
        json.WriteBoolean("special", true);
        json.WriteEndObject();
    }

    private static void WriteSpecial(Utf8JsonWriter json, List<string> special)
    {
        json.WriteStartArray("additional_special_tokens");
        foreach (string token in special) json.WriteStringValue(token);
        json.WriteEndArray();
    }

    private void WriteFile(string name, Action<Utf8JsonWriter> write)
    {
        using var stream = new FileStream(Path.Combine(_target, name), FileMode.CreateNew, FileAccess.Write);
        using var json = new Utf8JsonWriter(stream, name == JsonFileName ? Indented with { Indented = false } : Indented);
        write(json);
    }
}
