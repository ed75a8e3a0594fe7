using System.Text;
using Sa2VA.Engine.Language;

namespace Sa2VA.Tests.Language;

/// <summary>Strings that end an answer are found in whatever pieces the text comes, and no part of one is shown.</summary>
public sealed class StopStringsTests
{
    [Theory]
    [InlineData("one two three", "one ", "two")]
    [InlineData("aaab", "", "aab", "aaab")]
    [InlineData("abcd", "a", "bc", "bcde")]
    [InlineData("ababac", "ab", "abac")]
    [InlineData("ab\n\ncd", "ab", "\n\n")]
    [InlineData("abab", "abab", "abac", "b ")]
    [InlineData("", "", "x")]
    public void The_text_ends_before_the_first_that_is_complete(string text, string kept, params string[] strings)
    {
        for (int size = 1; size <= text.Length + 1; size++)
        {
            var stop = new StopStrings(strings);
            var given = new StringBuilder();
            for (int i = 0; i < text.Length; i += size) given.Append(stop.Push(text.Substring(i, Math.Min(size, text.Length - i))));
            if (!stop.IsFound) given.Append(stop.End());
            Assert.Equal((kept, kept.Length, kept != text), (given.ToString(), stop.Given, stop.IsFound));
            Assert.Equal(kept != text ? "" : "more", stop.Push("more") + stop.End());
        }
    }

    [Fact]
    public void Whatever_the_strings_what_is_shown_is_what_searching_finds()
    {
        var random = new Random(4);
        for (int round = 0; round < 3000; round++)
        {
            string text = Random(30);
            string[] strings = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Random(5))];
            // Where each first ends; of those that end first, the longest.
            (int End, int Begin)[] found = [.. strings.Select(s => (At: text.IndexOf(s, StringComparison.Ordinal), s.Length))
                .Where(f => f.At >= 0).Select(f => (f.At + f.Length, f.At)).Order()];
            string kept = found.Length > 0 ? text[..found[0].Begin] : text;
            var stop = new StopStrings(strings);
            string given = "";
            for (int i = 0, size; i < text.Length; i += size)
            {
                size = Math.Min(random.Next(1, 6), text.Length - i);
                given += stop.Push(text.Substring(i, size));
                Assert.StartsWith(given, kept, StringComparison.Ordinal);
            }
            Assert.Equal(kept, given + stop.End());
        }

        string Random(int most) => string.Concat(Enumerable.Range(0, random.Next(1, most)).Select(_ => "ab"[random.Next(2)]));
    }
}
