using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>Every recorded line of the byte-level tokenizers: ids, decoded text, and the pieces of streamed decoding.</summary>
public class RecordedTokenizationTests
{
    [Theory]
    [InlineData("qwen2_5.jsonl")]
    [InlineData("qwen2_5-vl.jsonl")]
    [InlineData("qwen3-vl.jsonl")]
    public void Text_and_ids_equal_the_recorded_ones(string file)
    {
        Tokenizer tokenizer = TokenizerFixtures.Get(file);
        Assert.IsType<Qwen2Tokenizer>(tokenizer);
        TokenizerFixtures.CheckLines(file, line =>
            TokenizerFixtures.Different(line.Ids(), tokenizer.Encode(line.Text("text")), line.Text("text"))
            ?? TokenizerFixtures.Different(line.Text("decoded"), tokenizer.Decode(line.Ids()))
            ?? TokenizerFixtures.Different(line.Text("decoded"), tokenizer.DecodeReference(line.Ids())));
    }

    [Fact]
    public void Own_merging_of_long_words_equals_the_library_on_every_recorded_word()
    {
        var tokenizer = (Qwen2Tokenizer)TokenizerFixtures.Get("qwen2_5.jsonl");
        var (own, library) = (new List<int>(), new List<int>());
        TokenizerFixtures.CheckLines("qwen2_5.jsonl", line =>
        {
            string text = NfcNormalizer.Normalize(line.Text("text"));
            for (int start = 0, end; start < text.Length; start = end)
            {
                end = Qwen2PreTokenizer.PieceEnd(text, start);
                own.Clear();
                library.Clear();
                tokenizer.EncodeLong(text.AsSpan(start, end - start), own);
                tokenizer.EncodeShort(text.AsSpan(start, end - start), library);
                if (!own.SequenceEqual(library)) return TokenizerFixtures.Different([.. library], [.. own], text[start..end]);
            }

            return null;
        });
    }

    [Theory]
    [InlineData("qwen2_5")]
    [InlineData("qwen2_5-vl")]
    [InlineData("qwen3-vl")]
    public void Streamed_pieces_equal_the_recorded_ones(string name)
    {
        Tokenizer tokenizer = TokenizerFixtures.Get(name + ".jsonl");
        TokenStream stream = tokenizer.Stream();
        TokenizerFixtures.CheckLines(name + ".stream.jsonl", line =>
        {
            string[] pieces = [.. line.Ids().Select(stream.Append)];
            string flush = stream.Flush();
            string[] expected = [.. line.GetProperty("pieces").EnumerateArray().Select(p => p.GetString()!)];
            return TokenizerFixtures.Different(string.Join('|', expected), string.Join('|', pieces))
                ?? TokenizerFixtures.Different(line.Text("flush"), flush)
                ?? TokenizerFixtures.Different(line.Text("decoded"), tokenizer.Decode(line.Ids()))
                ?? TokenizerFixtures.Different(line.Text("decoded"), string.Concat(pieces) + flush);
        });
    }

    [Fact]
    public void Ids_with_a_role_are_those_of_the_published_tokenizer()
    {
        Tokenizer tokenizer = TokenizerFixtures.Get("qwen2_5.jsonl");
        Assert.Equal((null, 151645, 151643, 151679),
            ((int?, int, int, int))(tokenizer.BosId, tokenizer.EosId, tokenizer.PadId, tokenizer.VocabularySize));
        Assert.Equal([872, 198, 77091], tokenizer.Encode("user\nassistant"));
        Assert.True(tokenizer.TryGetId("[SEG]", out int seg));
        Assert.Equal(151674, seg);
        Assert.True(tokenizer.IsAddedToken(seg));
        Assert.False(tokenizer.IsAddedToken(872));
        Assert.False(tokenizer.TryGetId("user", out _));
    }

    [Fact]
    public void Added_tokens_in_plain_text_stay_text()
    {
        Tokenizer tokenizer = TokenizerFixtures.Get("qwen2_5.jsonl");
        const string text = "a [SEG] <|im_end|><p>";
        int[] plain = tokenizer.Encode(text, SpecialTokenText.PlainText);
        Assert.DoesNotContain(plain, tokenizer.IsAddedToken);
        Assert.Equal(text, tokenizer.Decode(plain));
        Assert.Equal([64, 220, 151674, 220, 151645, 151675], tokenizer.Encode(text));
    }
}
