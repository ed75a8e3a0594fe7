using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>
/// Clicks, boxes and masks on the newest frame of a stream: the same bits as in a recorded video, and no influence on others.
/// </summary>
public sealed class CorrectionTests
{
    private const int FrameCount = 12;
    private static readonly int Width = Shapes.Clip[0].Width, Height = Shapes.Clip[0].Height;
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_stream_with_prompts_gives_the_bits_of_a_recorded_video_with_the_same_prompts()
    {
        SegmentationModel model = Shapes.Model.Segmentation;
        int side = model.Config.ImageSize;
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]);
        using var offline = new OfflineTracking(model, t => PillowBicubic.Resize(Shapes.Clip[t], side, side), binary: true,
            Cancellation);
        var resampler = new MaskResampler(model.LowSide, side);
        var recorded = new Dictionary<(int Object, int Frame), string>();
        offline.Found += r => recorded[(r.Object, r.Frame)] = Recorded(offline.Prediction, resampler);
        var script = new Script(session, offline);

        for (int t = 0; t < FrameCount; t++)
        {
            FrameMasks masks = session.Next(Shapes.Clip[t], Cancellation);
            if (t > 0) offline.Propagate(t, t, reverse: false);
            Same(masks, t);
            foreach (FrameMasks prompted in script.At(t)) Same(prompted, t);
        }
        Assert.Equal([0, 2], script.Following);

        void Same(FrameMasks masks, int t)
        {
            Assert.Equal(t, masks.Frame);
            Assert.All(masks.Objects, o => Assert.True(recorded[(o.Id, t)] == Live(o), $"object {o.Id}, frame {t}"));
        }
    }

    [Fact]
    public void An_object_that_language_named_is_corrected_as_in_a_recorded_video()
    {
        SegmentationModel model = Shapes.Model.Segmentation;
        int side = model.Config.ImageSize;
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..3]);
        AnswerObject named = Assert.Single(session.Ask("Please segment the blue star.", cancellation: Cancellation).Objects);
        using var offline = new OfflineTracking(model, t => PillowBicubic.Resize(Shapes.Clip[t], side, side), binary: true,
            Cancellation);
        var resampler = new MaskResampler(model.LowSide, side);
        string latest = "";
        offline.Found += _ => latest = Recorded(offline.Prediction, resampler);
        for (int t = 0; t < FrameCount; t++)
        {
            ObjectMask mask = Assert.Single(session.Next(Shapes.Clip[t], Cancellation).Objects);
            if (t < 3) offline.Language(t, named.Id, named.Embedding.Span);
            else offline.Propagate(t, t, reverse: false);
            Assert.Equal(latest, Live(mask));
            if (t is not (5 or 6)) continue;
            mask = Assert.Single(session.Correct(named.Id, new VisualPrompt(new Click(40, 30 + t, Inside: false)), Cancellation).Objects);
            offline.Point(t, named.Id, [new PointPrompt(40f / Width * side, (30f + t) / Height * side, PointLabel.Negative)], clear: false);
            Assert.Equal(latest, Live(mask));
        }
    }

    [Fact]
    public void Others_keep_their_bits_and_a_corrected_mask_is_another_one()
    {
        List<string> plain = Play(null), corrected = Play(4);
        for (int t = 0; t < FrameCount; t++)
        {
            Assert.Equal(plain[2 * t], corrected[2 * t]);
            Assert.Equal(t < 4, plain[2 * t + 1] == corrected[2 * t + 1]);
        }

        static List<string> Play(int? correction)
        {
            using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]);
            session.Ask("Please segment the red circle.", cancellation: Cancellation);
            var prints = new List<string>();
            for (int t = 0; t < FrameCount; t++)
            {
                FrameMasks masks = session.Next(Shapes.Clip[t], Cancellation);
                if (t == 0) session.Follow(new VisualPrompt(new Click(60, 40)), out masks, Cancellation);
                if (t == correction) masks = session.Correct(1, new VisualPrompt(new Click(20, 20)), Cancellation);
                prints.AddRange(masks.Objects.Select(Live));
            }
            return prints;
        }
    }

    [Fact]
    public async Task A_prompt_between_two_frames_of_a_followed_stream_counts_as_between_two_that_are_pushed()
    {
        List<string> pushed = [], followed = [];
        using (VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]))
            for (int t = 0; t < FrameCount; t++) Add(pushed, session, session.Next(Shapes.Clip[t], Cancellation));
        using (VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]))
            await foreach (FrameMasks masks in session.TrackAsync(Shapes.Clip[..FrameCount].ToAsyncEnumerable(), Cancellation))
                Add(followed, session, masks);
        Assert.Equal(pushed, followed);
        Assert.True(pushed.Count > FrameCount);

        static void Add(List<string> prints, VideoSession session, FrameMasks masks)
        {
            if (masks.Frame == 0) session.Follow(new VisualPrompt(new Box(20, 20, 90, 80)), out masks, Cancellation);
            prints.AddRange(masks.Objects.Select(Live));
            if (masks.Frame is not (3 or 4)) return;
            prints.AddRange(session.Correct(0, new VisualPrompt(new Click(50, 50)), Cancellation).Objects.Select(Live));
        }
    }

    [Fact]
    public void A_prompt_that_fails_changes_nothing()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]);
        var points = new VisualPrompt(new Click(10, 10));
        Refused("No frame was processed yet", () => session.Follow(points, out _, Cancellation));
        session.Next(Shapes.Clip[0], Cancellation);
        session.Follow(points, out FrameMasks first, Cancellation);
        string before = Live(Assert.Single(first.Objects));
        float nan = float.NaN;

        Refused("outside the picture", () => session.Correct(0, new VisualPrompt(new Click(Width, 0)), Cancellation));
        Refused("outside the picture", () => session.Correct(0, new VisualPrompt(new Click(0, -0.1f)), Cancellation));
        Refused("outside the picture", () => session.Correct(0, new VisualPrompt(new Click(nan, 0)), Cancellation));
        Refused("Box corners", () => session.Correct(0, new VisualPrompt(new Box(5, 5, 5, 9)), Cancellation));
        Refused("Box corners", () => session.Correct(0, new VisualPrompt(new Box(5, 9, 9, 5)), Cancellation));
        Refused("Box corners", () => session.Correct(0, new VisualPrompt(new Box(0, 0, Width + 1, 5)), Cancellation));
        Refused("Box corners", () => session.Correct(0, new VisualPrompt(new Box(nan, 0, 5, 5)), Cancellation));
        Refused("A box starts a new set of points",
            () => session.Correct(0, new VisualPrompt(new Box(0, 0, 5, 5)) { Anew = false }, Cancellation));
        Refused("at least one click", () => _ = new VisualPrompt([]));
        Refused("mask's size", () => session.Correct(0, new VisualPrompt(new Mask(3, 3, new byte[9])), Cancellation));
        Refused("no object 7", () => session.Correct(7, points, Cancellation));
        Refused("no object 7", () => session.Remove(7));
        var nothing = new VisualPrompt(new Mask(Width, Height, new byte[Width * Height]));
        Refused("empty mask", () => session.Follow(nothing, out _, Cancellation));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => session.Correct(0, points, cancelled.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => session.Follow(points, out _, cancelled.Token));
        Assert.Equal(1, session.ObjectCount);

        // An object that is known may be said not to be there.
        ObjectMask gone = Assert.Single(session.Correct(0, nothing, Cancellation).Objects);
        Assert.Equal((0, true), (gone.Area, gone.Present < 0.001f));
        ObjectMask back = Assert.Single(session.Correct(0, new VisualPrompt(new Box(20, 20, 90, 80)), Cancellation).Objects);
        Assert.True(back.Area > 0);
        Assert.NotEqual(before, Live(back));
    }

    [Fact]
    public void A_prompt_that_is_cancelled_within_any_plan_leaves_nothing_behind()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        var plans = new List<string>();
        string expected = Play(correct: null);
        Assert.Contains("memory features", plans);
        // When masks are packed, the prompt is part of the object.
        Assert.Equal("mask output", plans[^1]);
        int last = plans.Count - 1;
        for (int at = 0; at < last; at++)
        {
            using var stop = new CancellationTokenSource();
            string disturbed = Play(session =>
            {
                int runs = 0;
                device.Before = _ =>
                {
                    if (runs++ == at) stop.Cancel();
                };
                Assert.ThrowsAny<OperationCanceledException>(() => session.Correct(0, new VisualPrompt(new Click(90, 90)), stop.Token));
            });
            Assert.Equal(expected, disturbed);
        }

        string Play(Action<VideoSession>? correct)
        {
            using VideoSession session = model.OpenTracker();
            session.Next(Shapes.Clip[0], Cancellation);
            session.Follow(new VisualPrompt(new Click(60, 40)), out _, Cancellation);
            session.Next(Shapes.Clip[1], Cancellation);
            correct?.Invoke(session);
            plans.Clear();
            device.Before = plans.Add;
            string first = Live(session.Correct(0, new VisualPrompt(new Click(30, 30)), Cancellation).Objects[0]);
            device.Before = null;
            return first + Live(session.Correct(0, new VisualPrompt(new Click(33, 30)), Cancellation).Objects[0])
                + Live(session.Next(Shapes.Clip[2], Cancellation).Objects[0]);
        }
    }

    /// <summary>Reads, copies and plans, each failed in turn, of an object that has a mask and of one that joins.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void A_prompt_of_which_any_step_fails_leaves_nothing_behind(bool joins)
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        string expected = "";
        expected = Play(failing: null);
        int steps = 0;
        for (bool failed = true; failed; steps++)
        {
            Assert.Equal(expected, Play(session =>
            {
                int step = 0;
                void Fail()
                {
                    if (step++ == steps) throw new InvalidTimeZoneException();
                }

                (device.Reading, device.Copying, device.Before) = (_ => Fail(), (_, _) => Fail(), _ => Fail());
                Exception? error = Record.Exception(() => Disturb(session));
                (device.Reading, device.Copying, device.Before) = (null, null, null);
                failed = error is InvalidTimeZoneException;
                Assert.Equal(failed, error is not null);
            }, () => failed));
        }
        // Behind the prompt itself what is shown is copied, packed and read.
        Assert.InRange(steps, 8, 60);

        void Disturb(VideoSession session)
        {
            var prompt = new VisualPrompt(new Click(90, 90));
            if (joins) session.Follow(prompt, out _, Cancellation);
            else session.Correct(0, prompt, Cancellation);
        }

        // What did not fail changes what follows.
        string Play(Action<VideoSession>? failing, Func<bool>? counts = null)
        {
            using VideoSession session = model.OpenTracker();
            session.Next(Shapes.Clip[0], Cancellation);
            session.Follow(new VisualPrompt(new Click(60, 40)), out _, Cancellation);
            session.Next(Shapes.Clip[1], Cancellation);
            failing?.Invoke(session);
            if (counts?.Invoke() == false) return expected;
            Assert.Equal(1, session.ObjectCount);
            string first = Live(session.Correct(0, new VisualPrompt(new Click(30, 30)), Cancellation).Objects[0]);
            return first + Live(session.Correct(0, new VisualPrompt(new Click(33, 30)), Cancellation).Objects[0])
                + Live(session.Next(Shapes.Clip[2], Cancellation).Objects[0]);
        }
    }

    [Fact]
    public void A_prompt_that_was_made_for_another_frame_is_refused()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]);
        session.Next(Shapes.Clip[0], Cancellation);
        session.Follow(new VisualPrompt(new Click(10, 10)) { Frame = 0 }, out _, Cancellation);
        session.Next(Shapes.Clip[1], Cancellation);
        foreach (long frame in (long[])[-1, 0, 2])
        {
            var prompt = new VisualPrompt(new Click(33, 30)) { Frame = frame };
            Refused($"made for frame {frame}, and frame 1 is the newest", () => session.Follow(prompt, out _, Cancellation));
            Refused($"made for frame {frame}, and frame 1 is the newest", () => session.Correct(0, prompt, Cancellation));
        }
        Assert.Equal(1, session.ObjectCount);
        FrameMasks masks = session.Correct(0, new VisualPrompt(new Click(33, 30)) { Frame = 1 }, Cancellation);
        Assert.Equal(1, masks.Frame);
        using ImageSession image = Shapes.Model.OpenImage(Shapes.Clip[0]);
        Refused("made for frame 1", () => image.Segment(new VisualPrompt(new Click(10, 10)) { Frame = 1 }, cancellation: Cancellation));
        image.Segment(new VisualPrompt(new Click(10, 10)) { Frame = 0 }, cancellation: Cancellation);
    }

    [Fact]
    public void A_stream_follows_as_many_objects_as_it_was_told()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1], new VideoOptions { MaxObjects = 1 });
        session.Next(Shapes.Clip[0], Cancellation);
        Assert.Equal(0, session.Follow(new VisualPrompt(new Click(10, 10)), out _, Cancellation));
        Refused("too many objects", () => session.Follow(new VisualPrompt(new Click(10, 10)), out _, Cancellation));
        session.Remove(0);
        Assert.Equal(1, session.Follow(new VisualPrompt(new Click(10, 10)), out _, Cancellation));
        Assert.Throws<ArgumentOutOfRangeException>(() => new VideoOptions { MaxObjects = 0 });
    }

    [Fact]
    public void An_object_that_was_named_since_the_newest_frame_has_no_mask_on_it()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..1]);
        session.Next(Shapes.Clip[0], Cancellation);
        AnswerObject named = Assert.Single(session.Ask("Please segment the red circle.", cancellation: Cancellation).Objects);
        int shown = session.Follow(new VisualPrompt(new Click(60, 40)), out FrameMasks masks, Cancellation);
        Assert.Equal(shown, Assert.Single(masks.Objects).Id);
        Assert.Equal([named.Id, shown], session.Next(Shapes.Clip[1], Cancellation).Objects.Select(o => o.Id));
    }

    private static string Live(ObjectMask mask) => $"{mask.Score:R} {mask.Present:R} {mask.Area} {Shapes.Hash(mask.Pixels)}";

    private static string Recorded(MaskPrediction mask, MaskResampler resampler)
    {
        var logits = new float[Width * Height];
        resampler.Logits(mask.Low, Height, Width, logits);
        byte[] pixels = [.. logits.Select(v => (byte)(v > PackMasks.Threshold ? 1 : 0))];
        return $"{mask.Score:R} {mask.Present:R} {pixels.Count(p => p == 1)} {Shapes.Hash<byte>(pixels)}";
    }

    private static void Refused(string why, Action prompt) =>
        Assert.Contains(why, Assert.Throws<PromptException>(prompt).Message, StringComparison.Ordinal);

    /// <summary>
    /// Objects that join by a click, a mask and a box, corrections of each kind on tracked frames, several in one frame, and one that
    /// leaves; done to a stream and to a recorded video alike.
    /// </summary>
    private sealed class Script(VideoSession session, OfflineTracking offline)
    {
        private readonly int _side = Shapes.Model.Config.Grounding.ImageSize;

        public List<int> Following { get; } = [];

        public IEnumerable<FrameMasks> At(int t)
        {
            switch (t)
            {
                case 0:
                    yield return Follow(t, new VisualPrompt(new Click(60, 40)));
                    yield return Correct(t, 0, new VisualPrompt(new Click(10, 90, Inside: false)));
                    break;
                case 2:
                    yield return Follow(t, new VisualPrompt(Half()));
                    break;
                case 4:
                    yield return Correct(t, 0, new VisualPrompt(new Click(30, 30)));
                    yield return Correct(t, 0, new VisualPrompt([new Click(31, 30), new Click(80, 80, Inside: false)]));
                    yield return Correct(t, 0, new VisualPrompt(new Click(33, 33)) { Anew = true });
                    yield return Follow(t, new VisualPrompt([new Click(50, 50)], new Box(20, 20, 90, 80)));
                    break;
                case 6:
                    yield return Correct(t, 1, new VisualPrompt(new Click(5, 5)));
                    yield return Correct(t, 2, new VisualPrompt(Half()));
                    yield return Correct(t, 2, new VisualPrompt(new Click(70, 20, Inside: false)));
                    break;
                case 8:
                    session.Remove(1);
                    offline.Remove(1);
                    Following.Remove(1);
                    yield return Correct(t, 2, new VisualPrompt(new Box(10, 10, 60, 60)));
                    break;
            }
        }

        private static Mask Half()
        {
            var pixels = new byte[Width * Height];
            pixels.AsSpan(0, pixels.Length / 2).Fill(1);
            return new Mask(Width, Height, pixels);
        }

        private FrameMasks Follow(int t, VisualPrompt prompt)
        {
            int id = session.Follow(prompt, out FrameMasks masks, Cancellation);
            Following.Add(id);
            Repeat(t, id, prompt);
            return masks;
        }

        private FrameMasks Correct(int t, int id, VisualPrompt prompt)
        {
            FrameMasks masks = session.Correct(id, prompt, Cancellation);
            Repeat(t, id, prompt);
            return masks;
        }

        private void Repeat(int t, int id, VisualPrompt prompt)
        {
            if (prompt.Mask is { } mask) offline.Give(t, id, mask);
            else offline.Point(t, id, prompt.Points(Width, Height, _side), prompt.Anew);
        }
    }
}
