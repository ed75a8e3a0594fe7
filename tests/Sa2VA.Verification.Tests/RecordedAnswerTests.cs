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

    /// <summary>Each checkpoint is loaded once.</summary>
    public sealed class LoadedModels : IDisposable
    {
        private readonly Dictionary<string, Sa2VAModel> _models = [];

        public Sa2VAModel Load(string name)
        {
            if (!_models.TryGetValue(name, out Sa2VAModel? model))
                _models[name] = model = Sa2VAModel.Load(Fixtures.Model(name), new CpuDevice());
            return model;
        }

        public void Dispose()
        {
            foreach (Sa2VAModel model in _models.Values) model.Dispose();
        }
    }
}
