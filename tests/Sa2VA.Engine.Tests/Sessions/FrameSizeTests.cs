using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Frames of any size, also changing in mid-stream: masks and prompts are in each frame's own pixels.</summary>
public sealed class FrameSizeTests
{
    private const int FrameCount = 12;

    private static readonly int Side = Shapes.Model.Config.Grounding.ImageSize;
    private static readonly (int Width, int Height)[] Sizes = [(150, 96), (31, 17), (Side, Side), (65, 200), (150, 96), (1, 1)];

    /// <summary>The clip, as if whoever holds the camera turned it and changed its resolution; two frames of each size.</summary>
    private static readonly RgbImage[] Frames = [.. Enumerable.Range(0, FrameCount).Select(t =>
        PillowBicubic.Resize(Shapes.Clip[t], Sizes[t / 2].Width, Sizes[t / 2].Height))];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Masks_have_each_frames_size_and_the_bits_of_a_recorded_video(bool reuse)
    {
        SegmentationModel model = Shapes.Model.Segmentation;
        var options = new VideoOptions { ReuseMasks = reuse };
        using VideoSession pushed = Shapes.Model.OpenVideo([Shapes.Pattern(40, 30)], options, Cancellation);
        using VideoSession followed = Shapes.Model.OpenVideo([Shapes.Pattern(40, 30)], options, Cancellation);
        VideoSession[] sessions = [pushed, followed];
        foreach (VideoSession session in sessions)
            Assert.Single(session.Ask("Please segment the red circle.", new AskOptions { Logits = true }, Cancellation).Objects);
        AnswerObject named = pushed.Ask("Please segment the red circle.", new AskOptions { Logits = true }, Cancellation).Objects[0];
        pushed.Remove(1);
        using var offline = new OfflineTracking(model, t => PillowBicubic.Resize(Frames[t], Side, Side), binary: true,
            Cancellation);
        var resampler = new MaskResampler(model.LowSide, Side);
        string latest = "";
        int frame = 0;
        offline.Found += _ => latest = Recorded(offline.Prediction, resampler, Frames[frame]);
        int corrections = 0;
        await using IAsyncEnumerator<FrameMasks> reading =
            followed.TrackAsync(Frames.ToAsyncEnumerable(), Cancellation).GetAsyncEnumerator(Cancellation);
        for (; frame < FrameCount; frame++)
        {
            if (frame == 0) offline.Language(0, 0, named.Embedding.Span);
            else offline.Propagate(frame, frame, reverse: false);
            Assert.True(await reading.MoveNextAsync());
            FrameMasks[] both = [pushed.Next(Frames[frame], Cancellation), reading.Current];
            foreach (FrameMasks masks in both) Same(masks);
            if (frame is not (0 or 3 or 4 or 6 or 11)) continue;
            // The lower right of the frame, whatever its size.
            float x = 0.7f * Frames[frame].Width, y = 0.6f * Frames[frame].Height;
            offline.Point(frame, 0, [new PointPrompt(x / Frames[frame].Width * Side, y / Frames[frame].Height * Side, PointLabel.Positive)],
                clear: false);
            foreach (VideoSession session in sessions)
                Same(session.Correct(0, new VisualPrompt(new Click(x, y)), Cancellation));
            corrections++;
        }
        Assert.Equal(5, corrections);

        void Same(FrameMasks masks)
        {
            Assert.Equal((frame, Frames[frame].Width, Frames[frame].Height), (masks.Frame, masks.Width, masks.Height));
            Assert.Equal(latest, Live(Assert.Single(masks.Objects)));
        }
    }

    [Fact]
    public void A_prompt_behind_a_frame_that_was_skipped_looks_at_the_newest_one()
    {
        Assert.Equal(Play(false), Play(true));

        static List<string> Play(bool disturbed)
        {
            var device = new WatchedDevice();
            using Sa2VAModel model = Shapes.Load(device);
            using VideoSession session = model.OpenTracker();
            var prints = new List<string>();
            for (int t = 0; t < 6; t++)
            {
                prints.AddRange(session.Next(Frames[t], Cancellation).Objects.Select(Live));
                if (disturbed)
                {
                    // Another size, and encoded already when it fails.
                    device.After = plan =>
                    {
                        if (plan == (t == 0 ? "image encoder" : "mask output")) throw new InvalidTimeZoneException(plan);
                    };
                    Assert.Throws<InvalidTimeZoneException>(() => session.Next(Shapes.Clip[40 + t], Cancellation));
                    device.After = null;
                }
                var click = new Click(0.4f * Frames[t].Width, 0.5f * Frames[t].Height);
                FrameMasks masks;
                if (t == 0) session.Follow(new VisualPrompt(click), out masks, Cancellation);
                else masks = session.Correct(0, new VisualPrompt(click), Cancellation);
                Assert.Equal((t, Frames[t].Width, Frames[t].Height), (masks.Frame, masks.Width, masks.Height));
                prints.Add(Live(Assert.Single(masks.Objects)));
            }
            return prints;
        }
    }

    [Fact]
    public async Task A_prompt_behind_frames_that_were_encoded_ahead_and_given_up_looks_at_the_newest_one()
    {
        Assert.Equal(await Play(false), await Play(true));

        static async Task<List<string>> Play(bool disturbed)
        {
            var device = new WatchedDevice();
            using Sa2VAModel model = Shapes.Load(device);
            using VideoSession session = model.OpenTracker();
            session.Next(Frames[0], Cancellation);
            session.Follow(new VisualPrompt(new Click(60, 40)), out FrameMasks masks, Cancellation);
            var prints = new List<string>();
            for (int t = 1; t < 5; t++)
            {
                prints.AddRange(session.Next(Frames[t], Cancellation).Objects.Select(Live));
                if (disturbed)
                {
                    int encoded = 0;
                    device.After = plan =>
                    {
                        if (plan == "image encoder") encoded++;
                        if (plan == "mask output") throw new InvalidTimeZoneException(plan);
                    };
                    await Assert.ThrowsAsync<InvalidTimeZoneException>(async () =>
                    {
                        IAsyncEnumerable<RgbImage> frames = Shapes.Clip[20..30].ToAsyncEnumerable();
                        await foreach (FrameMasks _ in session.TrackAsync(frames, Cancellation)) Assert.Fail();
                    });
                    device.After = null;
                    Assert.InRange(encoded, 1, 2);
                }
                masks = session.Correct(0, new VisualPrompt(new Click(0.4f * Frames[t].Width, 0.5f * Frames[t].Height)), Cancellation);
                prints.Add(Live(Assert.Single(masks.Objects)));
            }
            return prints;
        }
    }

    [Fact]
    public void Without_memory_to_keep_the_newest_frames_features_a_prompt_behind_a_skipped_frame_is_refused()
    {
        long needed;
        const long lessThanASet = 150_000;
        int features = 0;
        var device = new WatchedDevice();
        device.Allocating = name => features += name == "frame features" ? 1 : 0;
        using (Sa2VAModel trial = Shapes.Load(device, cancellation: Cancellation))
        {
            using VideoSession session = Open(trial);
            session.Next(Shapes.Clip[0], Cancellation);
            session.Correct(0, new VisualPrompt(new Click(30, 30)), Cancellation);
            needed = trial.MemoryInfo.Total;
        }
        Assert.Equal(2, features);
        device.Allocating = null;
        using Sa2VAModel tight = Shapes.Load(device, new ModelOptions { MemoryBudget = needed - lessThanASet }, cancellation: Cancellation);
        using VideoSession tracker = Open(tight);
        tracker.Next(Shapes.Clip[0], Cancellation);
        FrameMasks masks = tracker.Correct(0, new VisualPrompt(new Click(30, 30)), Cancellation);
        Assert.Equal(1, masks.Frame);
        device.After = _ => throw new InvalidTimeZoneException();
        Assert.Throws<InvalidTimeZoneException>(() => tracker.Next(Shapes.Clip[7], Cancellation));
        device.After = null;
        var prompt = new VisualPrompt(new Click(31, 30));
        Assert.Contains("push another frame", Assert.Throws<PromptException>(() => tracker.Correct(0, prompt, Cancellation)).Message,
            StringComparison.Ordinal);
        tracker.Next(Shapes.Clip[1], Cancellation);
        Assert.Equal(2, tracker.Correct(0, prompt, Cancellation).Frame);

        static VideoSession Open(Sa2VAModel model)
        {
            VideoSession session = model.OpenTracker();
            session.Next(Shapes.Clip[0], Cancellation);
            session.Follow(new VisualPrompt(new Click(60, 40)), out _, Cancellation);
            session.Correct(0, new VisualPrompt(new Click(20, 20)), Cancellation);
            return session;
        }
    }

    private static string Live(ObjectMask mask) =>
        $"{mask.Score:R} {mask.Present:R} {mask.Area} {Shapes.Hash(mask.Pixels)} {Shapes.Hash(mask.Logits)}";

    private static string Recorded(MaskPrediction mask, MaskResampler resampler, RgbImage frame)
    {
        var logits = new float[frame.Width * frame.Height];
        resampler.Logits(mask.Low, frame.Height, frame.Width, logits);
        byte[] pixels = [.. logits.Select(v => (byte)(v > PackMasks.Threshold ? 1 : 0))];
        return $"{mask.Score:R} {mask.Present:R} {pixels.Count(p => p == 1)} {Shapes.Hash<byte>(pixels)} {Shapes.Hash<float>(logits)}";
    }
}
