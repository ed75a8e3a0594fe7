using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Verification.Stages;

/// <summary>
/// The video loop (docs/model/tracking.md#video-loop) from pixels to masks, with one object that a language vector names.
/// </summary>
internal static class VideoStage
{
    public static void Register(Dictionary<string, Func<StageContext, StageOutputs>> stages) => stages.Add("net.video", Video);

    private static StageOutputs Video(StageContext c)
    {
        GroundingConfig config = c.Config.Grounding;
        ConfigFields p = c.Golden.Params;
        int frames = p.Int("frames", 1, 1024), conditioning = p.Int("cond_frames", 1, frames);
        IReadOnlyList<int> remembered = p.Ints("mem_frames", 0, frames - 1, 0, frames, []);
        int side = config.ImageSize / 4, width = config.DModel, tokens = side * side / 16;
        c.CheckCount(frames, side, side);
        RolledFrames? levels = c.Golden.HasInput("base_u8") ? new RolledFrames(c) : null;
        float[] values = levels is null ? c.In("frames").Expect(frames, 3, config.ImageSize, config.ImageSize).Floats : [];

        using var model = new SegmentationModel(c.Backend, c.Weights, config, conditioning, unrounded: true, c.Cancellation);
        using var video = new VideoSegmentation(model);
        // The engine takes levels; normalised frames are encoded beside it.
        WholeEncoderGraph? encoder = levels is not null ? null : new WholeEncoderGraph(c, SegmentationModel.Prefix, levels: false);
        using GraphRun? encoding = encoder is null ? null : new GraphRun(c, encoder.Graph);
        ObjectTrack track = video.Add(new ObjectPrompt(model, c.In("seg").Expect(width).Floats), conditioning, c.Cancellation);
        var low = new float[frames * side * side];
        var ious = new float[frames * 3];
        var logits = new float[frames];
        var pointers = new float[frames * width];
        var selected = new long[frames];
        var memories = new float[remembered.Count * tokens * config.MemDim];
        for (int t = 0; t < frames; t++)
        {
            if (encoder is null) video.Step(levels!.Levels(t), cancellation: c.Cancellation);
            else
            {
                int size = config.ImageSize * config.ImageSize;
                encoding!.Write(encoder.Image, ChannelsFirst.ToEngine(values.AsSpan(t * 3 * size, 3 * size), 3, size)).Execute();
                model.Queue.Write<float>(video.Features.F, encoding.Floats(encoder.F));
                model.Queue.Write<float>(video.Features.S0, encoding.Floats(encoder.High.S0));
                model.Queue.Write<float>(video.Features.S1, encoding.Floats(encoder.High.S1));
                video.StepObjects(cancellation: c.Cancellation);
            }
            MaskPrediction mask = track.Prediction;
            mask.Low.CopyTo(low.AsSpan(t * side * side));
            mask.Ious[1..].CopyTo(ious.AsSpan(t * 3));
            (logits[t], selected[t]) = (mask.ObjectLogit, mask.Selected);
            mask.Pointer.CopyTo(pointers.AsSpan(t * width, width));
            for (int k = 0; k < remembered.Count; k++)
                if (remembered[k] == t) track.ReadMemory(memories.AsSpan(k * tokens * config.MemDim, tokens * config.MemDim));
        }
        var outputs = new StageOutputs().Add("low", low, frames, side, side).Add("ious", ious, frames, 3)
            .Add("object_logit", logits, frames)
            .Add("selected_index", selected, frames).Add("ptr", pointers, frames, width);
        return remembered.Count == 0 ? outputs : outputs.Add("mem", memories, remembered.Count, tokens, config.MemDim);
    }
}
