using Sa2VA.Models.Tokenizers;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>Prompts of 100,000 characters that a quadratic step would turn into minutes; the content is checked, not the time.</summary>
public class LongPromptTests
{
    private const int Length = 100_000;

    private static readonly string[] Parts =
        ["a", "ab", " ", "\n", " \n", "0", "[SEG]", "[SEG", "<", "<IMG_CONTEXT", "'s", "!", "\u00E9", "e\u0301", "\u0323\u0307",
        "\u4F60\u597D", "\uD83D\uDE00", "\uD835\uDFD8", "\u0000", "hello world, ", "\t", "=", "\u2581", "\u200B\u200D"];

    public static TheoryData<string> Units => [.. Parts];

    [Theory]
    [MemberData(nameof(Units))]
    public void Byte_level_tokenizer_takes_any_repetition(string unit)
    {
        Tokenizer tokenizer = Tokenizer.Load(Fixtures.Model("sa2va-tiny-shapes"));
        string text = Repeat(unit);
        Assert.Equal(NfcNormalizer.Normalize(text), tokenizer.Decode(tokenizer.Encode(text)));
        Assert.Equal(NfcNormalizer.Normalize(text), tokenizer.Decode(tokenizer.Encode(text, SpecialTokenText.PlainText)));
    }

    [Fact]
    public void Published_byte_level_tokenizer_takes_any_repetition()
    {
        Tokenizer tokenizer = TokenizerFixtures.Get("qwen2_5.jsonl");
        foreach (string unit in Parts)
        {
            string text = Repeat(unit);
            Assert.Equal(NfcNormalizer.Normalize(text), tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Theory]
    [MemberData(nameof(Units))]
    public void SentencePiece_tokenizer_takes_any_repetition(string unit)
    {
        Tokenizer tokenizer = TokenizerFixtures.Get("internlm2.jsonl");
        string text = Repeat(unit);
        Assert.Equal(text.Replace('\u2581', ' '), tokenizer.Decode(tokenizer.Encode(text).AsSpan(1)));
    }

    private static string Repeat(string unit) => string.Concat(Enumerable.Repeat(unit, Length / unit.Length));
}
