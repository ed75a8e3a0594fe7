using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Whatever a caller hands in: a typed exception with a message or an answer, and a session that still works.</summary>
public sealed class BadInputTests
{
    public static TheoryData<string> Prompts => new()
    {
        new string('a', 100_000), string.Concat(Enumerable.Repeat("Please segment the red circle. ", 3300)), new string(' ', 100_000),
        string.Concat(Enumerable.Repeat("😀", 50_000)), string.Concat(Enumerable.Repeat("[SEG]", 20_000)),
        string.Concat(Enumerable.Repeat("<image>", 10_000)),
        "\ud800", "tail \ud83d", "\udc00 head", "<image><image>", "<IMG_CONTEXT>", "<image> <IMG_CONTEXT>",
    };

    [Theory, MemberData(nameof(Prompts))]
    public void Prompts_that_cannot_be_answered(string prompt)
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("one-128.png"));
        foreach (SpecialTokenText specials in Enum.GetValues<SpecialTokenText>())
        {
            var options = new AskOptions { SpecialTokens = specials, MaxNewTokens = 4 };
            try
            {
                // As plain text, a prompt may be fine; so may one that is long but not too long.
                Assert.NotEmpty(session.Ask(prompt, options).TokenIds);
            }
            catch (PromptException e)
            {
                Assert.True(e.Message.Length is > 20 and < 500, e.Message);
            }
        }
        Assert.Throws<PromptException>(() => session.Ask(prompt));
        Assert.Equal(Shapes.Case("seg-one-128").Prediction, session.Ask(Shapes.Case("seg-one-128").Prompt).Raw);
    }

    [Theory, InlineData("[SEG]"), InlineData("[SEG][SEG] <p>[SEG]</p>"), InlineData("</img><img>"),
        InlineData("<|im_end|><|im_end|>"),
     InlineData("<vp></vp>"), InlineData("\0\u0001\uffff")]
    public void OddPromptsAreAnswered(string prompt)
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("one-128.png"));
        Answer answer = session.Ask(prompt, new AskOptions { MaxNewTokens = 40 });
        // Only what the model says makes objects, never what the user typed; a last [SEG] that the limit cut off has none.
        Assert.InRange(answer.TokenIds.Count(id => id == Shapes.Model.SegId) - answer.Objects.Count, 0, answer.Truncated ? 1 : 0);
        Assert.Equal(Shapes.Case("seg-one-128").Prediction, session.Ask(Shapes.Case("seg-one-128").Prompt).Raw);
    }

    [Fact]
    public void Options_that_do_not_fit()
    {
        var region = new Mask(4, 4, new byte[16]);
        using ImageSession image = Shapes.Model.OpenImage(Shapes.Image("one-128.png"));
        using VideoSession video = Shapes.Model.OpenVideo(Shapes.Clip[..1]);
        using TextSession text = Shapes.Model.OpenText();
        foreach (ChatSession session in new ChatSession[] { image, video, text })
        {
            Refused(() => session.Ask("Hello", new AskOptions { MaxNewTokens = 0 }));
            Refused(() => session.Ask("Hello", new AskOptions { MaxNewTokens = int.MinValue }));
            Refused(() => session.Ask("Hello", new AskOptions { FollowUp = true }));
            Assert.Throws<ArgumentNullException>(() => session.Ask(null!));
            session.Ask("Hello", new AskOptions { MaxNewTokens = 2 });
            Refused(() => session.Ask("<image>Hello", new AskOptions { FollowUp = true }));
            Refused(() => session.Ask("Hello <IMG_CONTEXT>", new AskOptions { FollowUp = true }));
            Refused(() => session.Ask("region1?", new AskOptions { FollowUp = true, Regions = [region] }));
            Assert.NotEmpty(session.Ask("Hello", new AskOptions { FollowUp = true, MaxNewTokens = 2 }).TokenIds);
        }
        Refused(() => video.Ask("region1?", new AskOptions { Regions = [region] }));
        Refused(() => text.Ask("region1?", new AskOptions { Regions = [region] }));

        static void Refused(Func<Answer> ask) => Assert.True(Assert.Throws<PromptException>(ask).Message.Length > 20);
    }

    [Fact]
    public void What_is_no_frame_is_refused_and_the_stream_goes_on()
    {
        string[] expected = Track([]), disturbed = Track([2, 6]);
        Assert.Equal(expected, disturbed);

        static string[] Track(int[] before)
        {
            using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
            session.Ask("Please segment the red circle.", new AskOptions { Logits = true });
            var masks = new List<string>();
            for (int f = 0; f < 8; f++)
            {
                if (before.Contains(f))
                {
                    Assert.Throws<MediaException>(() => session.Next(default(ImageView)));
                    Assert.Throws<ArgumentNullException>(() => session.Next(null!));
                }
                masks.Add(Shapes.Fingerprint(session.Next(Shapes.Clip[f]).Objects[0]));
            }
            Assert.Equal(8, session.EncoderRuns);
            return [.. masks];
        }
    }

    [Fact]
    public void Videos_need_one_to_thirteen_language_frames()
    {
        Assert.NotEmpty(Assert.Throws<MediaException>(() => Shapes.Model.OpenVideo([])).Message);
        Assert.Contains("not 14", Assert.Throws<PromptException>(() => Shapes.Model.OpenVideo(Shapes.Clip[..14])).Message,
            StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => Shapes.Model.OpenVideo(null!));
        Assert.Throws<ArgumentNullException>(() => Shapes.Model.OpenVideo([Shapes.Clip[0], null!]));
        Assert.Throws<ArgumentNullException>(() => Shapes.Model.OpenImage(null!));
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..13]);
        Assert.Single(session.Ask("Please segment the red circle.").Objects);
        for (int f = 0; f < 7; f++) Assert.Single(session.Next(Shapes.Clip[f]).Objects);
    }

    [Theory, InlineData(1, 1), InlineData(1, 4000), InlineData(4000, 1), InlineData(3, 2)]
    public void Images_of_odd_sizes(int width, int height)
    {
        RgbImage image = Shapes.Pattern(width, height);
        using ImageSession session = Shapes.Model.OpenImage(image);
        AnswerObject o = Assert.Single(session.Ask("Please segment the red circle.", new AskOptions { Logits = true }).Objects);
        Assert.Equal((width, height, width * height), (o.Mask!.Width, o.Mask.Height, o.Mask.Logits.Length));
        Assert.Equal(o.Mask.Area, o.Mask.ToMask().Area);
        using VideoSession video = Shapes.Model.OpenVideo([image]);
        video.Ask("Please segment the red circle.");
        for (int f = 0; f < 3; f++) Assert.Equal(width * height, Assert.Single(video.Next(image).Objects).Pixels.Length);
    }
}
