using System.Text;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>What belongs together is checked against each other, and limits come before work.</summary>
public sealed class MatchingInputTests
{
    private const int Width = 320, Height = 240;

    [Theory]
    [InlineData(10, 300)]
    [InlineData(Height, Width)]
    [InlineData(Width, Height - 1)]
    [InlineData(2 * Width, 2 * Height)]
    [InlineData(1, 1)]
    public void A_region_has_the_size_of_its_image(int width, int height)
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Clip[0]);
        Assert.Equal((Width, Height), (session.Image.Width, session.Image.Height));
        var wrong = new Mask(width, height, [.. Enumerable.Repeat((byte)1, width * height)]);
        string message = Refused(session, "What is in region2?", [Box(10, 10, 200, 200), wrong]);
        Assert.Contains($"region2 has {width}×{height} pixels, the image {Width}×{Height}", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_region_that_marks_nothing_is_not_dropped()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Clip[0]);
        Assert.Contains("region2 marks no pixel", Refused(session, "region1?", [Box(0, 0, 99, 99), Box(0, 0, 0, 0)]),
            StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => session.Ask("region1?", new AskOptions { Regions = [null!] }));
        Assert.Throws<ArgumentNullException>(() => session.Ask("region1?", new AskOptions { Regions = null! }));
    }

    [Fact]
    public void A_region_between_the_points_of_the_token_grid_is_asked_about_with_a_note()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Clip[0]);
        Answer seen = session.Ask("region1 or region2?", new AskOptions { Regions = [Box(0, 0, 99, 99), Box(0, 0, 99, 99)] });
        Assert.Empty(seen.Notes);
        Answer unseen = session.Ask("region1 or region2?", new AskOptions { Regions = [Box(0, 0, 99, 99), Box(1, 1, 2, 2)] });
        Assert.Contains("region2 is too small to be seen", Assert.Single(unseen.Notes), StringComparison.Ordinal);
        Assert.Contains("region2<vp></vp>", session.Model.Tokenizer.Decode([.. unseen.PromptIds]), StringComparison.Ordinal);
        Assert.Empty(session.Ask("And?", new AskOptions { FollowUp = true }).Notes);
    }

    [Theory]
    [InlineData("What is region9?", "region9")]
    [InlineData("Compare region1 with region0.", "region0")]
    [InlineData("region3", "region3")]
    [InlineData("region99999999999999999999?", "region99999999999999999999")]
    public void Text_that_speaks_of_a_region_that_is_not_there(string text, string name)
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Clip[0]);
        Assert.Contains($"speaks of {name};", Refused(session, text, [Box(0, 0, 99, 99), Box(50, 50, 99, 99)]), StringComparison.Ordinal);
    }

    [Theory, InlineData("What is there?"), InlineData("region1 and region2"), InlineData("subregion7, region1a and regions8")]
    public void Text_need_not_speak_of_every_region(string text)
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Clip[0]);
        Answer answer = session.Ask(text, new AskOptions { MaxNewTokens = 2, Regions = [Box(0, 0, 99, 99), Box(50, 50, 99, 99)] });
        Assert.Contains("There are 2 part regions", Shapes.Model.Tokenizer.Decode([.. answer.PromptIds]), StringComparison.Ordinal);
    }

    [Fact]
    public void Regions_that_cannot_fit_are_refused_at_once()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Clip[0]);
        Mask whole = Box(0, 0, Width, Height);
        Assert.Contains("mark fewer", Refused(session, "region1?", new Repeated(whole, int.MaxValue)), StringComparison.Ordinal);
        Assert.Contains("regions alone", Refused(session, "region1?", new Repeated(whole, 1000)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a"), InlineData("ab "), InlineData(" "), InlineData("<image>"), InlineData("é"), InlineData("e\u0301")]
    [InlineData("\u1100\u1161\u11a8"), InlineData("😀"), InlineData("[SEG]"), InlineData("<|im_start|>"), InlineData("\u0301")]
    public void TextThatCannotFitIsRefusedBeforeItIsTokenised(string piece)
    {
        const int characters = 20_000_000;
        string text = new StringBuilder().Insert(0, piece, characters / piece.Length).ToString();
        using TextSession session = Shapes.Model.OpenText();
        foreach (SpecialTokenText specials in Enum.GetValues<SpecialTokenText>())
        {
            foreach (bool followUp in (bool[])[false, true])
            {
                if (followUp) session.Ask("Hello", new AskOptions { MaxNewTokens = 1 });
                long before = GC.GetAllocatedBytesForCurrentThread();
                var options = new AskOptions { SpecialTokens = specials, FollowUp = followUp, MaxNewTokens = int.MaxValue };
                string message = Assert.Throws<PromptException>(() => session.Ask(text, options)).Message;
                Assert.Contains($"has {text.Length} characters", message, StringComparison.Ordinal);
                Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 100_000, "The text was worked on.");
            }
        }
    }

    [Theory]
    [InlineData("Please segment the red circle."), InlineData(""), InlineData("[SEG][SEG]<|im_end|>"),
     InlineData("e\u0301e\u0301 \u1100\u1161\u11a8\u1100\u1161\u11a8"),
     InlineData("α\u0313\u0300\u0345α\u0313\u0300\u0345"), InlineData("                                        "),
     InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void TheLeastNumberOfTokensIsNeverTooHigh(string text)
    {
        foreach (string folder in (string[])["sa2va-tiny-shapes", "internvl-internlm2"])
        {
            if (!Directory.Exists(Fixtures.Model(folder))) continue;
            Tokenizer tokenizer = Tokenizer.Load(Fixtures.Model(folder));
            foreach (int times in (int[])[1, 7, 400])
            {
                string repeated = string.Concat(Enumerable.Repeat(text, times));
                foreach (SpecialTokenText specials in Enum.GetValues<SpecialTokenText>())
                    Assert.InRange(tokenizer.LeastTokens(repeated), 0, tokenizer.Encode(repeated, specials).Length);
            }
        }
    }

    /// <summary>Not inline data: attributes cannot hold half a character.</summary>
    public static TheoryData<string, int> HalfCharacters => new()
    {
        { "\ud800", 0 }, { "tail \ud83d", 5 }, { "\udc00 head", 0 }, { "a😀b\ud83dc", 4 }, { "<image>\nseg \udc00", 12 },
    };

    [Theory, MemberData(nameof(HalfCharacters))]
    public void The_index_of_half_a_character_is_one_of_the_users_text(string text, int index)
    {
        using ImageSession image = Shapes.Model.OpenImage(Shapes.Clip[0]);
        using TextSession plain = Shapes.Model.OpenText();
        image.Ask("Hello", new AskOptions { MaxNewTokens = 1 });
        foreach (ChatSession session in (ChatSession[])[image, plain])
        {
            foreach (SpecialTokenText specials in Enum.GetValues<SpecialTokenText>())
            {
                string message = Assert.Throws<PromptException>(() =>
                    session.Ask(text, new AskOptions { SpecialTokens = specials })).Message;
                Assert.Contains($"at index {index} ", message, StringComparison.Ordinal);
            }
        }
        string followed = Assert.Throws<PromptException>(() => image.Ask(text, new AskOptions { FollowUp = true })).Message;
        Assert.Contains($"at index {index} ", followed, StringComparison.Ordinal);
    }

    private static string Refused(ImageSession session, string text, IReadOnlyList<Mask> regions)
    {
        string message = Assert.Throws<PromptException>(() => session.Ask(text, new AskOptions { Regions = regions })).Message;
        Assert.NotEmpty(session.Ask("Hello", new AskOptions { MaxNewTokens = 1 }).TokenIds);
        return message;
    }

    private static Mask Box(int left, int top, int right, int bottom)
    {
        var pixels = new byte[Width * Height];
        for (int y = top; y < bottom; y++) pixels.AsSpan(y * Width + left, right - left).Fill(1);
        return new Mask(Width, Height, pixels);
    }

    private sealed class Repeated(Mask mask, int count) : IReadOnlyList<Mask>
    {
        public int Count => count;

        public Mask this[int index] => mask;

        public IEnumerator<Mask> GetEnumerator() => Enumerable.Repeat(mask, count).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
