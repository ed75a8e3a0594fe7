using System.Text.RegularExpressions;
using Sa2VA.Core;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>What the tokenizers make of a prompt before any merging: validity, added tokens, words.</summary>
public partial class PromptTextTests
{
    [Fact]
    public void Half_a_surrogate_pair_is_refused_by_place()
    {
        // Not test data: attributes are stored as UTF-8, which cannot hold these.
        (string Text, int Index)[] cases =
            [("\uD800", 0), ("ab\uDC00c", 2), ("\uD83D\uDE00\uD83D", 2), ("x\uD83D\uD83D\uDE00", 1), ("[SEG]\uDFFF", 5)];
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Model("sa2va-tiny-shapes"));
        foreach ((string text, int index) in cases)
        {
            foreach (SpecialTokenText specials in Enum.GetValues<SpecialTokenText>())
            {
                var error = Assert.Throws<PromptException>(() => tokenizer.Encode(text, specials));
                Assert.Contains($"index {index} ", error.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Added_tokens_are_found_leftmost_and_longest()
    {
        var added = new AddedTokens(new Dictionary<string, int> { ["<a"] = 1, ["<a><b>"] = 2, ["<a>"] = 3, ["a><"] = 4, ["<b>"] = 5 });
        Assert.Equal([(0, 3, 3), (3, 2, 1), (6, 6, 2), (12, 3, 5)], All("<a><a <a><b><b>b"));
        Assert.Equal([(1, 2, 1)], All("x<a"));
        Assert.Equal([(1, 3, 4)], All("aa><c>"));
        Assert.Empty(All("< a >"));
        Assert.Empty(All(""));

        List<(int, int, int)> All(string text)
        {
            var found = new List<(int, int, int)>();
            for (int at = 0; added.Find(text, at, out int start, out int length, out int id); at = start + length)
                found.Add((start, length, id));
            return found;
        }
    }

    [Fact]
    public void Words_equal_those_of_the_pattern_within_the_basic_plane()
    {
        // There the pattern needs no code points, so the platform's own engine is the reference.
        const string alphabet =
            "aZ\u00E9\u4E2D 059\u0664\u2167   \t\r\n\n\u00A0\u3000\u0085\u2028'''stmdrevlSTRE.,!?-_<|>[]\u0301\u200B\u0000";
        var random = new Random(1);
        for (int i = 0; i < 20_000; i++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 24)).Select(_ => alphabet[random.Next(alphabet.Length)]));
            Assert.Equal(Words().Matches(text).Select(match => match.Value), Split(text));
        }
    }

    [Theory]
    [InlineData("\uD835\uDFD8\uD835\uDFD9", "\uD835\uDFD8/\uD835\uDFD9")]
    [InlineData("\uD835\uDC00\uD835\uDC01 \uD83D\uDE00\uD83D\uDE00!", "\uD835\uDC00\uD835\uDC01/ \uD83D\uDE00\uD83D\uDE00!")]
    [InlineData("\uD83D\uDE00a\uD835\uDC00", "\uD83D\uDE00a\uD835\uDC00")]
    [InlineData("'\u017Fa", "'\u017F/a")]
    [InlineData("I'LLx", "I/'LL/x")]
    [InlineData("x<|end|>\n<|", "x/<|/end/|>\n/<|")]
    public void Words_beyond_the_basic_plane_follow_code_points(string text, string words)
    {
        Assert.Equal(words.Split('/'), Split(text));
    }

    [Fact]
    public void One_tokenizer_serves_many_threads()
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Model("sa2va-tiny-shapes"));
        string[] texts = [.. TokenizerFixtures.Lines("internlm2.jsonl").Select(line => line.Text("text"))];
        int[][] expected = [.. texts.Select(text => tokenizer.Encode(text))];
        Tokenizer shared = Tokenizer.Load(Fixtures.Model("sa2va-tiny-shapes"));
        Parallel.For(0, texts.Length * 4, i => Assert.Equal(expected[i % texts.Length], shared.Encode(texts[i % texts.Length])));
    }

    private static IEnumerable<string> Split(string text)
    {
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = Qwen2PreTokenizer.PieceEnd(text, start);
            yield return text[start..end];
        }
    }

    [GeneratedRegex(Qwen2PreTokenizer.Pattern, RegexOptions.CultureInvariant)]
    private static partial Regex Words();
}
