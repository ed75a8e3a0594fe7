using System.Runtime.InteropServices;
using System.Text;

namespace Sa2VA.Models.Tokenizers;

/// <summary>
/// The SentencePiece BPE of InternLM2: added tokens split out, each remaining run merged by score with the leftmost of equal pairs first,
/// characters without a piece as bytes.
/// </summary>
public sealed class InternLm2Tokenizer : Tokenizer
{
    internal const string ModelFile = "tokenizer.model";

    private readonly SentencePieceModel _model;
    private readonly byte[]?[] _bytes;
    private readonly Dictionary<int, int> _symbolOfCharacter = [];
    private readonly MergeTable _merges = new();
    private readonly AddedTokens _userDefined;
    private readonly bool _prependsBos;
    private readonly IReadOnlySet<int> _specialIds;

    private InternLm2Tokenizer(SentencePieceModel model, TokenizerSettings settings) : base(settings, model.Pieces.Count - 1)
    {
        _model = model;
        (_prependsBos, _specialIds) = (settings.PrependsBos, settings.SpecialIds);
        _bytes = new byte[]?[model.Pieces.Count];
        for (int id = 0; id < _bytes.Length; id++) _bytes[id] = SurfaceOf(model.Pieces[id]);
        for (int b = 0; b < 256; b++) _bytes[model.ByteIds[b]] = [(byte)b];
        _userDefined = new AddedTokens(model.Ids.Where(p => model.Pieces[p.Value].Kind == PieceKind.UserDefined).ToDictionary());
        AddCharacters();
        AddMerges();
    }

    internal override bool ReplacesEachByte => true;

    internal override bool DropsLeadingSpace => _model.AddDummyPrefix || _model.RemoveExtraWhitespaces;

    private protected override bool PrependsBos => _prependsBos;

    private protected override bool CollapsesSpaces => _model.RemoveExtraWhitespaces;

    /// <inheritdoc/>
    public override string DecodeReference(ReadOnlySpan<int> ids)
    {
        var parts = new List<string>();
        var run = new List<int>();
        foreach (int id in ids)
        {
            // Added tokens with a role that took a piece's place stay inside the run.
            if (!Added.TryGetContent(id, out string content) || (_specialIds.Contains(id) && id < _model.Pieces.Count))
            {
                run.Add(id);
                continue;
            }

            if (DecodeRun(run) is { Length: > 0 } text) parts.Add(text);
            run.Clear();
            parts.Add(content);
        }

        if (run.Count > 0) parts.Add(DecodeRun(run));
        return string.Join(' ', parts);
    }

    internal static InternLm2Tokenizer Read(TokenizerFolder folder, IReadOnlyList<KeyValuePair<string, int>> additional)
    {
        var model = new SentencePieceModel(folder, ModelFile);
        var settings = TokenizerSettings.Read(folder,
            name => model.Pieces.FindIndex(piece => piece.Text == name) is >= 0 and int id ? id : null, additional);
        return new InternLm2Tokenizer(model, settings);
    }

    internal override ReadOnlySpan<byte> TokenBytes(int id) => (uint)id < (uint)_bytes.Length ? _bytes[id] : default;

    private protected override string Normalize(string text) => text;

    private protected override void EncodeOrdinary(ReadOnlySpan<char> text, List<int> ids)
    {
        string escaped = Escape(text);
        int at = 0;
        while (_userDefined.Find(escaped, at, out int start, out int length, out int id))
        {
            MergeRun(escaped.AsSpan(at, start - at), ids);
            ids.Add(id);
            at = start + length;
        }

        MergeRun(escaped.AsSpan(at), ids);
    }

    private void MergeRun(ReadOnlySpan<char> text, List<int> ids)
    {
        // Negative symbols are characters without a piece of their own; only some of them occur in longer pieces.
        var symbols = new List<int>(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            symbols.Add(_symbolOfCharacter.TryGetValue(rune.Value, out int symbol) ? symbol : -1 - rune.Value);
        var merged = new List<int>(symbols.Count);
        _merges.Merge(CollectionsMarshal.AsSpan(symbols), merged);
        Span<byte> utf8 = stackalloc byte[4];
        foreach (int symbol in merged)
        {
            if (symbol >= 0) ids.Add(symbol);
            else foreach (byte b in utf8[..new Rune(-1 - symbol).EncodeToUtf8(utf8)]) ids.Add(_model.ByteIds[b]);
        }
    }

    private string Escape(ReadOnlySpan<char> text)
    {
        var escaped = new StringBuilder(text.Length + 1);
        if (_model.RemoveExtraWhitespaces) text = text.Trim(' ');
        if (_model.AddDummyPrefix && text.Length > 0) escaped.Append(SentencePieceModel.Space);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != ' ') escaped.Append(text[i]);
            else if (!_model.RemoveExtraWhitespaces || text[i - 1] != ' ') escaped.Append(SentencePieceModel.Space);
        }

        return escaped.ToString();
    }

    private void AddCharacters()
    {
        foreach ((string piece, int id) in _model.Ids)
        {
            if (Rune.TryGetRuneAt(piece, 0, out Rune rune) && rune.Utf16SequenceLength == piece.Length) _symbolOfCharacter[rune.Value] = id;
        }
    }

    /// <summary>
    /// Every way to part a piece into two neighbours is a merge; equal scores get equal ranks, so that the leftmost wins.
    /// </summary>
    private void AddMerges()
    {
        float[] scores = [.. _model.Ids.Values.Select(id => _model.Pieces[id].Score).Distinct().OrderDescending()];
        var rankOfScore = new Dictionary<float, int>(scores.Length);
        for (int rank = 0; rank < scores.Length; rank++) rankOfScore[scores[rank]] = rank;
        var symbols = _model.Ids.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach ((string piece, int id) in _model.Ids)
        {
            int rank = rankOfScore[_model.Pieces[id].Score];
            for (int cut = 1; cut < piece.Length; cut++)
            {
                if (char.IsLowSurrogate(piece[cut])) continue;
                if (SymbolOf(piece.AsSpan(0, cut)) is int left && SymbolOf(piece.AsSpan(cut)) is int right)
                    _merges.TryAdd(left, right, rank, id);
            }
        }

        int? SymbolOf(ReadOnlySpan<char> part)
        {
            if (symbols.TryGetValue(part, out int id)) return id;
            Rune.DecodeFromUtf16(part, out Rune rune, out int units);
            return units == part.Length ? -1 - rune.Value : null;
        }
    }

    private static byte[] SurfaceOf(Piece piece) => piece.Kind switch
    {
        PieceKind.Control => [],
        PieceKind.Unknown => " \u2047 "u8.ToArray(),
        _ => Encoding.UTF8.GetBytes(piece.Text.Replace(SentencePieceModel.Space, ' ')),
    };

    /// <summary>
    /// Decodes ids between added tokens: special pieces get a space before the text that precedes them, then spaces before punctuation go.
    /// </summary>
    private string DecodeRun(List<int> ids)
    {
        var text = new StringBuilder();
        int start = 0;
        bool afterSpecial = false;
        for (int i = 0; i <= ids.Count; i++)
        {
            if (i < ids.Count && !_specialIds.Contains(ids[i]))
            {
                afterSpecial = false;
                continue;
            }

            if (i < ids.Count && !afterSpecial) text.Append(' ');
            text.Append(Decode(CollectionsMarshal.AsSpan(ids)[start..i]));
            if (i < ids.Count) text.Append(Added.TryGetContent(ids[i], out string content) ? content : _model.Pieces[ids[i]].Text);
            (start, afterSpecial) = (i + 1, true);
        }

        return text.Replace(" .", ".").Replace(" ?", "?").Replace(" !", "!").Replace(" ,", ",").Replace(" ' ", "'").Replace(" n't", "n't")
            .Replace(" 'm", "'m").Replace(" 's", "'s").Replace(" 've", "'ve").Replace(" 're", "'re").ToString();
    }
}
