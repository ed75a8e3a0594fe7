using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Objects that share a stream: one encoder run per frame, and no influence on each other.</summary>
public sealed class StreamObjectTests
{
    private const int FrameCount = 12;

    [Fact]
    public void Ten_objects_share_the_encoder_and_keep_the_bits_they_have_alone()
    {
        string[] questions =
        [
            "Please segment the red circle.", "Please segment the blue star.", "Please segment the yellow triangle.",
            "Please segment the green ring.",
            "Please segment the red circle.", "Please segment the circle.", "Please segment the purple cross.", "Please segment the star.",
            "Please segment the green ring.", "Please segment the triangle.",
        ];
        var together = new List<string[]>();
        using (VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]))
        {
            for (int i = 0; i < questions.Length; i++)
            {
                AnswerObject o = Assert.Single(session.Ask(questions[i], new AskOptions { Logits = true }).Objects);
                Assert.Equal(i, o.Id);
                Assert.Null(o.Mask);
            }
            Assert.Equal(0, session.EncoderRuns);
            Assert.Equal(10, session.ObjectCount);
            for (int f = 0; f < FrameCount; f++)
            {
                FrameMasks masks = session.Next(Shapes.Clip[f]);
                Assert.Equal(Enumerable.Range(0, 10), masks.Objects.Select(o => o.Id));
                together.Add([.. masks.Objects.Select(Shapes.Fingerprint)]);
            }
            Assert.Equal(FrameCount, session.EncoderRuns);
        }
        for (int i = 0; i < questions.Length; i++)
        {
            string[] alone = Alone(questions[i], Shapes.Clip[..FrameCount]);
            for (int f = 0; f < FrameCount; f++) Assert.Equal(alone[f], together[f][i]);
        }
        Assert.Equal(together[7][0], together[7][4]);
        Assert.NotEqual(together[7][0], together[7][1]);
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(5, 5)]
    [InlineData(7, 5)]
    public void As_many_frames_as_were_shown_carry_the_prompt_up_to_five(int shown, int conditioned)
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..shown]);
        AnswerObject named = Assert.Single(session.Ask("Please segment the red circle.").Objects);
        using var stream = new VideoSegmentation(Shapes.Model.Segmentation);
        ObjectTrack track = stream.Add(new ObjectPrompt(Shapes.Model.Segmentation, named.Embedding.Span), conditioned);
        int side = Shapes.Model.Config.Grounding.ImageSize;
        for (int f = 0; f < 8; f++)
        {
            ObjectMask mask = session.Next(Shapes.Clip[f]).Objects[0];
            stream.Step(PillowBicubic.Resize(Shapes.Clip[f], side, side).Pixels);
            Assert.Equal((track.Prediction.Score, track.Prediction.Present), (mask.Score, mask.Present));
        }
    }

    [Fact]
    public void Several_objects_of_one_answer_have_the_bits_they_have_alone()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
        Answer both = session.Ask("Please segment the red circle and the blue star.", new AskOptions { Logits = true });
        Assert.Equal(2, both.Objects.Count);
        Answer again = session.Ask("Please segment the red circle and the blue star.", new AskOptions { Logits = true });
        Assert.Equal([2, 3], again.Objects.Select(o => o.Id));
        for (int f = 0; f < 7; f++)
        {
            FrameMasks masks = session.Next(Shapes.Clip[f]);
            Assert.Equal(Shapes.Fingerprint(masks.Objects[0]), Shapes.Fingerprint(masks.Objects[2]));
            Assert.Equal(Shapes.Fingerprint(masks.Objects[1]), Shapes.Fingerprint(masks.Objects[3]));
            Assert.NotEqual(Shapes.Fingerprint(masks.Objects[0]), Shapes.Fingerprint(masks.Objects[1]));
        }
    }

    [Fact]
    public void An_object_that_joins_later_is_conditioned_on_its_own_first_frames()
    {
        const int joins = 6;
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
        session.Ask("Please segment the red circle.", new AskOptions { Logits = true });
        string[] circle = Alone("Please segment the red circle.", Shapes.Clip[..15]);
        string[] star = Alone("Please segment the blue star.", Shapes.Clip[joins..15]);
        FrameMasks? masks = null;
        for (int f = 0; f < 15; f++)
        {
            if (f == joins)
            {
                session.Ask("Please segment the blue star.", new AskOptions { Logits = true });
                Assert.Equal(2, session.ObjectCount);
                // The masks of the frame that was processed last do not change: the star has none there.
                Assert.Equal(circle[f - 1], Shapes.Fingerprint(Assert.Single(masks!.Objects)));
            }
            masks = session.Next(Shapes.Clip[f]);
            Assert.Equal(circle[f], Shapes.Fingerprint(masks.Objects[0]));
            Assert.Equal(f < joins ? 1 : 2, masks.Objects.Count);
            if (f >= joins) Assert.Equal(star[f - joins], Shapes.Fingerprint(masks.Objects[1]));
        }
        Assert.Equal(15, session.EncoderRuns);
    }

    [Fact]
    public void An_object_that_leaves_has_no_more_masks_and_the_others_do_not_notice()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5], new VideoOptions { ReuseMasks = true });
        var options = new AskOptions { Logits = true };
        string[] star = Alone("Please segment the blue star.", Shapes.Clip[..12]);
        string[] ring = Alone("Please segment the green ring.", Shapes.Clip[8..12]);
        int circle = session.Ask("Please segment the red circle.").Objects[0].Id;
        int second = session.Ask("Please segment the blue star.", options).Objects[0].Id;
        for (int f = 0; f < 12; f++)
        {
            if (f == 7) session.Remove(circle);
            if (f == 8) session.Ask("Please segment the green ring.", options);
            FrameMasks masks = session.Next(Shapes.Clip[f]);
            int place = f < 7 ? 1 : 0;
            Assert.Equal(f is 7 ? 1 : 2, masks.Objects.Count);
            Assert.Equal(second, masks.Objects[place].Id);
            Assert.Equal(star[f], Shapes.Fingerprint(masks.Objects[place]));
            if (f >= 8) Assert.Equal(ring[f - 8], Shapes.Fingerprint(masks.Objects[1]));
        }
        Assert.Throws<PromptException>(() => session.Remove(circle));
        session.Remove(second);
        Assert.Equal(1, session.ObjectCount);
    }

    [Fact]
    public void The_only_object_may_leave_behind_the_first_frame()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        session.Ask("Please segment the red circle.");
        Assert.Single(session.Next(Shapes.Clip[0]).Objects);
        session.Remove(0);
        // This one is the first that has features beside the newest frame's.
        Assert.Empty(session.Next(Shapes.Clip[1]).Objects);
        session.Ask("Please segment the blue star.");
        for (int f = 2; f < 4; f++) Assert.True(session.Next(Shapes.Clip[f]).Objects[0].Area > 0);
    }

    [Fact]
    public void Reused_masks_are_overwritten_by_the_next_frame_and_copies_stay()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5], new VideoOptions { ReuseMasks = true });
        session.Ask("Please segment the red circle.");
        FrameMasks first = session.Next(Shapes.Clip[0]);
        ObjectMask circle = first.Objects[0];
        Assert.Equal(0, first.Frame);
        Assert.True(circle.Logits.IsEmpty);
        Assert.Equal((Shapes.Clip[0].Width, Shapes.Clip[0].Height), (first.Width, first.Height));
        Assert.InRange(circle.Score, 0, 1);
        Assert.InRange(circle.Present, 0.5f, 1);
        Mask copy = circle.ToMask();
        Assert.Equal(circle.Area, copy.Area);
        string before = Shapes.Hash(copy.Pixels);
        FrameMasks second = session.Next(Shapes.Clip[20]);
        Assert.Same(first, second);
        Assert.Same(circle, second.Objects[0]);
        Assert.Equal(1, first.Frame);
        Assert.Equal(before, Shapes.Hash(copy.Pixels));
        Assert.NotEqual(before, Shapes.Hash(circle.Pixels));
    }

    [Fact]
    public async Task Every_frame_has_masks_of_its_own()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
        session.Ask("Please segment the red circle.", new AskOptions { Logits = true });
        List<FrameMasks> all = await session.TrackAsync(Source(10)).ToListAsync();
        Assert.Equal(Enumerable.Range(0, 10).Select(f => (long)f), all.Select(m => m.Frame));
        Assert.Equal(Alone("Please segment the red circle.", Shapes.Clip[..10]), all.Select(m => Shapes.Fingerprint(m.Objects[0])));
        Assert.Equal(10, all.Select(m => Shapes.Fingerprint(m.Objects[0])).Distinct().Count());
    }

    [Fact]
    public void A_stream_without_objects_counts_its_frames()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        for (int f = 0; f < 3; f++) Assert.Empty(session.Next(Shapes.Clip[f]).Objects);
        Assert.Equal(3, session.Frames);
        Assert.Equal(3, session.EncoderRuns);
    }

    [Fact]
    public async Task Track_async_gives_the_masks_of_next()
    {
        string[] alone = Alone("Please segment the red circle.", Shapes.Clip[..8]);
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
        await session.AskAsync("Please segment the red circle.", new AskOptions { Logits = true });
        var tracked = new List<string>();
        await foreach (FrameMasks masks in session.TrackAsync(Source(8))) tracked.Add(Shapes.Fingerprint(masks.Objects[0]));
        Assert.Equal(alone, tracked);
    }

    [Fact]
    public async Task Track_async_can_be_left_and_continued()
    {
        string[] alone = Alone("Please segment the red circle.", Shapes.Clip[..6]);
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
        session.Ask("Please segment the red circle.", new AskOptions { Logits = true });
        await foreach (FrameMasks masks in session.TrackAsync(Source(48)))
            if (masks.Frame == 2) break;
        using var stop = new CancellationTokenSource();
        var seen = new List<string>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (FrameMasks masks in session.TrackAsync(Source(48, from: 3), stop.Token))
            {
                seen.Add(Shapes.Fingerprint(masks.Objects[0]));
                if (masks.Frame == 4) await stop.CancelAsync();
            }
        });
        Assert.Equal(alone[3..5], seen);
        // Cancelled between two frames: nothing is lost.
        Assert.Equal(alone[5], Shapes.Fingerprint(session.Next(Shapes.Clip[5]).Objects[0]));
    }

    private static string[] Alone(string question, RgbImage[] frames)
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
        Assert.Single(session.Ask(question, new AskOptions { Logits = true }).Objects);
        return [.. frames.Select(f => Shapes.Fingerprint(session.Next(f).Objects[0]))];
    }

    private static async IAsyncEnumerable<RgbImage> Source(int count, int from = 0)
    {
        for (int f = from; f < count; f++)
        {
            await Task.Yield();
            yield return Shapes.Clip[f];
        }
    }
}
