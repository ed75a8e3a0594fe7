using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>The estimate is what a loaded model holds, column by column, on every small checkpoint.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class MemoryEstimateTests
{
    [Fact]
    public void BFloat16_needs_less()
    {
        string folder = Fixtures.Model("sa2va-tiny-shapes");
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        MemoryEstimate wide = Of(Precision.Float32), narrow = Of(Precision.BFloat16);
        Assert.True(narrow.Total.Arena < wide.Total.Arena && narrow.Total.Buffers < wide.Total.Buffers);
        Assert.True(narrow.Total.Weights <= wide.Total.Weights);

        MemoryEstimate Of(Precision precision) => MemoryEstimate.Of(new CpuDevice { Precision = precision }, config, checkpoint);
    }

    private static readonly string[] Names =
        ["sa2va-tiny-shapes", "internvl-6b-vit", "internvl-internlm2", "internvl-qwen2", "internvl-qwen2-phi3", "qwen2_5-vl", "qwen3-vl"];

    public static TheoryData<string, Precision> Models => [.. from name in Names
        where Directory.Exists(Fixtures.Model(name)) && Directory.EnumerateFiles(Fixtures.Model(name), "*.safetensors").Any()
        from precision in Enum.GetValues<Precision>()
        select (name, precision)];

    [Theory]
    [MemberData(nameof(Models))]
    public void TheEstimateIsWhatIsHeld(string name, Precision precision)
    {
        string folder = Fixtures.Model(name);
        var device = new CpuDevice { Threads = 2, Precision = precision };
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        using Sa2VAModel model = Sa2VAModel.Load(folder, device);
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        Answer answer = session.Ask("Please segment the red circle.", new AskOptions { MaxNewTokens = 20 });
        BackendMemory held = Shapes.Held(model);
        MemoryEstimate estimate;
        using (Checkpoint checkpoint = Checkpoint.Open(folder))
            estimate = MemoryEstimate.Of(device, config, checkpoint, answer.PromptIds.Count + answer.TokenIds.Count);
        Close("weights", held.Weights, estimate.Total.Weights);
        Close("arena", held.Arena, estimate.Total.Arena);
        // An image whose objects were asked for has features, and no object that is remembered.
        IReadOnlyList<StageMemory> stages = estimate.Stages;
        Assert.Equal(estimate.Total.Buffers, stages.Sum(s => s.Buffers));
        // The estimate has room for the largest picture, in the session and where prompts read it.
        int rows = config.Family.MaxImageRows(config)
            - config.Family.Grids(session.Image.Width, session.Image.Height, config).Sum(g => g.Count);
        long expected = stages[0].Buffers + stages[1].Buffers
            - 2L * rows * (1 + config.Language.DeepstackLayers) * config.Language.HiddenSize * precision.BoundaryType().Size();
        if (answer.Objects.Count > 0)
        {
            // The estimate's picture is as large as what the encoder sees, and its prompt belongs to an object that is remembered.
            int side = config.Grounding.ImageSize;
            Tensor prompt = model.Segmentation.PromptedFrame(PromptKind.Language).Graph.Prompt.Sparse;
            // A stream has features of two frames.
            expected += stages[2].Buffers / 2 + stages[4].Buffers + prompt.Shape.Count * sizeof(float)
                + (Bits(session.Image.Width, session.Image.Height) - Bits(side, side));
        }
        Close("buffers", held.Buffers, expected);

        static long Bits(int width, int height) => (long)height * PackMasks.WordsFor(width) * sizeof(int);

        static void Close(string what, long held, long estimated) =>
            Assert.True(Math.Abs(estimated - held) <= 0.01 * held, $"{what}: {estimated} estimated, {held} held");
    }
}
