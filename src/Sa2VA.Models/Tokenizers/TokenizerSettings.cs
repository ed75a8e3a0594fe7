using System.Globalization;
using System.Text.Json;

namespace Sa2VA.Models.Tokenizers;

/// <summary>Added tokens and the tokens with a role, gathered from every file of a checkpoint that may name them.</summary>
internal sealed class TokenizerSettings
{
    public const string ConfigFile = "tokenizer_config.json";
    private const string AddedFile = "added_tokens.json", MapFile = "special_tokens_map.json";
    private const int LongestToken = 200, MostTokens = 10_000;

    private TokenizerSettings(AddedTokens added) => Added = added;

    public AddedTokens Added { get; }

    public int? BosId { get; private init; }

    public int EosId { get; private init; }

    public int PadId { get; private init; }

    public bool PrependsBos { get; private init; }

    /// <summary>
    /// Ids of the tokens with a role (begin, end, unknown, padding, "additional special"), which the reference treats apart in decoding.
    /// </summary>
    public required IReadOnlySet<int> SpecialIds { get; init; }

    /// <summary>The <c>tokenizer_class</c> of tokenizer_config.json, or null.</summary>
    public static string? ReadClass(TokenizerFolder files) =>
        files.Has(ConfigFile) ? files.ReadJson(ConfigFile, root => TokenizerFolder.Member(root, "tokenizer_class")?.GetString()) : null;

    /// <param name="files">The checkpoint folder.</param>
    /// <param name="ordinary">The id of an ordinary token by name, for roles that are not added tokens.</param>
    /// <param name="additional">Tokens beyond those in the files.</param>
    /// <param name="tokenizerJson">The <c>added_tokens</c> of tokenizer.json, or null.</param>
    public static TokenizerSettings Read(TokenizerFolder files, Func<string, int?> ordinary,
        IReadOnlyList<KeyValuePair<string, int>> additional, IReadOnlyList<KeyValuePair<string, int>>? tokenizerJson = null)
    {
        var tokens = new Dictionary<string, int>(StringComparer.Ordinal);
        var names = new Dictionary<int, string>();
        AddAll("tokenizer.json", tokenizerJson ?? []);
        if (files.Has(ConfigFile)) AddAll(ConfigFile, files.ReadJson(ConfigFile, root => AddedTokensDecoder(files, root)));
        if (files.Has(AddedFile))
            AddAll(AddedFile, files.ReadJson(AddedFile,
                root => root.EnumerateObject().Select(p => KeyValuePair.Create(p.Name, files.Id(AddedFile, p.Name, p.Value))).ToList()));
        AddAll(AddedFile, additional);

        string? bos = Role(files, "bos_token"), eos = Role(files, "eos_token"), pad = Role(files, "pad_token"),
            unk = Role(files, "unk_token");
        if (eos is null) throw files.Broken(ConfigFile, "names no eos_token, so the end of an answer is unknown");
        var special = new HashSet<int>();
        foreach (string name in new[] { bos, eos, pad, unk }.OfType<string>().Concat(AdditionalSpecial(files)))
        {
            if (Find(name) is not int id) continue;
            special.Add(id);
            // A token with a role is found in text and shown by name even where only the ordinary vocabulary lists it.
            AddAll(ConfigFile, [KeyValuePair.Create(name, id)]);
        }

        return new TokenizerSettings(new AddedTokens(tokens))
        {
            BosId = bos is null ? null : Required(bos, "bos_token"),
            EosId = Required(eos, "eos_token"),
            PadId = Required(pad ?? eos, "pad_token"),
            PrependsBos = !files.Has(ConfigFile)
            || files.ReadJson(ConfigFile, root => TokenizerFolder.Member(root, "add_bos_token")?.GetBoolean() ?? true),
            SpecialIds = special,
        };

        void AddAll(string file, IEnumerable<KeyValuePair<string, int>> list)
        {
            foreach ((string content, int id) in list)
            {
                if (content.Length is 0 or > LongestToken)
                    throw files.Broken(file, $"adds a token of {content.Length} characters (id {id})");
                files.CheckId(file, content, id);
                if (tokens.TryGetValue(content, out int known) && known != id)
                    throw files.Broken(file, $"gives the added token '{content}' the id {id}, which elsewhere has {known}");
                if (names.TryGetValue(id, out string? other) && other != content)
                    throw files.Broken(file, $"gives the id {id} to the added token '{content}', which is already that of '{other}'");
                if (tokens.Count >= MostTokens) throw files.Broken(file, $"adds more than {MostTokens} tokens");
                tokens[content] = id;
                names[id] = content;
            }
        }

        int? Find(string name) => tokens.TryGetValue(name, out int id) ? id : ordinary(name);

        int Required(string name, string role) =>
            Find(name) ?? throw files.Broken(ConfigFile, $"names '{name}' as {role}, which no file gives an id");
    }

    /// <summary>Refuses the options of an added token that change the text around it; no checkpoint of the family uses them.</summary>
    public static void CheckOptions(TokenizerFolder files, string file, string content, JsonElement token)
    {
        foreach (string option in (ReadOnlySpan<string>)["lstrip", "rstrip", "single_word"])
        {
            if (TokenizerFolder.Member(token, option) is { ValueKind: JsonValueKind.True })
                throw files.Unsupported(file, $"the option {option} of the added token '{content}'");
        }
    }

    private static List<KeyValuePair<string, int>> AddedTokensDecoder(TokenizerFolder files, JsonElement root)
    {
        var list = new List<KeyValuePair<string, int>>();
        if (TokenizerFolder.Member(root, "added_tokens_decoder") is not { } decoder) return list;
        foreach (JsonProperty entry in decoder.EnumerateObject())
        {
            string content = Content(entry.Value) ?? throw files.Broken(ConfigFile, $"has no content for the added token {entry.Name}");
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id))
                throw files.Broken(ConfigFile,
                    $"gives the added token '{content}' the id '{entry.Name}', which is not a whole number from 0 to "
                        + $"{TokenizerFolder.HighestId}");
            CheckOptions(files, ConfigFile, content, entry.Value);
            list.Add(KeyValuePair.Create(content, id));
        }

        return list;
    }

    private static string? Role(TokenizerFolder files, string role)
    {
        foreach (string file in (ReadOnlySpan<string>)[ConfigFile, MapFile])
        {
            if (files.Has(file) && files.ReadJson(file,
                root => TokenizerFolder.Member(root, role) is { } token ? Content(token) : null) is { } name)
                return name;
        }

        return null;
    }

    private static IEnumerable<string> AdditionalSpecial(TokenizerFolder files)
    {
        foreach (string file in (string[])[ConfigFile, MapFile])
        {
            if (!files.Has(file)) continue;
            foreach (string name in files.ReadJson(file, root => TokenizerFolder.Member(root, "additional_special_tokens") is { } list
                ? list.EnumerateArray().Select(Content).OfType<string>().ToList() : []))
            {
                yield return name;
            }
        }
    }

    /// <summary>A token is written as a string or as an object with its content.</summary>
    private static string? Content(JsonElement token) =>
        token.ValueKind == JsonValueKind.Object ? TokenizerFolder.Member(token, "content")?.GetString() : token.GetString();
}
