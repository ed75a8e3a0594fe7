using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>What the language model sees of a video is replaced while the stream goes on, by any frames or by the newest ones.</summary>
public sealed class ShownFrameTests
{
    private const string Circle = "Please segment the red circle.", What = "Please describe the video content.";

    [Fact]
    public void Answers_are_those_of_a_new_session_and_the_streams_objects_go_on()
    {
        using VideoSession plain = Shapes.Model.OpenVideo(Shapes.Clip[..2]), shown = Shapes.Model.OpenVideo(Shapes.Clip[..2]),
            fresh = Shapes.Model.OpenVideo(Shapes.Clip[30..33]);
        foreach (VideoSession session in (VideoSession[])[plain, shown]) session.Ask(Circle);
        for (int t = 0; t < 12; t++)
        {
            string expected = Shapes.Fingerprint(plain.Next(Shapes.Clip[t]).Objects[0]);
            if (t == 6)
            {
                shown.ShowFrames(Shapes.Clip[30..33]);
                Assert.Contains("nothing to follow up",
                    Assert.Throws<PromptException>(() => shown.Ask("And now?", new AskOptions { FollowUp = true })).Message,
                    StringComparison.Ordinal);
                long before = shown.PrefilledTokens;
                Assert.Equal(Shapes.Fingerprint(fresh.Ask(What)), Shapes.Fingerprint(shown.Ask(What)));
                Assert.Equal(Shapes.Fingerprint(fresh.Ask("Why?", new AskOptions { FollowUp = true })),
                    Shapes.Fingerprint(shown.Ask("Why?", new AskOptions { FollowUp = true })));
                Assert.True(shown.PrefilledTokens > before);
            }
            Assert.Equal(expected, Shapes.Fingerprint(shown.Next(Shapes.Clip[t]).Objects[0]));
        }
    }

    [Fact]
    public void An_object_that_is_named_then_is_conditioned_on_as_many_frames_as_were_shown_and_numbered_on()
    {
        using VideoSession late = Shapes.Model.OpenVideo(Shapes.Clip[..1]), fresh = Shapes.Model.OpenVideo(Shapes.Clip[10..13]);
        late.Ask(Circle);
        for (int t = 0; t < 13; t++) late.Next(Shapes.Clip[t]);
        late.ShowFrames(Shapes.Clip[10..13]);
        Assert.Equal(1, Assert.Single(late.Ask("Please segment the blue star.").Objects).Id);
        fresh.Ask("Please segment the blue star.");
        for (int t = 13; t < 20; t++)
            Assert.Equal(Shapes.Fingerprint(fresh.Next(Shapes.Clip[t]).Objects[0]),
                Shapes.Fingerprint(late.Next(Shapes.Clip[t]).Objects[1]));
    }

    [Fact]
    public void What_cannot_be_shown_changes_nothing()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], new VideoOptions { KeepFrames = 2 });
        session.Ask(What);
        Assert.Throws<MediaException>(() => session.ShowFrames([]));
        Assert.Throws<PromptException>(() => session.ShowFrames(Shapes.Clip[..14]));
        Assert.Contains("No frame", Assert.Throws<PromptException>(() => session.ShowLatest(2)).Message, StringComparison.Ordinal);
        foreach (int count in (int[])[-1, 0, 3])
        {
            Assert.Contains("keeps 2", Assert.Throws<PromptException>(() => session.ShowLatest(count)).Message, StringComparison.Ordinal);
            Assert.Throws<PromptException>(() => session.RecentFrames(count));
        }
        Assert.Empty(session.RecentFrames(2));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => session.ShowFrames(Shapes.Clip[..2], cancelled.Token));
        // The conversation is there still.
        session.Ask("Why?", new AskOptions { FollowUp = true });
        Assert.Throws<ArgumentOutOfRangeException>(() => new VideoOptions { KeepFrames = 14 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new VideoOptions { KeepFrames = -1 });
    }

    [Fact]
    public async Task The_newest_frames_are_those_that_were_kept_as_they_came()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1], new VideoOptions { KeepFrames = 3 });
        RgbImage small = PillowBicubic.Resize(Shapes.Clip[2], 40, 30);
        session.Next(Shapes.Clip[0]);
        Same([Shapes.Clip[0]], session.RecentFrames(3));
        session.Next(Shapes.Clip[1]);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => session.Next(Shapes.Clip[9], cancelled.Token));
        session.Next(small);
        Same([Shapes.Clip[0], Shapes.Clip[1], small], session.RecentFrames(3));
        await foreach (FrameMasks _ in session.TrackAsync(Shapes.Clip[3..5].ToAsyncEnumerable()))
        {
        }
        Same([small, Shapes.Clip[3], Shapes.Clip[4]], session.RecentFrames(3));
        Same([Shapes.Clip[3], Shapes.Clip[4]], session.RecentFrames(2));

        // As a camera gives them.
        var bgra = new byte[(Shapes.Clip[5].Width * 4 + 12) * Shapes.Clip[5].Height];
        for (int y = 0; y < Shapes.Clip[5].Height; y++)
            for (int x = 0; x < Shapes.Clip[5].Width; x++)
                for (int c = 0; c < 3; c++)
                    bgra[y * (Shapes.Clip[5].Width * 4 + 12) + x * 4 + 2 - c] = Shapes.Clip[5].Row(y)[x * 3 + c];
        session.Next(new ImageView(bgra, Shapes.Clip[5].Width, Shapes.Clip[5].Height, PixelFormat.Bgra32, Shapes.Clip[5].Width * 4 + 12));
        Same([Shapes.Clip[4], Shapes.Clip[5]], session.RecentFrames(2));

        using VideoSession fresh = Shapes.Model.OpenVideo(Shapes.Clip[4..6]);
        Assert.Equal(2, session.ShowLatest(2));
        Assert.Equal(Shapes.Fingerprint(fresh.Ask(What)), Shapes.Fingerprint(session.Ask(What)));

        static void Same(IReadOnlyList<RgbImage> expected, IReadOnlyList<RgbImage> frames)
        {
            Assert.Equal(expected.Count, frames.Count);
            for (int i = 0; i < frames.Count; i++)
            {
                Assert.Equal((expected[i].Width, expected[i].Height), (frames[i].Width, frames[i].Height));
                Assert.True(expected[i].Pixels.SequenceEqual(frames[i].Pixels), $"frame {i}");
            }
        }
    }

    [Fact]
    public void A_tracker_without_words_gets_them()
    {
        using VideoSession session = Shapes.Model.OpenTracker();
        using VideoSession fresh = Shapes.Model.OpenVideo(Shapes.Clip[3..5]);
        session.Next(Shapes.Clip[0]);
        Assert.Throws<PromptException>(() => session.Ask(Circle));
        session.ShowFrames(Shapes.Clip[3..5]);
        Assert.Equal(Shapes.Fingerprint(fresh.Ask(Circle)), Shapes.Fingerprint(session.Ask(Circle)));
    }
}

/// <summary>What keeping and showing frames costs.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class ShownFrameMemoryTests
{
    [Fact]
    public void A_frame_that_is_kept_allocates_nothing()
    {
        using Sa2VAModel model = Shapes.Load();
        using VideoSession session = model.OpenVideo(Shapes.Clip[..1], new VideoOptions { KeepFrames = 3, ReuseMasks = true });
        session.Ask("Please segment the red circle.");
        for (int t = 0; t < 30; t++) session.Next(Shapes.Clip[t]);
        long least = long.MaxValue;
        for (int round = 0; round < 4; round++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int t = 0; t < 8; t++) session.Next(Shapes.Clip[t]);
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }
        Assert.Equal(0, least);
    }

    [Fact]
    public void What_was_shown_before_is_held_no_longer()
    {
        using Sa2VAModel model = Shapes.Load();
        using VideoSession session = model.OpenVideo(Shapes.Clip[..3]);
        long held = 0;
        for (int round = 0; round < 4; round++)
        {
            session.Ask("Please describe the video content.");
            long now = Shapes.Held(model).Buffers;
            if (round > 0) Assert.Equal(held, now);
            held = now;
            session.ShowFrames(Shapes.Clip[(3 * round)..(3 * round + 3)]);
        }
    }
}
