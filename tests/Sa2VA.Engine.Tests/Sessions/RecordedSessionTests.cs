using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>
/// Recorded videos, followed forwards, backwards and both ways, by either protocol: the bits of the same networks put together plainly.
/// </summary>
public sealed class RecordedSessionTests
{
    private const string Circle = "Please segment the red circle.", Star = "Please segment the blue star.";
    private static readonly int Width = Shapes.Clip[0].Width, Height = Shapes.Clip[0].Height;
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Forwards_a_recorded_video_has_the_bits_of_a_stream()
    {
        const int count = 9;
        List<string> expected = [];
        using (VideoSession stream = Shapes.Model.OpenVideo(Shapes.Clip[..5]))
        {
            stream.Ask(Circle, cancellation: Cancellation);
            stream.Ask(Star, cancellation: Cancellation);
            for (int t = 0; t < count; t++) expected.Add(Print(stream.Next(Shapes.Clip[t], Cancellation)));
        }
        using RecordedSession session = Open(count, new RecordedOptions());
        Assert.Equal(("first", 5), (session.Options.Selection.Name, session.LanguageFrames.Count));
        session.Ask(Circle, cancellation: Cancellation);
        session.Ask(Star, cancellation: Cancellation);
        Assert.Equal(expected, (await Track(session)).Select(Print));
        // Again, and with one that has left: the other's masks stay.
        session.Remove(1);
        Assert.Equal(expected.Select(e => e.Split('\n')[..2]), (await Track(session)).Select(m => Print(m).Split('\n')));
    }

    [Theory]
    // Far enough for what is forgotten to matter, on both sides.
    [InlineData(TrackDirection.Both, 36, 18)]
    [InlineData(TrackDirection.Backward, 8, 4)]
    [InlineData(TrackDirection.Forward, 8, 4)]
    public async Task What_is_shown_in_the_middle_is_followed_to_the_ends_with_the_bits_of_one_that_forgets_nothing(
        TrackDirection direction, int count, int start)
    {
        VisualPrompt box = new(new Box(20, 20, 90, 80)), click = new(new Click(30, 35));
        using Plain plain = new();
        plain.Show(start, 0, box);
        plain.Show(start, 0, click);
        plain.Show(start + 2, 1, box);
        if (direction != TrackDirection.Forward) plain.Tracking.Propagate(start, 0, reverse: true);
        if (direction == TrackDirection.Both) plain.Tracking.Propagate(start + 1, count - 1, reverse: false);
        if (direction == TrackDirection.Forward) plain.Tracking.Propagate(start, count - 1, reverse: false);

        using RecordedSession session = Open(count, new RecordedOptions { Direction = direction, Start = start });
        Assert.Equal(0, session.Follow(start, box));
        session.Correct(0, start, click);
        Assert.Equal(1, session.Follow(start + 2, box));
        List<FrameMasks> masks = await Track(session);
        int[] order = [.. Enumerable.Range(0, start + 1).Reverse(), .. Enumerable.Range(start + 1, count - start - 1)];
        Assert.Equal(direction switch
        {
            TrackDirection.Both => order,
            TrackDirection.Backward => order.Take(start + 1),
            _ => Enumerable.Range(start, count - start),
        }, masks.Select(m => (int)m.Frame));
        foreach (FrameMasks m in masks)
            foreach (ObjectMask o in m.Objects)
                Assert.True(plain.Latest[(o.Id, (int)m.Frame)] == Print(o), $"object {o.Id}, frame {m.Frame}");
        Assert.All(masks, m => Assert.Equal(2, m.Objects.Count));
    }

    [Fact]
    public async Task Backwards_words_are_answered_on_the_last_frames()
    {
        const int count = 10;
        using RecordedSession session = Open(count, new RecordedOptions { Direction = TrackDirection.Backward });
        Assert.Equal([5, 6, 7, 8, 9], session.LanguageFrames);
        AnswerObject named = Assert.Single(session.Ask(Circle, cancellation: Cancellation).Objects);
        using Plain plain = new();
        for (int t = 5; t < count; t++) plain.Tracking.Language(t, named.Id, named.Embedding.Span);
        plain.Tracking.Propagate(count - 1, 0, reverse: true);
        List<FrameMasks> masks = await Track(session);
        Assert.Equal(count, masks.Count);
        foreach (FrameMasks m in masks) Assert.Equal(plain.Latest[(named.Id, (int)m.Frame)], Print(Assert.Single(m.Objects)));
    }

    [Fact]
    public async Task The_consistent_protocol_begins_with_the_masks_that_words_give_where_the_language_model_looked()
    {
        const int count = 12;
        using RecordedSession session = Open(count, new RecordedOptions { Protocol = VideoProtocol.Consistent });
        Assert.Equal([0, 2, 4, 7, 9], session.LanguageFrames);
        AnswerObject named = Assert.Single(session.Ask(Circle, cancellation: Cancellation).Objects);

        // What the decoder finds on each frame by itself; then a tracker that is given these masks and knows of no words.
        using Plain words = new(), tracker = new();
        foreach (int t in session.LanguageFrames)
        {
            words.Tracking.Language(t, 0, named.Embedding.Span);
            tracker.Tracking.Give(t, 0, words.Masks[t]);
        }
        tracker.Tracking.Propagate(0, count - 1, reverse: false);

        List<FrameMasks> masks = await Track(session);
        Assert.Equal(Enumerable.Range(0, count), masks.Select(m => (int)m.Frame));
        foreach (FrameMasks m in masks)
        {
            int t = (int)m.Frame;
            Assert.Equal((session.LanguageFrames.Contains(t) ? words : tracker).Latest[(0, t)], Print(Assert.Single(m.Objects)));
        }

        // The same frames by the other protocol: other masks from the first frame behind those that words are answered on.
        using RecordedSession upstream = Open(count, new RecordedOptions { LanguageFrames = FrameSelection.Uniform });
        upstream.Ask(Circle, cancellation: Cancellation);
        List<FrameMasks> others = await Track(upstream);
        Assert.Equal(Print(masks[0]), Print(others[0]));
        Assert.NotEqual(Print(masks[6]), Print(others[6]));
    }

    [Fact]
    public async Task What_is_held_does_not_grow_with_the_video()
    {
        using Sa2VAModel model = Shapes.Load();
        var held = new List<int>();
        foreach (int count in (int[])[36, 38])
        {
            using RecordedSession session = model.OpenRecorded(count, t => Shapes.Clip[t],
                new RecordedOptions { Direction = TrackDirection.Both, Start = 18 }, Cancellation);
            session.Follow(18, new VisualPrompt(new Box(20, 20, 90, 80)));
            await Track(session);
            Assert.Equal(0, model.Segmentation.Banks.MemorySlots.Taken);
            Assert.Equal(0, model.Segmentation.Banks.PointerSlots.Taken);
            held.Add(model.Segmentation.Banks.MemorySlots.Made);
            held.Add(model.Segmentation.Banks.PointerSlots.Made);
            // A frame that was prompted is read for it, and then like the others.
            Assert.Equal(count, session.EncoderRuns);
        }
        Assert.Equal(held[..2], held[2..]);
        // One conditioning frame; both sides' windows; those that are about to be written and forgotten.
        Assert.InRange(held[0], 7, 1 + 2 * MemoryBank.TrackedMemories + 2);
        Assert.InRange(held[1], 16, 1 + 2 * MemoryBank.TrackedPointers + 2);
    }

    [Fact]
    public async Task Frames_are_read_in_order_also_backwards_and_progress_is_told()
    {
        var read = new List<int>();
        using RecordedSession session = Shapes.Model.OpenRecorded(30, t =>
        {
            read.Add(t);
            return Shapes.Clip[t];
        }, new RecordedOptions { Direction = TrackDirection.Both, Start = 27 }, Cancellation);
        session.Follow(27, new VisualPrompt(new Click(30, 35)));
        read.Clear();
        var told = new Reports();
        await Track(session, told);
        Assert.Equal([27, .. Enumerable.Range(11, 16), .. Enumerable.Range(0, 11), 28, 29], read);
        Assert.Equal(Enumerable.Range(1, 31).Select(i => new TrackProgress(i, 31)), told.All);
    }

    [Fact]
    public async Task A_run_that_is_left_or_cancelled_leaves_the_session_as_it_was()
    {
        using RecordedSession session = Open(7, new RecordedOptions { Direction = TrackDirection.Both, Start = 4 });
        Assert.Empty(await Track(session));
        session.Follow(4, new VisualPrompt(new Box(20, 20, 90, 80)));
        List<string> expected = [.. (await Track(session)).Select(Print)];
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (FrameMasks masks in session.TrackAsync(cancellation: stop.Token))
                if (masks.Frame == 2) await stop.CancelAsync();
        });
        await foreach (FrameMasks masks in session.TrackAsync(cancellation: Cancellation))
        {
            Assert.Throws<SessionBusyException>(() => session.Follow(0, new VisualPrompt(new Click(1, 1))));
            Assert.Throws<SessionBusyException>(() => session.Remove(0));
            // What words name meanwhile is followed the next time.
            session.Ask(Circle, cancellation: Cancellation);
            Assert.Single(masks.Objects);
            break;
        }
        Assert.Equal(2, session.ObjectCount);
        session.Remove(1);
        using RecordedSession fork = session.Fork();
        session.Remove(0);
        Assert.Equal(expected, (await Track(fork)).Select(Print));
        Assert.Equal(0, session.Follow(6, new VisualPrompt(new Click(1, 1))) - fork.Follow(6, new VisualPrompt(new Click(1, 1))));
        Assert.Equal((1, 2), (session.ObjectCount, fork.ObjectCount));
    }

    [Fact]
    public async Task Logits_are_kept_of_objects_that_ask_for_them()
    {
        using RecordedSession session = Open(2, new RecordedOptions { Logits = true });
        session.Ask(Circle, cancellation: Cancellation);
        session.Ask(Star, new AskOptions { Logits = true }, Cancellation);
        session.Follow(1, new VisualPrompt(new Click(30, 35)));
        foreach (FrameMasks masks in await Track(session))
        {
            Assert.Equal([0, Width * Height, Width * Height], masks.Objects.Select(o => o.Logits.Length));
            foreach (ObjectMask o in masks.Objects)
                for (int i = 0; i < o.Logits.Length; i++) Assert.Equal(o.Pixels[i] == 1, o.Logits[i] > PackMasks.Threshold);
        }
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        Refused("needs a frame to begin on", () => Open(9, new RecordedOptions { Direction = TrackDirection.Both }));
        Refused("the video has frames 0 to 8", () => Open(9, new RecordedOptions { Start = 9 }));
        Refused("the video has frames 0 to 8", () => Open(9, new RecordedOptions { Start = -1 }));
        Assert.Throws<MediaException>(() => Open(0, new RecordedOptions()));
        Assert.Throws<ArgumentOutOfRangeException>(() => new RecordedOptions { MaxObjects = 0 });
        using RecordedSession session = Open(9, new RecordedOptions { MaxObjects = 1 });
        var click = new VisualPrompt(new Click(10, 10));
        Refused("the video has frames 0 to 8", () => session.Follow(9, click));
        Refused("outside the picture", () => session.Follow(0, new VisualPrompt(new Click(Width, 0))));
        Refused("empty mask", () => session.Follow(0, new VisualPrompt(new Mask(Width, Height, new byte[Width * Height]))));
        Refused("no object 0", () => session.Correct(0, 0, click));
        Assert.Equal(0, session.Follow(3, click));
        Refused("too many objects", () => session.Follow(3, click));
        Refused("no object 7", () => session.Remove(7));
    }

    private static RecordedSession Open(int count, RecordedOptions options) =>
        Shapes.Model.OpenRecorded(count, t => Shapes.Clip[t], options, Cancellation);

    private static async Task<List<FrameMasks>> Track(RecordedSession session, IProgress<TrackProgress>? progress = null)
    {
        var all = new List<FrameMasks>();
        await foreach (FrameMasks masks in session.TrackAsync(progress, Cancellation)) all.Add(masks);
        return all;
    }

    private static string Print(FrameMasks masks) => string.Join('\n', [$"frame {masks.Frame}", .. masks.Objects.Select(Print)]);

    private static string Print(ObjectMask mask) => $"{mask.Id}: {mask.Score:R} {mask.Present:R} {Shapes.Hash(mask.Pixels)}";

    private static void Refused(string why, Action call) =>
        Assert.Contains(why, Assert.Throws<PromptException>(call).Message, StringComparison.Ordinal);

    private sealed class Reports : IProgress<TrackProgress>
    {
        public List<TrackProgress> All { get; } = [];

        public void Report(TrackProgress value)
        {
            if (value.Part == 0) All.Add(value);
        }
    }

    /// <summary>One that keeps all it ever found, on frames that the host brought to the encoder's size.</summary>
    private sealed class Plain : IDisposable
    {
        private readonly SegmentationModel _model = Shapes.Model.Segmentation;

        public Plain()
        {
            int side = _model.Config.ImageSize;
            var resampler = new MaskResampler(_model.LowSide, side);
            Tracking = new OfflineTracking(_model, t => PillowBicubic.Resize(Shapes.Clip[t], side, side), binary: true, Cancellation);
            Tracking.Found += r =>
            {
                var logits = new float[Width * Height];
                resampler.Logits(Tracking.Prediction.Low, Height, Width, logits);
                byte[] pixels = [.. logits.Select(v => (byte)(v > PackMasks.Threshold ? 1 : 0))];
                Masks[r.Frame] = new Mask(Width, Height, pixels);
                Latest[(r.Object, r.Frame)] =
                    $"{r.Object}: {Tracking.Prediction.Score:R} {Tracking.Prediction.Present:R} {Shapes.Hash<byte>(pixels)}";
            };
        }

        public OfflineTracking Tracking { get; }

        public Dictionary<(int Object, int Frame), string> Latest { get; } = [];

        public Dictionary<int, Mask> Masks { get; } = [];

        public void Show(int frame, int id, VisualPrompt prompt) =>
            Tracking.Point(frame, id, prompt.Points(Width, Height, _model.Config.ImageSize), prompt.Anew);

        public void Dispose() => Tracking.Dispose();
    }
}
