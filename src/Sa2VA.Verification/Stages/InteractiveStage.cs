using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>
/// Sessions with clicks, boxes, masks and language (docs/model/interactive.md): events are replayed, and each result and memory compared in
/// the order in which it comes.
/// </summary>
internal static class InteractiveStage
{
    private const int MaxEvents = 256, MaxFrames = 1024, MaxObjects = 64, AllConditioning = 32;

    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages) => stages.Add("net.interactive", Replay);

    private static StageOutputs Replay(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        ConfigFields p = c.Golden.Params, switches = p.RequiredObject("switches");
        int frames = p.Int("frames", 1, MaxFrames), limit = switches.Int("max_cond_frames_in_attn", -1, AllConditioning);
        if (p.Int("image_size", 1, 1 << 16) != config.ImageSize) throw c.Golden.Bad("has another image_size than its model");
        IReadOnlyList<int> size = p.Ints("video_size", 1, 1 << 16, 2, 2, []);
        var source = new RolledFrames(c);
        using var model = new SegmentationModel(c.Backend, c.Weights, config, limit < 0 ? AllConditioning : limit, unrounded: true,
            c.Cancellation);
        using var tracking = new OfflineTracking(model, t => new RgbImage(config.ImageSize, config.ImageSize, source.Levels(t)),
            switches.Flag("binarize_prompted_memory", true), c.Cancellation);
        var log = new SessionLog(c, tracking);
        foreach (ConfigFields e in p.Objects("events", MaxEvents))
        {
            c.Cancellation.ThrowIfCancellationRequested();
            Apply(c, tracking, e, (size[0], size[1]), frames);
            log.Event++;
        }
        return log.Outputs();
    }

    private static void Apply(StageContext c, OfflineTracking tracking, ConfigFields e, (int Width, int Height) size, int frames)
    {
        string op = e.Text("op") ?? throw e.Bad("op", "is missing");
        if (op == "propagate")
        {
            tracking.Propagate(Frame("start"), Frame("end"), e.Flag("reverse", false));
            return;
        }
        int id = e.Int("object", 0, MaxObjects);
        switch (op)
        {
            case "points":
                tracking.Point(Frame("frame"), id, Points(c, e, size), e.Flag("clear", true));
                break;
            case "mask":
                tracking.Give(Frame("frame"), id, new Mask(size.Width, size.Height, Input("mask").Expect(size.Height, size.Width).Bytes()));
                break;
            case "language":
                tracking.Language(Frame("frame"), id, Input("seg").Expect(c.Config.Grounding.DModel).Floats);
                break;
            case "remove":
                tracking.Remove(id);
                break;
            default:
                throw e.Bad("op", $"is '{op}', not points, mask, language, propagate or remove");
        }

        int Frame(string name) => e.Int(name, 0, frames - 1);

        GoldenTensor Input(string name)
        {
            string text = e.Text(name) ?? throw e.Bad(name, "is missing");
            return c.In(text.StartsWith("in.", StringComparison.Ordinal) ? text[3..] : throw e.Bad(name, $"is '{text}', not an input"));
        }
    }

    /// <summary>A box's corners, then the points, in pixels of the encoder's input.</summary>
    private static PointPrompt[] Points(StageContext c, ConfigFields e, (int Width, int Height) size)
    {
        int side = c.Config.Grounding.ImageSize;
        var points = new List<PointPrompt>();
        if (e.Numbers("box", 4) is { } box)
        {
            points.Add(At(box[0], box[1], PointLabel.BoxTopLeft));
            points.Add(At(box[2], box[3], PointLabel.BoxBottomRight));
        }
        IReadOnlyList<IReadOnlyList<double>> places = e.NumberRows("points", 2, FramePrompt.MaxSparse);
        IReadOnlyList<int> labels = e.Ints("labels", 0, 1, places.Count, places.Count, []);
        if (labels.Count != places.Count) throw e.Bad("labels", "is missing");
        for (int i = 0; i < places.Count; i++) points.Add(At(places[i][0], places[i][1], (PointLabel)labels[i]));
        return [.. points];

        PointPrompt At(double x, double y, PointLabel label) =>
            new((float)x / size.Width * side, (float)y / size.Height * side, label);
    }
}
