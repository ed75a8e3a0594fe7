using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>A stream without words: clicks, boxes and masks alone.</summary>
public sealed class TrackerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Without_a_frame_for_the_language_model_objects_are_shown_and_followed_as_with_one()
    {
        using VideoSession with = Shapes.Model.OpenVideo(Shapes.Clip[..1], cancellation: Cancellation);
        using VideoSession without = Shapes.Model.OpenTracker();
        Assert.Equal(Play(with), Play(without));
        Assert.Equal((10, 10), (without.Frames, without.EncoderRuns));

        static List<string> Play(VideoSession session)
        {
            var prints = new List<string>();
            for (int t = 0; t < 10; t++)
            {
                FrameMasks masks = session.Next(Shapes.Clip[t], Cancellation);
                prints.AddRange(masks.Objects.Select(Shapes.Fingerprint));
                switch (t)
                {
                    case 0:
                        Assert.Empty(masks.Objects);
                        Assert.Equal(0, session.Follow(new VisualPrompt(new Click(60, 40)), out masks, Cancellation));
                        break;
                    case 2:
                        Assert.Equal(1, session.Follow(new VisualPrompt(new Box(20, 20, 90, 80)), out masks, Cancellation));
                        break;
                    case 5:
                        masks = session.Correct(0, new VisualPrompt(masks.Objects[1].ToMask()), Cancellation);
                        break;
                    case 7:
                        session.Remove(1);
                        continue;
                }
                prints.AddRange(masks.Objects.Select(Shapes.Fingerprint));
            }
            Assert.True(prints.Count > 20);
            return prints;
        }
    }

    [Fact]
    public void Questions_are_refused_and_leave_the_stream_as_it_is()
    {
        using VideoSession session = Shapes.Model.OpenTracker();
        session.Next(Shapes.Clip[0], Cancellation);
        string message = Assert.Throws<PromptException>(() => session.Ask("Please segment the red circle.", cancellation: Cancellation))
            .Message;
        Assert.Contains("shown no frame", message, StringComparison.Ordinal);
        Assert.Equal((1, 0, 0), (session.Frames, session.ObjectCount, session.PrefilledTokens));
        Assert.Equal(0, session.Follow(new VisualPrompt(new Click(60, 40)), out _, Cancellation));
        Assert.Single(session.Next(Shapes.Clip[1], Cancellation).Objects);
    }
}
