using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

public sealed class GroundedTextTests
{
    private static readonly string[] Stops = ["<|im_end|>", "<|endoftext|>"];

    [Fact]
    public void Phrases_get_their_objects()
    {
        GroundedText g = GroundedText.Parse("<p> A man </p> [SEG] riding <p> a horse </p> [SEG] .<|im_end|>", Stops);
        Assert.Equal("A man [SEG] riding a horse [SEG] .", g.Text);
        Assert.Equal("A man riding a horse .", g.Caption);
        Assert.Equal(["A man", "a horse"], g.Phrases);
        Assert.Equal([("A man", 0), ("a horse", 1)], g.Spans.Where(s => s.Object is not null).Select(s => (s.Text, s.Object!.Value)));
    }

    [Theory]
    [InlineData("Sure, [SEG].<|im_end|>", "Sure, [SEG].", "Sure, .", "-")]
    [InlineData("[SEG][SEG]", "[SEG][SEG]", "", "-|-")]
    [InlineData("<p> a </p><p> b </p> [SEG]", "a b [SEG]", "a b", "b")]
    [InlineData("<p> a </p> [SEG] and [SEG]", "a [SEG] and [SEG]", "a and", "a|-")]
    [InlineData("<p> open [SEG]", "open [SEG]", "open", "-")]
    [InlineData("closed </p> [SEG]", "closed [SEG]", "closed", "-")]
    [InlineData("<p> a <p> b </p> [SEG]", "a b [SEG]", "a b", "b")]
    [InlineData("</p></p><p>", "", "", "")]
    [InlineData("<p></p>[SEG]", "[SEG]", "", "")]
    [InlineData("", "", "", "")]
    [InlineData("  <|im_end|>  ", "", "", "")]
    [InlineData("[SE G] <p", "[SE G] <p", "[SE G] <p", "")]
    public void Tags_need_not_pair(string answer, string text, string caption, string phrases)
    {
        GroundedText g = GroundedText.Parse(answer, Stops);
        Assert.Equal(text, g.Text);
        Assert.Equal(caption, g.Caption);
        Assert.Equal(phrases, string.Join("|", g.Phrases.Select(p => p ?? "-")));
    }

    [Fact]
    public void Any_order_of_pieces_is_read()
    {
        string[] pieces = ["<p>", "</p>", "[SEG]", " ", "word", "<", ">", "[", "SEG]", "<|im_end|>", "\n", "\ud83d", "é", "<p", "/p>"];
        var random = new Random(20240607);
        for (int round = 0; round < 20_000; round++)
        {
            string answer = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => pieces[random.Next(pieces.Length)]));
            GroundedText g = GroundedText.Parse(answer, Stops);
            Assert.Equal(Count(answer), g.Phrases.Count);
            int[] objects = [.. g.Spans.Where(s => s.Object is not null).Select(s => s.Object!.Value)];
            Assert.Equal(objects.Order(), objects);
            foreach (GroundedSpan span in g.Spans)
                if (span.Object is { } o) Assert.Equal(g.Phrases[o], span.Text);
            for (int o = 0; o < g.Phrases.Count; o++)
                Assert.Equal(g.Phrases[o] is not null, objects.Contains(o));
        }

        static int Count(string s) => (s.Length - s.Replace("[SEG]", "", StringComparison.Ordinal).Length) / "[SEG]".Length;
    }
}
