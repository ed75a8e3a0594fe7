using System.Text;
using Sa2VA.Core;

namespace Sa2VA.Models.Tokenizers;

/// <summary>What a text that spells an added token (<c>[SEG]</c>, <c>&lt;|im_end|&gt;</c>, ...) becomes.</summary>
public enum SpecialTokenText
{
    /// <summary>The added token's id, wherever it stands; the reference does so also inside user text.</summary>
    Parse,

    /// <summary>Ordinary text, for input that must not be able to steer the model by control tokens.</summary>
    PlainText,
}

/// <summary>
/// Text to ids and back, as the tokenizer files of a checkpoint say. Immutable; one instance may serve many threads.
/// </summary>
public abstract class Tokenizer
{
    private int _longestToken;

    private protected Tokenizer(TokenizerSettings settings, int highestOrdinaryId)
    {
        Added = settings.Added;
        VocabularySize = Math.Max(highestOrdinaryId, Added.HighestId) + 1;
        (BosId, EosId, PadId) = (settings.BosId, settings.EosId, settings.PadId);
    }

    /// <summary>The highest id plus one; a model's embedding table may have more rows.</summary>
    public int VocabularySize { get; }

    /// <summary>The id that <see cref="Encode"/> puts first, or null for a family that has none.</summary>
    public int? BosId { get; }

    /// <summary>The id that ends an answer.</summary>
    public int EosId { get; }

    /// <summary>The id that fills a batch.</summary>
    public int PadId { get; }

    internal AddedTokens Added { get; }

    /// <summary>
    /// True where every byte of broken UTF-8 becomes its own U+FFFD, false where each maximal part of a sequence becomes one.
    /// </summary>
    internal abstract bool ReplacesEachByte { get; }

    /// <summary>True where encoding puts a space before each run of ordinary text, which decoding has to take away.</summary>
    internal virtual bool DropsLeadingSpace => false;

    /// <summary>
    /// Reads the tokenizer of a checkpoint folder: <c>tokenizer.model</c> (InternLM2), or <c>tokenizer.json</c>, or <c>vocab.json</c> with
    /// <c>merges.txt</c> (Qwen2); added tokens from these, <c>added_tokens.json</c> and <c>tokenizer_config.json</c>.
    /// </summary>
    /// <exception cref="CheckpointException">A file is missing, broken, contradicts another, or is of an unsupported kind.</exception>
    public static Tokenizer Load(string folder) => Load(folder, []);

    /// <summary>The same with tokens added beyond those in the files, as training adds <c>[SEG]</c> to a base model.</summary>
    internal static Tokenizer Load(string folder, IReadOnlyList<KeyValuePair<string, int>> additional)
    {
        var files = new TokenizerFolder(folder);
        bool json = files.Has(Qwen2Files.Json), pieces = files.Has(InternLm2Tokenizer.ModelFile);
        if (!json && !pieces && !files.Has(Qwen2Files.Vocabulary) && !files.Has(Qwen2Files.MergeList))
        {
            throw new CheckpointException(
                $"The folder '{folder}' has no tokenizer: neither {Qwen2Files.Json}, nor {Qwen2Files.Vocabulary} with "
                + $"{Qwen2Files.MergeList}, nor {InternLm2Tokenizer.ModelFile}. Download the checkpoint's tokenizer files.");
        }

        string? kind = TokenizerSettings.ReadClass(files);
        bool internLm2 = kind?.StartsWith("InternLM2", StringComparison.Ordinal) ?? (pieces && !json && !files.Has(Qwen2Files.Vocabulary));
        // tokenizer.json says itself what it is; the other files do not.
        if (kind is not null && !internLm2 && !json && !kind.StartsWith("Qwen2", StringComparison.Ordinal))
            throw files.Unsupported(TokenizerSettings.ConfigFile, $"the tokenizer class {kind}");
        return internLm2 ? InternLm2Tokenizer.Read(files, additional) : Qwen2Tokenizer.Read(files, additional);
    }

    /// <summary>Finds an added token by its name, for example <c>[SEG]</c>.</summary>
    public bool TryGetId(string token, out int id) => Added.TryGetId(token, out id);

    /// <summary>Whether the id is an added token, which decoding shows by its name.</summary>
    public bool IsAddedToken(int id) => Added.TryGetContent(id, out _);

    /// <summary>
    /// The ids of a text. InternLM2 puts its beginning mark first; Qwen2 normalises the text (NFC) and puts nothing before it.
    /// </summary>
    /// <exception cref="PromptException">The text holds half a surrogate pair.</exception>
    public int[] Encode(string text, SpecialTokenText specials = SpecialTokenText.Parse)
    {
        ArgumentNullException.ThrowIfNull(text);
        CheckUnicode(text);
        var ids = new List<int>(text.Length / 3 + 8);
        if (BosId is int bos && PrependsBos) ids.Add(bos);
        string normal = Normalize(text);
        int at = 0;
        while (specials == SpecialTokenText.Parse && Added.Find(normal, at, out int start, out int length, out int id))
        {
            if (start > at) EncodeOrdinary(normal.AsSpan(at, start - at), ids);
            ids.Add(id);
            at = start + length;
        }

        if (at < normal.Length) EncodeOrdinary(normal.AsSpan(at), ids);
        return [.. ids];
    }

    /// <summary>
    /// A number of tokens that a text has at the least, found by counting characters: to refuse absurd texts before they are encoded.
    /// </summary>
    internal long LeastTokens(ReadOnlySpan<char> text)
    {
        // Normalisation joins up to four characters into one, of which only the first may be below U+0300.
        long characters = CollapsesSpaces ? 0 : text.Length / 4, firsts = 0;
        foreach (char c in text)
            if (c < '\u0300' && (c != ' ' || !CollapsesSpaces)) firsts++;
        int longest = LongestToken();
        return (Math.Max(characters, firsts) + longest - 1) / longest;
    }

    /// <summary>Refuses text that is not valid UTF-16.</summary>
    /// <exception cref="PromptException">The text holds half a surrogate pair; the message has its index.</exception>
    internal static void CheckUnicode(string text)
    {
        int broken = IndexOfUnpairedSurrogate(text);
        if (broken < 0) return;
        throw new PromptException(
            $"The prompt is not valid Unicode: the character at index {broken} (U+{(int)text[broken]:X4}) is half of a "
            + "surrogate pair. Pass text that was decoded from valid UTF-8 or UTF-16.");
    }

    /// <summary>
    /// The text of the ids: added tokens by name, nothing put between tokens, broken UTF-8 as U+FFFD. Ids without a token are skipped.
    /// </summary>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var stream = new TokenStream(this);
        var text = new StringBuilder(ids.Length * 4);
        foreach (int id in ids) text.Append(stream.Append(id));
        return text.Append(stream.Flush()).ToString();
    }

    /// <summary>
    /// The text as the reference implementation spells it, before it strips the ends: differs from <see cref="Decode"/> for InternLM2 only,
    /// whose tokenizer puts spaces around added tokens and removes some before punctuation.
    /// </summary>
    public virtual string DecodeReference(ReadOnlySpan<int> ids) => Decode(ids);

    /// <summary>A decoder for ids that arrive one at a time.</summary>
    public TokenStream Stream() => new(this);

    /// <summary>The UTF-8 bytes (perhaps a part of a character) of an ordinary token; empty where there is none.</summary>
    internal abstract ReadOnlySpan<byte> TokenBytes(int id);

    private protected virtual bool PrependsBos => false;

    /// <summary>True where encoding makes runs of spaces one.</summary>
    private protected virtual bool CollapsesSpaces => false;

    private protected abstract string Normalize(string text);

    private protected abstract void EncodeOrdinary(ReadOnlySpan<char> text, List<int> ids);

    /// <summary>Bytes of the longest token, ordinary or added; at least 1.</summary>
    private int LongestToken()
    {
        if (_longestToken > 0) return _longestToken;
        int longest = 1;
        for (int id = 0; id < VocabularySize; id++)
        {
            longest = Math.Max(longest, TokenBytes(id).Length);
            if (Added.TryGetContent(id, out string content)) longest = Math.Max(longest, Encoding.UTF8.GetByteCount(content));
        }
        return _longestToken = longest;
    }

    private static int IndexOfUnpairedSurrogate(ReadOnlySpan<char> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            int skip = text[i..].IndexOfAnyInRange('\uD800', '\uDFFF');
            if (skip < 0) return -1;
            i += skip;
            if (char.IsLowSurrogate(text[i]) || i + 1 == text.Length || !char.IsLowSurrogate(text[i + 1])) return i;
            i++;
        }

        return -1;
    }
}
