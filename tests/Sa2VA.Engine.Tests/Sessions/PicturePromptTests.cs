using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Clicks, boxes and masks on an image: what a recorded video of one frame gives for the same prompts, bit for bit.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class PicturePromptTests
{
    private static readonly RgbImage Picture = Shapes.Clip[0];
    private static readonly int Width = Picture.Width, Height = Picture.Height;
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void Prompts_give_the_bits_of_a_recorded_video_of_one_frame()
    {
        using ImageSession session = Shapes.Model.OpenImage(Picture);
        using var recorded = new Recording();
        ObjectMask one = session.Segment(new VisualPrompt(new Click(60, 40)), cancellation: Cancellation);
        recorded.Same(one, new VisualPrompt(new Click(60, 40)));
        Corrected(0, new VisualPrompt(new Click(10, 90, Inside: false)));
        Corrected(0, new VisualPrompt([new Click(31, 30), new Click(80, 80, Inside: false)]));
        // Another object between two prompts of one.
        recorded.Same(session.Segment(new VisualPrompt(Half()), cancellation: Cancellation), new VisualPrompt(Half()));
        Corrected(0, new VisualPrompt(new Click(33, 33)) { Anew = true });
        Corrected(1, new VisualPrompt(new Click(5, 5)));
        var box = new VisualPrompt([new Click(50, 50)], new Box(20, 20, 90, 80));
        recorded.Same(session.Segment(box, cancellation: Cancellation), box);
        Corrected(2, new VisualPrompt(new Click(70, 20, Inside: false)));
        Corrected(2, new VisualPrompt(new Box(10, 10, 60, 60)));
        Corrected(1, new VisualPrompt(new Mask(Width, Height, new byte[Width * Height])));
        Corrected(1, new VisualPrompt(new Click(50, 50)));
        Assert.Equal(1, session.EncoderRuns);

        void Corrected(int id, VisualPrompt prompt) => recorded.Same(session.Correct(id, prompt, cancellation: Cancellation), prompt);
    }

    [Fact]
    public void What_words_named_is_corrected_from_the_mask_that_they_found()
    {
        using ImageSession session = Shapes.Model.OpenImage(Picture);
        Answer answer = session.Ask("Please segment the blue star.", cancellation: Cancellation);
        AnswerObject named = Assert.Single(answer.Objects);
        using var recorded = new Recording();
        recorded.Offline.Language(0, named.Id, named.Embedding.Span);
        Assert.Equal(recorded.Latest, Print(named.Mask!));
        var click = new VisualPrompt(new Click(40, 35, Inside: false));
        ObjectMask corrected = session.Correct(named.Id, click, cancellation: Cancellation);
        recorded.Same(corrected, click);
        Assert.NotEqual(Print(named.Mask!), Print(corrected));
        Assert.Equal(Shapes.Fingerprint(answer),
            Shapes.Fingerprint(session.Ask("Please segment the blue star.", cancellation: Cancellation)));
    }

    [Fact]
    public void Numbers_are_shared_by_what_is_named_and_what_is_shown()
    {
        using ImageSession session = Shapes.Model.OpenImage(Picture);
        var click = new VisualPrompt(new Click(60, 40));
        Assert.Equal(0, session.Segment(click, cancellation: Cancellation).Id);
        Assert.Equal(1, Assert.Single(session.Ask("Please segment the blue star.", cancellation: Cancellation).Objects).Id);
        Assert.Equal(2, session.Segment(click, cancellation: Cancellation).Id);
        Assert.Equal(1, session.Correct(1, click, cancellation: Cancellation).Id);
    }

    [Fact]
    public void Without_a_word_the_language_model_takes_no_memory_and_no_time()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        var allocated = new List<string>();
        device.Allocating = allocated.Add;
        using ImageSession session = model.OpenImage(Picture);
        ObjectMask mask = session.Segment(new VisualPrompt(new Click(60, 40)), logits: true, Cancellation);
        session.Correct(mask.Id, new VisualPrompt(new Click(61, 41)), cancellation: Cancellation);
        Assert.Equal(["dense prompt", "frame", "frame features", "frame features /4", "frame features /8", "mask output", "mask prompt",
            "mask results", "picture", "sparse prompt", "sparse prompt"], allocated.Order(StringComparer.Ordinal));
        Assert.Equal(0, session.PrefilledTokens);
        Assert.Equal(mask.Pixels.ToArray(), Array.ConvertAll(mask.Logits.ToArray(), v => (byte)(v > PackMasks.Threshold ? 1 : 0)));
        // Nothing stays of a prompt but what the first one made.
        allocated.Clear();
        long held = Shapes.Held(model).Buffers;
        session.Correct(mask.Id, new VisualPrompt(new Click(62, 42)), cancellation: Cancellation);
        Assert.Equal(held, Shapes.Held(model).Buffers);
    }

    [Fact]
    public void A_prompt_that_is_refused_changes_nothing()
    {
        using ImageSession session = Shapes.Model.OpenImage(Picture);
        Refused("knows no object 0", () => session.Correct(0, new VisualPrompt(new Click(0, 0)), cancellation: Cancellation));
        Refused("outside the picture", () => session.Segment(new VisualPrompt(new Click(Width, 0)), cancellation: Cancellation));
        Refused("Box corners", () => session.Segment(new VisualPrompt(new Box(5, 5, 5, 9)), cancellation: Cancellation));
        Refused("mask's size", () => session.Segment(new VisualPrompt(new Mask(3, 3, new byte[9])), cancellation: Cancellation));
        Refused("empty mask",
            () => session.Segment(new VisualPrompt(new Mask(Width, Height, new byte[Width * Height])), cancellation: Cancellation));
        Refused("at most 63 points",
            () => session.Segment(new VisualPrompt([.. Enumerable.Repeat(new Click(1, 1), 64)]), cancellation: Cancellation));
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(
            () => session.Segment(new VisualPrompt(new Click(0, 0)), cancellation: cancelled.Token));
        var click = new VisualPrompt(new Click(60, 40));
        string first = Print(session.Segment(click, cancellation: Cancellation));
        Refused("outside the picture", () => session.Correct(0, new VisualPrompt(new Click(0, -1)), cancellation: Cancellation));
        using var recorded = new Recording();
        recorded.Find(0, click);
        Assert.Equal(recorded.Latest, first);
        var second = new VisualPrompt(new Click(20, 20));
        recorded.Same(session.Correct(0, second, cancellation: Cancellation), second);
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Segment(click, cancellation: Cancellation));
    }

    private static Mask Half()
    {
        var pixels = new byte[Width * Height];
        pixels.AsSpan(0, pixels.Length / 2).Fill(1);
        return new Mask(Width, Height, pixels);
    }

    private static string Print(ObjectMask mask) => $"{mask.Score:R} {mask.Present:R} {mask.Area} {Shapes.Hash(mask.Pixels)}";

    private static void Refused(string why, Action prompt) =>
        Assert.Contains(why, Assert.Throws<PromptException>(prompt).Message, StringComparison.Ordinal);

    /// <summary>The same prompts on the only frame of a recorded video.</summary>
    private sealed class Recording : IDisposable
    {
        private readonly SegmentationModel _model = Shapes.Model.Segmentation;
        private readonly MaskResampler _resampler;

        public Recording()
        {
            int side = _model.Config.ImageSize;
            _resampler = new MaskResampler(_model.LowSide, side);
            RgbImage frame = PillowBicubic.Resize(Picture, side, side);
            Offline = new OfflineTracking(_model, _ => frame, binary: true, Cancellation);
            Offline.Found += _ => Latest = Recorded();
        }

        public OfflineTracking Offline { get; }

        public string Latest { get; private set; } = "";

        public void Find(int id, VisualPrompt prompt)
        {
            if (prompt.Mask is { } mask) Offline.Give(0, id, mask);
            else Offline.Point(0, id, prompt.Points(Width, Height, _model.Config.ImageSize), prompt.Anew);
        }

        public void Same(ObjectMask mask, VisualPrompt prompt)
        {
            Find(mask.Id, prompt);
            Assert.Equal(Latest, Print(mask));
        }

        public void Dispose() => Offline.Dispose();

        private string Recorded()
        {
            MaskPrediction mask = Offline.Prediction;
            var logits = new float[Width * Height];
            _resampler.Logits(mask.Low, Height, Width, logits);
            byte[] pixels = [.. logits.Select(v => (byte)(v > PackMasks.Threshold ? 1 : 0))];
            return $"{mask.Score:R} {mask.Present:R} {pixels.Count(p => p == 1)} {Shapes.Hash<byte>(pixels)}";
        }
    }
}
