using System.Text;
using Microsoft.ML.Tokenizers;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// The byte-level BPE of the Qwen2 family: NFC, added tokens split out, the family's pre-tokenizer, bytes as printable characters, merges
/// by rank.
/// </summary>
public sealed class Qwen2Tokenizer : Tokenizer
{
    // The library's time grows faster than the word (100,000 letters: a second, against 0.02 s by the own merging); words of ordinary text
    // are far below this.
    private const int LongestLibraryWord = 64;

    private readonly BpeTokenizer _library;
    private readonly byte[]?[] _bytes;
    private readonly int[] _idOfByte = new int[256];
    private readonly Lazy<MergeTable> _merges;

    private Qwen2Tokenizer(Qwen2Files files, TokenizerSettings settings) : base(settings, files.Ids.Values.Max())
    {
        _bytes = new byte[]?[VocabularySize];
        foreach ((string token, int id) in files.Ids) _bytes[id] = ByteAlphabet.ToBytes(token);
        for (int b = 0; b < 256; b++) _idOfByte[b] = files.Ids[ByteAlphabet.ToChar((byte)b).ToString()];
        _library = BpeTokenizer.Create(
            new BpeOptions(files.Ids) { Merges = files.Merges.Select(m => $"{m.Left} {m.Right}"), ByteLevel = true });
        _merges = new Lazy<MergeTable>(() =>
        {
            var table = new MergeTable();
            for (int rank = 0; rank < files.Merges.Count; rank++)
            {
                (string left, string right) = files.Merges[rank];
                table.TryAdd(files.Ids[left], files.Ids[right], rank, files.Ids[left + right]);
            }

            return table;
        });
    }

    internal override bool ReplacesEachByte => false;

    internal static Qwen2Tokenizer Read(TokenizerFolder folder, IReadOnlyList<KeyValuePair<string, int>> additional)
    {
        var files = new Qwen2Files(folder);
        var settings = TokenizerSettings.Read(folder, name => files.Ids.TryGetValue(name, out int id) ? id : null, additional, files.Added);
        files.CheckAdded(settings.Added);
        return new Qwen2Tokenizer(files, settings);
    }

    internal override ReadOnlySpan<byte> TokenBytes(int id) => (uint)id < (uint)_bytes.Length ? _bytes[id] : default;

    private protected override string Normalize(string text) => NfcNormalizer.Normalize(text);

    private protected override void EncodeOrdinary(ReadOnlySpan<char> text, List<int> ids)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = Qwen2PreTokenizer.PieceEnd(text, start);
            ReadOnlySpan<char> word = text[start..end];
            if (word.Length <= LongestLibraryWord) EncodeShort(word, ids);
            else EncodeLong(word, ids);
            start = end;
        }
    }

    internal void EncodeShort(ReadOnlySpan<char> word, List<int> ids) =>
        ids.AddRange(_library.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false));

    internal void EncodeLong(ReadOnlySpan<char> word, List<int> ids)
    {
        byte[] utf8 = new byte[Encoding.UTF8.GetByteCount(word)];
        Encoding.UTF8.GetBytes(word, utf8);
        _merges.Value.Merge(Array.ConvertAll(utf8, b => _idOfByte[b]), ids);
    }
}
