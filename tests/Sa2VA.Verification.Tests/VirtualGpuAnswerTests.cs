using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Engine;
using Sa2VA.Tests;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// Whole answers of the CUDA backend on a virtual GPU: language model, [SEG] vectors, masks and tracking, with captured graphs and the
/// queues, pools and batches above them. All of them with <c>./test --full</c>, of each checkpoint a few otherwise.
/// </summary>
public sealed class VirtualGpuAnswerTests(VirtualGpuAnswerTests.LoadedModels models) : IClassFixture<VirtualGpuAnswerTests.LoadedModels>
{
    private static readonly string[] Usual =
    [
        "internvl-internlm2/video-3-seg", "internvl-internlm2/follow-up", "internvl-qwen2/seg-sq", "internvl-qwen2/video-5",
        "internvl-qwen2-phi3/regions-seg", "internvl-6b-vit/gcg-169",
    ];

    public static TheoryData<string, string> Cases() =>
        [.. RecordedAnswerTests.Cases().Select(row => row.Data).Where(c => FullRun.IsAsked || Usual.Contains($"{c.Item1}/{c.Item2}"))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Is_upstreams(string model, string name)
    {
        PredictResult result = Run(model, name, Precision.Float32);
        Assert.True(result.Passed, $"IoU {result.LowestIou}, text {result.TextEqual}, ids {result.IdsEqual}");
        Assert.True(result.SegError < 1e-4, $"[SEG] vectors differ by {result.SegError:E2} of their largest element.");
    }

    /// <summary>What takes longest, the frames of a video, has bf16 in three frames and in recorded computations.</summary>
    public static TheoryData<string, string> CasesInBFloat16() =>
        [.. Cases().Select(row => row.Data).Where(c => FullRun.IsAsked || c.Item2 != "video-5")];

    /// <summary>Masks of noise have no bound here: which of them fall short differs from backend to backend.</summary>
    [Theory]
    [MemberData(nameof(CasesInBFloat16))]
    public void In_bf16_text_and_tokens_are_upstreams(string model, string name)
    {
        PredictResult result = Run(model, name, Precision.BFloat16);
        Assert.True(result.TextEqual && result.IdsEqual, $"text {result.TextEqual}, ids {result.IdsEqual}");
        Assert.True(result.SegError < 0.03, $"[SEG] vectors differ by {result.SegError:E2} of their largest element.");
    }

    private PredictResult Run(string model, string name, Precision precision)
    {
        PredictCase recorded = PredictCase.Read(Fixtures.Path("predict", model, name + ".json"));
        PredictResult result = PredictResult.Run(recorded, models.Load(model, precision), TestContext.Current.CancellationToken);
        Assert.Null(result.Mismatch);
        return result;
    }

    /// <summary>Each checkpoint is loaded once.</summary>
    public sealed class LoadedModels : IDisposable
    {
        private readonly VirtualDriver _driver = new(new VirtualDriverOptions
        {
            Execution = new VirtualDeviceOptions { Checks = false, CountMemory = false },
        });

        private readonly Dictionary<(string, Precision), Sa2VAModel> _models = [];

        public Sa2VAModel Load(string name, Precision precision)
        {
            var device = new CudaDevice(new CudaDriver(_driver.Name, _driver.Export)) { Precision = precision };
            if (!_models.TryGetValue((name, precision), out Sa2VAModel? model))
                _models[(name, precision)] = model = Sa2VAModel.Load(Fixtures.Model(name), device);
            return model;
        }

        public void Dispose()
        {
            foreach (Sa2VAModel model in _models.Values) model.Dispose();
            Assert.Equal(default, _driver.Live);
            _driver.Dispose();
        }
    }
}
