using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;
using Sa2VA.Verification;
using Sa2VA.Verification.Benchmarking;

namespace Sa2VA.Peers;

/// <summary>The vision tower and the image encoder of Sa2VA-1B against ONNX Runtime, whole, same weights, same picture.</summary>
internal static class Stages
{
    public static void Vision(Sa2VAConfig config, SyntheticWeights weights, int rounds, int[] threads, string scratch)
    {
        var vit = (InternVitConfig)config.Vision;
        string model = Path.Combine(scratch, "vision.onnx");
        OnnxVision.Write(model, weights, vit);
        Measure("vision-tower", config, weights, rounds, threads, model, vit.TileSize, Normalisation.InternVl);
    }

    public static void Encoder(Sa2VAConfig config, SyntheticWeights weights, int rounds, int[] threads, string scratch)
    {
        string model = Path.Combine(scratch, "encoder.onnx");
        OnnxEncoder.Write(model, weights, config.Grounding, SegmentationModel.Prefix);
        Measure("image-encoder", config, weights, rounds, threads, model, config.Grounding.ImageSize, Normalisation.GroundingF32);
    }

    private static void Measure(string name, Sa2VAConfig config, SyntheticWeights weights, int rounds, int[] threads, string model,
        int side, float[] levels)
    {
        var picture = new byte[side * side * 3];
        new Random(1).NextBytes(picture);
        var pixels = new float[picture.Length];
        for (int i = 0; i < side * side; i++)
            for (int c = 0; c < 3; c++) pixels[c * side * side + i] = levels[c * 256 + picture[i * 3 + c]];

        foreach (int count in threads)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = count });
            BenchmarkStage stage = BenchmarkStages.All[name](weights, config, DType.F32);
            using var run = new GraphRun(backend, stage.Graph, default);
            run.Write(stage.Graph.Inputs[0], picture);
            stage.Prepare(run);
            using var onnx = new OnnxRun(model, count, pixels, 1, 3, side, side);
            List<Taken> taken = Contest.Hold(count, rounds,
                [new("ours", () => run.Execute()), new("ONNX Runtime", onnx.Run), Ceiling.Of(Ceiling.Peak, count)]);
            double apart = Numbers.Apart(run.Execute().Floats(stage.Graph.Outputs[0]), onnx.Result());
            Results.Case(name, stage.Work, count, stage.Graph.Flops(run.Bound.Scalars), null, taken,
                new Dictionary<string, double> { ["ONNX Runtime"] = apart });
        }
    }
}
