using System.Text.Json;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Models.Tests.Tokenizers;

public class InternLm2TokenizerTests
{
    private static Tokenizer Tokenizer => TokenizerFixtures.Get("internlm2.jsonl");

    [Fact]
    public void Text_and_ids_equal_the_recorded_ones()
    {
        Tokenizer tokenizer = Tokenizer;
        Assert.IsType<InternLm2Tokenizer>(tokenizer);
        TokenizerFixtures.CheckLines("internlm2.jsonl", line =>
            TokenizerFixtures.Different(line.Ids(), tokenizer.Encode(line.Text("text")), line.Text("text"))
            ?? TokenizerFixtures.Different(line.Text("decoded"), tokenizer.DecodeReference(line.Ids().AsSpan(1))));
    }

    [Fact]
    public void Clean_decoding_gives_the_text_back()
    {
        Tokenizer tokenizer = Tokenizer;
        TokenizerFixtures.CheckLines("internlm2.jsonl", line =>
        {
            // The recording shows the escaped space as a space and drops one space at the start.
            string clean = tokenizer.Decode(line.Ids().AsSpan(1));
            return TokenizerFixtures.Different(line.Text("text").Replace('\u2581', ' '), clean)
                ?? TokenizerFixtures.Different(line.Text("decoded_fast"), clean.StartsWith(' ') ? clean[1..] : clean);
        });
    }

    [Fact]
    public void Runs_of_pieces_decode_as_recorded_at_once_and_streamed()
    {
        Tokenizer tokenizer = Tokenizer;
        TokenStream stream = tokenizer.Stream();
        TokenizerFixtures.CheckLines("internlm2.decode.jsonl", line =>
            TokenizerFixtures.Different(line.Text("decoded"), tokenizer.Decode(line.Ids()))
            ?? TokenizerFixtures.Different(line.Text("decoded"), string.Concat(line.Ids().Select(stream.Append)) + stream.Flush()));
    }

    [Fact]
    public void Ids_with_a_role_are_those_of_the_published_tokenizer()
    {
        Tokenizer tokenizer = Tokenizer;
        Assert.Equal((1, 2, 2, 92558), (tokenizer.BosId ?? -1, tokenizer.EosId, tokenizer.PadId, tokenizer.VocabularySize));
        Assert.Equal([1, 1008, 364, 525, 11353], tokenizer.Encode("user\nassistant"));
        Assert.True(tokenizer.TryGetId("<|im_end|>", out int end));
        Assert.Equal(92542, end);
        Assert.True(tokenizer.TryGetId("[SEG]", out int seg));
        Assert.Equal(92553, seg);
        Assert.False(tokenizer.TryGetId("[UNUSED_TOKEN_145]", out _));
    }

    [Fact]
    public void Added_tokens_in_plain_text_stay_text()
    {
        Tokenizer tokenizer = Tokenizer;
        const string text = "a [SEG] <|im_end|><p>";
        int[] plain = tokenizer.Encode(text, SpecialTokenText.PlainText)[1..];
        Assert.DoesNotContain(plain, tokenizer.IsAddedToken);
        Assert.Equal(text, tokenizer.Decode(plain));
        Assert.Equal(3, tokenizer.Encode(text).Count(id => id != tokenizer.BosId && tokenizer.IsAddedToken(id)));
    }
}
