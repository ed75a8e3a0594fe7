using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.Tracking;

/// <summary>What is told of a mask is what the decoder said of the candidate that was chosen.</summary>
public sealed class MaskPredictionTests
{
    [Fact]
    public void Score_and_presence_are_those_of_the_chosen_mask()
    {
        SegmentationModel model = Shapes.Model.Segmentation;
        int side = model.Config.ImageSize;
        var input = new byte[side * side * 3];
        new PillowBicubic().Resize(Shapes.Clip[0].View, input, side, side);
        using var features = new FrameFeatures(model);
        using var results = new MaskResults(model, 2);
        features.Encode(input);
        bool differs = false;
        for (int seed = 0; seed < 8; seed++)
        {
            var prompt = new ObjectPrompt(model, TestValues.Random(seed, model.Config.DModel, 2));
            using var frame = new PromptedFrame(model, prompt, memory: null, TestContext.Current.CancellationToken);
            frame.Bind([features], [results], 1);
            frame.Run(0, TestContext.Current.CancellationToken);
            results.BeginRead(model.Queue).Wait();
            MaskPrediction prediction = results[1];
            float[] ious = [.. prediction.Ious];
            Assert.Equal(ious.Skip(1).Max(), prediction.Score);
            Assert.Equal(1 / (1 + Math.Exp(-prediction.ObjectLogit)), prediction.Present, 1e-6);
            differs |= prediction.Score != ious[0];
        }
        Assert.True(differs, "The first candidate would have done.");
    }
}
