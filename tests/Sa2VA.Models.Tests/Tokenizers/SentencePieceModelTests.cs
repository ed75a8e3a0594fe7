using Sa2VA.Core;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>Rules of SentencePiece on files made for them, and damaged files.</summary>
public sealed class SentencePieceModelTests : IDisposable
{
    private const int F = PieceFile.First;
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Equal_scores_merge_leftmost_and_higher_scores_first()
    {
        PieceFile file = With(("a", 0), ("b", 0), ("aa", -1), ("ab", -2), ("aab", -1));
        Tokenizer tokenizer = file.Load(_folder.Path);
        // aaa: leftmost pair first; aab: aa before ab, and then aa + b.
        Assert.Equal([1, F + 2, F], tokenizer.Encode("aaa"));
        Assert.Equal([1, F + 4], tokenizer.Encode("aab"));
        Assert.Equal([1, F + 3, F + 1], tokenizer.Encode("abb"));
    }

    [Fact]
    public void Characters_without_a_piece_merge_where_a_longer_piece_has_them_and_are_bytes_elsewhere()
    {
        Tokenizer tokenizer = With(("a", 0), ("a\U0001F600", -1), ("\u00E9\u00E8", -2)).Load(_folder.Path);
        Assert.Equal([1, F + 1], tokenizer.Encode("a\U0001F600"));
        Assert.Equal([1, F + 2], tokenizer.Encode("\u00E9\u00E8"));
        Assert.Equal([1, 3 + 0xC3, 3 + 0xA9], tokenizer.Encode("\u00E9"));
        Assert.Equal([1, 3 + 0x20 + 0x21, F], tokenizer.Encode("Aa"));
        Assert.Equal("A\u00E9a", tokenizer.Decode(tokenizer.Encode("A\u00E9a").AsSpan(1)));
    }

    [Fact]
    public void User_defined_pieces_stand_apart()
    {
        PieceFile file = With(("a", 0), ("b", 0), ("ab", -1));
        file.Pieces.Add(("<x>", 0, 4));
        file.Pieces.Add(("b<", -3, 1));
        Assert.Equal([1, F + 2, F + 3, F], file.Load(_folder.Path).Encode("ab<x>a"));
    }

    [Theory]
    [InlineData(true, false, " a  b ", "\u2581|\u2581|a|\u2581|\u2581|b|\u2581")]
    [InlineData(false, true, " a  b ", "a|\u2581|b")]
    [InlineData(true, true, " a  b ", "\u2581|a|\u2581|b")]
    [InlineData(false, false, " a  b ", "\u2581|a|\u2581|\u2581|b|\u2581")]
    [InlineData(true, true, "", "")]
    [InlineData(true, true, "  ", "")]
    public void White_space_flags_are_honoured(bool prefix, bool remove, string text, string pieces)
    {
        PieceFile file = With(("\u2581", 0), ("a", 0), ("b", 0));
        (file.DummyPrefix, file.RemoveSpaces) = (prefix, remove);
        Tokenizer tokenizer = file.Load(_folder.Path);
        int[] ids = tokenizer.Encode(text)[1..];
        Assert.Equal(pieces, string.Join('|', ids.Select(id => file.Pieces[id].Text)));
        Assert.Equal(remove ? (text.Trim().Length == 0 ? "" : "a b") : text, tokenizer.Decode(ids));
    }

    [Fact]
    public void Absent_white_space_flags_are_set_as_the_format_says()
    {
        PieceFile file = With(("\u2581", 0), ("a", 0));
        (file.DummyPrefix, file.RemoveSpaces) = (null, null);
        Assert.Equal([1, F, F + 1, F, F + 1], file.Load(_folder.Path).Encode("a  a "));
    }

    [Fact]
    public void What_the_family_does_not_use_is_refused()
    {
        Refused("not supported", file => file.ModelType = 1);
        Refused("not supported", file => file.Rules = [1]);
        Refused("not supported", file => file.Pieces.Add(("u", 0, 5)));
        Refused("not supported", file => file.Pieces.Add(("u", 0, 77)));
        Refused("twice", file => file.Pieces.Add(("a", 0, 1)));
        Refused("<0xFF>", file => file.Pieces.RemoveAt(F - 1));
        Refused("byte piece", file => file.Pieces.Add(("<0xZZ>", 0, 6)));
        Refused("score", file => file.Pieces.Add(("n", float.NaN, 1)));
        Refused("characters", file => file.Pieces.Add((new string('x', 1000), 0, 1)));
        Refused("characters", file => file.Pieces.Add(("", 0, 1)));
    }

    [Fact]
    public void Files_cut_short_or_damaged_load_or_are_refused()
    {
        byte[] good = With(("a", 0), ("\u2581a", -1)).ToBytes();
        With(("a", 0)).Load(_folder.Path);
        string path = _folder.At("tokenizer.model");
        var random = new Random(3);
        int refused = 0, tried = 0;
        for (int length = 0; length < good.Length; length += 11) Try(good[..length]);
        for (int i = 0; i < 300; i++)
        {
            byte[] bad = (byte[])good.Clone();
            bad[random.Next(bad.Length)] = (byte)random.Next(256);
            Try(bad);
        }

        Assert.True(refused > tried / 2, $"{refused} of {tried} refused");

        void Try(byte[] bytes)
        {
            tried++;
            File.WriteAllBytes(path, bytes);
            try
            {
                Tokenizer tokenizer = Tokenizer.Load(_folder.Path);
                tokenizer.Decode(tokenizer.Encode("a \u00E9a"));
            }
            catch (CheckpointException e)
            {
                Assert.Contains(_folder.Path, e.Message, StringComparison.Ordinal);
                refused++;
            }
        }
    }

    [Fact]
    public void A_length_beyond_the_file_allocates_nothing()
    {
        With(("a", 0)).Load(_folder.Path);
        File.WriteAllBytes(_folder.At("tokenizer.model"), [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x0A, 0x01, 0x61]);
        Assert.Contains("ends inside", Assert.Throws<CheckpointException>(() => Tokenizer.Load(_folder.Path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Ids_without_a_token_stand_for_no_text()
    {
        Tokenizer tokenizer = With(("a", 0)).Load(_folder.Path);
        Assert.Equal("aa", tokenizer.Decode([F, -1, int.MaxValue, F + 1, F]));
        Assert.Equal("a</s>a", tokenizer.Decode([F, 2, F]));
        Assert.Equal([1, F, 2, F], tokenizer.Encode("a</s>a"));
        Assert.Equal("aa", tokenizer.DecodeReference([F, -1, int.MaxValue, F]));
        Assert.Equal("\uFFFD\uFFFDa", tokenizer.Decode([3 + 0xF0, 3 + 0x9F, F]));
    }

    private static PieceFile With(params (string Text, float Score)[] pieces)
    {
        var file = new PieceFile();
        file.Pieces.AddRange(pieces.Select(piece => (piece.Text, piece.Score, 1)));
        return file;
    }

    private void Refused(string says, Action<PieceFile> damage)
    {
        PieceFile file = With(("a", 0));
        damage(file);
        Assert.Contains(says, Assert.Throws<CheckpointException>(() => file.Load(_folder.Path)).Message, StringComparison.Ordinal);
    }
}
