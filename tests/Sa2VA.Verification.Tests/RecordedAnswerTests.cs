using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// The answers that upstream's own code gave for the small checkpoints: InternLM2, Qwen2 and Phi-3's template, InternViT 300M and 6B, F16,
/// BF16 and F32, single and sharded. The trained checkpoint's are among the engine's tests.
/// </summary>
public sealed class RecordedAnswerTests(RecordedAnswerTests.LoadedModels models) : IClassFixture<RecordedAnswerTests.LoadedModels>
{
    public static TheoryData<string, string> Cases() =>
        [.. from model in (string[])["internvl-internlm2", "internvl-qwen2", "internvl-qwen2-phi3", "internvl-6b-vit"]
            where Fixtures.Exists("predict", model)
            from file in Directory.GetFiles(Fixtures.Path("predict", model), "*.json").Order(StringComparer.Ordinal)
            select (model, Path.GetFileNameWithoutExtension(file))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Is_upstreams(string model, string name)
    {
        PredictCase recorded = PredictCase.Read(Fixtures.Path("predict", model, name + ".json"));

        PredictResult result = PredictResult.Run(recorded, models.Load(model), TestContext.Current.CancellationToken);

        Assert.Null(result.Mismatch);
        Assert.True(result.Passed, $"IoU {result.LowestIou}, text {result.TextEqual}, ids {result.IdsEqual}");
        Assert.True(result.SegError < 1e-4, $"[SEG] vectors differ by {result.SegError:E2} of their largest element.");
    }

    /// <summary>
    /// Answers with a mask that may fall short of the bound in bf16: level sets of the noise that untrained checkpoints give, of which a
    /// few logits lie at zero, or three pixels of a ring behind another shape (docs/fidelity.md#in-bf16). Nothing else may.
    /// </summary>
    private static readonly string[] Short =
    [
        "internvl-internlm2/video-6", "internvl-internlm2/video-9-two", "internvl-6b-vit/gcg-169", "internvl-6b-vit/video-6",
        "sa2va-tiny-shapes/video-48-ring",
    ];

    /// <summary>
    /// Answers of which a mask is another of the decoder's candidates, so that no bound holds. In the first the predicted IoUs of both are
    /// 0.747 and 0.752; the second is not explained yet. <c>sa2va verify</c> counts them, and those above, as failed.
    /// </summary>
    private static readonly string[] OtherMasks = ["internvl-internlm2/seg-34-13tiles", "internvl-qwen2/video-3-seg"];

    /// <summary>The trained checkpoint's too; its long clips in a full run only.</summary>
    public static TheoryData<string, string> CasesInBFloat16()
    {
        TheoryData<string, string> cases = Cases();
        foreach (string file in Directory.GetFiles(Fixtures.Path("predict", "sa2va-tiny-shapes"), "*.json").Order(StringComparer.Ordinal))
            if (FullRun.IsAsked || !Path.GetFileName(file).StartsWith("video-48", StringComparison.Ordinal))
                cases.Add("sa2va-tiny-shapes", Path.GetFileNameWithoutExtension(file));
        return cases;
    }

    [Theory]
    [MemberData(nameof(CasesInBFloat16))]
    public void In_bf16_text_and_tokens_are_upstreams_and_masks_nearly(string model, string name)
    {
        PredictCase recorded = PredictCase.Read(Fixtures.Path("predict", model, name + ".json"));

        PredictResult result = PredictResult.Run(recorded, models.Load(model, Precision.BFloat16), TestContext.Current.CancellationToken);

        Assert.Null(result.Mismatch);
        Assert.True(result.TextEqual && result.IdsEqual);
        // Of the checkpoint without recorded bf16 errors no bound is known that its noise could keep to.
        bool mayFallShort = Short.Contains($"{model}/{name}") || model == "internvl-qwen2-phi3";
        if (mayFallShort) Assert.True(result.LowestIou >= 0.6, $"IoU {result.LowestIou}, {result.Worst}");
        else if (!OtherMasks.Contains($"{model}/{name}"))
            Assert.True(result.Passed, $"IoU {result.LowestIou}, {result.Bound}, {result.Worst}");
        // 16-bit numbers are seen in the result: nothing of this was computed in float32.
        if (recorded.SegEmbeddings.Count > 0) Assert.InRange(result.SegError, 1e-4, 0.03);
    }

    /// <summary>Each checkpoint is loaded once.</summary>
    public sealed class LoadedModels : IDisposable
    {
        private readonly Dictionary<(string, Precision), Sa2VAModel> _models = [];

        public Sa2VAModel Load(string name, Precision precision = Precision.Float32)
        {
            if (!_models.TryGetValue((name, precision), out Sa2VAModel? model))
                _models[(name, precision)] = model = Sa2VAModel.Load(Fixtures.Model(name), new CpuDevice { Precision = precision });
            return model;
        }

        public void Dispose()
        {
            foreach (Sa2VAModel model in _models.Values) model.Dispose();
        }
    }
}
