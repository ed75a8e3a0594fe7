using System.Security.Cryptography;
using System.Text;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>The digests were recorded from another implementation (ICU 78, Unicode 17.0) over the same inputs.</summary>
public class NfcNormalizerTests
{
    [Fact]
    public void Every_code_point_has_the_recorded_normal_form()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int point = 0; point < 0x110000; point++)
            if (Rune.IsValid(point)) hash.AppendData(Encoding.UTF8.GetBytes(NfcNormalizer.Normalize(new Rune(point).ToString())));
        Assert.Equal("1FFC8E6CE9E83DF8E49FD62D6ABB68F981775AED0B5101B88C213D4653E9B540", Convert.ToHexString(hash.GetHashAndReset()));
    }

    [Fact]
    public void Random_strings_of_marks_syllables_and_letters_have_the_recorded_normal_forms()
    {
        (int First, int Count)[] ranges = [(0x41, 58), (0x300, 0x70), (0x900, 0x500), (0x1100, 0x100), (0xAC00, 0x2BA4), (0x1E00, 0x200),
            (0x3040, 0xC0), (0x11000, 0x900), (0x1D150, 0x80), (0xF900, 0x200), (0x16100, 0x40), (0x1DF0, 0x10)];
        ulong state = 1;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < 50_000; i++)
        {
            var text = new StringBuilder();
            for (int n = 1 + Next(12); n > 0; n--)
            {
                (int first, int count) = ranges[Next(2) != 0 ? 1 : Next(ranges.Length)];
                text.Append(new Rune(first + Next(count)));
            }

            string normal = NfcNormalizer.Normalize(text.ToString());
            Assert.Equal(normal, NfcNormalizer.Normalize(normal));
            hash.AppendData(Encoding.UTF8.GetBytes(normal));
        }

        Assert.Equal("168829FA2FF8597541E9FEC9D5DC18B1DF0914192D148AD4405BE786CCE472F3", Convert.ToHexString(hash.GetHashAndReset()));

        int Next(int count)
        {
            state = unchecked(state * 6364136223846793005 + 1442695040888963407);
            return (int)((state >> 33) % (ulong)count);
        }
    }

    [Theory]
    [InlineData("e\u0301", "\u00E9")]
    [InlineData("a\u0323\u0307", "\u1EA1\u0307")]
    [InlineData("a\u0307\u0323", "\u1EA1\u0307")]
    [InlineData("\u1112\u1161\u11AB", "\uD55C")]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("\u212B", "\u00C5")]
    [InlineData("\u0301e", "\u0301e")]
    [InlineData(">\u0338", "\u226F")]
    [InlineData("", "")]
    public void Known_forms(string text, string normal) => Assert.Equal(normal, NfcNormalizer.Normalize(text));

    [Fact]
    public void A_long_run_of_marks_is_sorted_without_quadratic_work()
    {
        string marks = string.Concat(Enumerable.Repeat("\u0307\u0323", 50_000));
        string normal = NfcNormalizer.Normalize("q" + marks);
        Assert.Equal("q" + new string('\u0323', 50_000) + new string('\u0307', 50_000), normal);
    }
}
