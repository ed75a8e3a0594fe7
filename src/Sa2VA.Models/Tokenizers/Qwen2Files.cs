using System.Text;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// The byte-level vocabulary and its merges, from <c>tokenizer.json</c> or from <c>vocab.json</c> with <c>merges.txt</c>.
/// </summary>
internal sealed class Qwen2Files
{
    public const string Json = "tokenizer.json", Vocabulary = "vocab.json", MergeList = "merges.txt";

    private readonly TokenizerFolder _files;
    private readonly Dictionary<int, string> _names = [];
    private readonly HashSet<(string, string)> seenMerges = [];

    public Qwen2Files(TokenizerFolder files)
    {
        _files = files;
        if (files.Has(Json)) ReadTokenizerJson();
        else ReadSeparateFiles();
    }

    public Dictionary<string, int> Ids { get; } = new(StringComparer.Ordinal);

    /// <summary>Pairs in the order of their rank.</summary>
    public List<(string Left, string Right)> Merges { get; } = [];

    public List<KeyValuePair<string, int>> Added { get; } = [];

    /// <summary>Refuses added tokens that take the id or the name of an ordinary one.</summary>
    public void CheckAdded(AddedTokens added)
    {
        foreach ((string token, int id) in Ids)
        {
            if ((added.TryGetContent(id, out string content) && content != token) || (added.TryGetId(token, out int other) && other != id))
                throw _files.Broken(_files.Has(Json) ? Json : Vocabulary,
                    $"gives the token '{token}' the id {id}, which contradicts the added tokens");
        }
    }

    private void ReadSeparateFiles()
    {
        _files.ReadJson(Vocabulary, root => ReadVocabulary(Vocabulary, root));
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(_files.ReadBytes(MergeList)).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw _files.Broken(MergeList, "is not valid UTF-8", e);
        }

        int number = 0;
        foreach (ReadOnlySpan<char> raw in text.AsSpan().EnumerateLines())
        {
            number++;
            ReadOnlySpan<char> line = raw.Trim();
            if (line.IsEmpty || (number == 1 && line.StartsWith("#version"))) continue;
            AddMerge(MergeList, line.ToString(), number);
        }

        CheckBytes(Vocabulary);
    }

    private void ReadTokenizerJson() => _files.ReadJson(Json, root =>
    {
        JsonElement model = TokenizerFolder.Member(root, "model") ?? throw _files.Broken(Json, "has no model");
        string? type = TokenizerFolder.Member(model, "type")?.GetString();
        // Files of older libraries leave the type out; only BPE has merges.
        if (type is not (null or "BPE") || TokenizerFolder.Member(model, "merges") is not { } merges)
            throw _files.Unsupported(Json, $"a tokenizer of type {type ?? "unknown"}");
        CheckModel(model);
        CheckPipeline(root);
        ReadVocabulary(Json, TokenizerFolder.Member(model, "vocab") ?? throw _files.Broken(Json, "has no vocabulary"));
        int number = 0;
        foreach (JsonElement merge in merges.EnumerateArray())
        {
            number++;
            if (merge.ValueKind == JsonValueKind.String) AddMerge(Json, merge.GetString()!, number);
            else if (merge.GetArrayLength() == 2) AddMerge(Json, merge[0].GetString() ?? "", merge[1].GetString() ?? "", number);
            else throw _files.Broken(Json, $"has a merge (number {number}) that is no pair");
        }

        CheckBytes(Json);
        if (TokenizerFolder.Member(root, "added_tokens") is { } added)
        {
            foreach (JsonElement token in added.EnumerateArray())
            {
                string content = TokenizerFolder.Member(token, "content")?.GetString()
                    ?? throw _files.Broken(Json, "has an added token without content");
                TokenizerSettings.CheckOptions(_files, Json, content, token);
                Added.Add(KeyValuePair.Create(content, _files.Id(Json, content, TokenizerFolder.Member(token, "id") ?? default)));
            }
        }

        return 0;
    });

    private void CheckModel(JsonElement model)
    {
        foreach (string option in (ReadOnlySpan<string>)["byte_fallback", "ignore_merges", "dropout", "continuing_subword_prefix",
            "end_of_word_suffix"])
        {
            if (TokenizerFolder.Member(model, option) is { } value && value.ValueKind != JsonValueKind.False
                && !(value.ValueKind == JsonValueKind.String && value.GetString()!.Length == 0))
            {
                throw _files.Unsupported(Json, $"the BPE option {option}");
            }
        }
    }

    /// <summary>The normaliser must be NFC, and the splitting Qwen2's pattern followed by the byte alphabet.</summary>
    private void CheckPipeline(JsonElement root)
    {
        string? normalizer = TokenizerFolder.Member(root, "normalizer") is { } n ? TokenizerFolder.Member(n, "type")?.GetString() : null;
        if (normalizer != "NFC") throw _files.Unsupported(Json, $"the normalizer {normalizer ?? "none"}");
        JsonElement? steps = TokenizerFolder.Member(root, "pre_tokenizer") is { } p ? TokenizerFolder.Member(p, "pretokenizers") : null;
        string? pattern = null;
        bool toBytes = false;
        foreach (JsonElement step in steps?.EnumerateArray() ?? default)
        {
            string? type = TokenizerFolder.Member(step, "type")?.GetString();
            toBytes |= type == "ByteLevel";
            if (type == "Split" && TokenizerFolder.Member(step, "pattern") is { } split)
                pattern = TokenizerFolder.Member(split, "Regex")?.GetString();
        }

        if (!toBytes || pattern != Qwen2PreTokenizer.Pattern)
            throw _files.Unsupported(Json, $"the pre-tokenizer (byte-level: {toBytes}, pattern: {pattern ?? "none"})");
    }

    private int ReadVocabulary(string file, JsonElement vocabulary)
    {
        foreach (JsonProperty entry in vocabulary.EnumerateObject())
        {
            string token = entry.Name;
            int id = _files.Id(file, token, entry.Value);
            Ids.Add(token, id);
            if (!_names.TryAdd(id, token)) throw _files.Broken(file, $"gives the id {id} to both '{_names[id]}' and '{token}'");
        }

        return Ids.Count;
    }

    private void AddMerge(string file, string pair, int number)
    {
        int space = Math.Max(pair.IndexOf(' '), 0);
        AddMerge(file, pair[..space], pair[Math.Min(space + 1, pair.Length)..], number);
    }

    private void AddMerge(string file, string left, string right, int number)
    {
        if (left.Length == 0 || right.Length == 0 || left.Contains(' ') || right.Contains(' '))
            throw _files.Broken(file, $"has a merge (number {number}) that is no pair");
        foreach (string token in (ReadOnlySpan<string>)[left, right, left + right])
        {
            if (!Ids.ContainsKey(token))
                throw _files.Broken(file, $"has a merge (number {number}) with the token '{token}', which the vocabulary lacks");
        }

        if (!seenMerges.Add((left, right))) throw _files.Broken(file, $"lists the merge '{left} {right}' twice (again as number {number})");
        Merges.Add((left, right));
    }

    private void CheckBytes(string file)
    {
        for (int b = 0; b < 256; b++)
        {
            if (!Ids.ContainsKey(ByteAlphabet.ToChar((byte)b).ToString())) throw _files.Broken(file, $"lacks the token of the byte {b}");
        }
    }
}
