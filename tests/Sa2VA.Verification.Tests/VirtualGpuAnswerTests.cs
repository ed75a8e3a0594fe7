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

    /// <summary>
    /// Answers with a mask that falls short of an IoU of 0.99 in bf16, and the IoU that it reaches: level sets of noise, as on the CPU
    /// (<see cref="RecordedAnswerTests"/>), of which other pixels fall otherwise.
    /// </summary>
    private static readonly Dictionary<string, double> Reached = new()
    {
        ["internvl-qwen2/gcg-169"] = 0.9685,
        ["internvl-qwen2/seg-34-13tiles"] = 0.9747,
        // Beside the mask that is another candidate.
        ["internvl-qwen2/video-3-seg"] = 0.9871,
        ["internvl-qwen2/video-5"] = 0.8955,
        ["internvl-qwen2/video-6"] = 0.9875,
        ["internvl-qwen2/video-9-two"] = 0.9649,
        ["internvl-internlm2/two-wide"] = 0.9678,
        ["internvl-internlm2/video-3-seg"] = 0.9856,
        ["internvl-internlm2/video-5"] = 0.9891,
        ["internvl-internlm2/video-6"] = 0.8752,
        ["internvl-internlm2/video-9-two"] = 0.9519,
        ["internvl-qwen2-phi3/chat-unicode"] = 0.9746,
        ["internvl-qwen2-phi3/follow-up"] = 0.9776,
        ["internvl-qwen2-phi3/gcg-169"] = 0.9643,
        ["internvl-qwen2-phi3/regions-seg"] = 0.9706,
        ["internvl-qwen2-phi3/seg-34-13tiles"] = 0.7619,
        ["internvl-qwen2-phi3/seg-43-13tiles"] = 0.9268,
        ["internvl-qwen2-phi3/seg-sq"] = 0.9819,
        ["internvl-qwen2-phi3/two-wide"] = 0.9448,
        ["internvl-qwen2-phi3/video-1"] = 0.9631,
        ["internvl-qwen2-phi3/video-3-seg"] = 0.8866,
        ["internvl-qwen2-phi3/video-5"] = 0.9801,
        ["internvl-qwen2-phi3/video-6"] = 0.9373,
        ["internvl-qwen2-phi3/video-9-two"] = 0.9346,
        ["internvl-6b-vit/gcg-169"] = 0.9276,
        ["internvl-6b-vit/video-1"] = 0.9893,
        ["internvl-6b-vit/video-5"] = 0.9874,
        ["internvl-6b-vit/video-6"] = 0.9798,
        ["qwen2_5-vl/image-gcg"] = 0.9874,
        ["qwen2_5-vl/image-seg-in-prompt"] = 0.965,
        ["qwen2_5-vl/image-tall"] = 0.9763,
        ["qwen2_5-vl/image-unicode"] = 0.9875,
        ["qwen2_5-vl/image-wide"] = 0.9648,
        ["qwen2_5-vl/video-7"] = 0.9897,
        ["qwen3-vl/image-gcg"] = 0.9748,
        ["qwen3-vl/image-wide"] = 0.9876,
        ["qwen3-vl/video-7"] = 0.9854,
    };

    /// <summary>[SEG] vectors are within 0.03 of their largest element, but for this answer's.</summary>
    private static readonly Dictionary<string, double> SegErrors = new() { ["internvl-qwen2-phi3/gcg-169"] = 0.0318 };

    [Theory]
    [MemberData(nameof(CasesInBFloat16))]
    public void In_bf16_text_and_tokens_are_upstreams_and_masks_nearly(string model, string name)
    {
        PredictResult result = Run(model, name, Precision.BFloat16);
        Assert.True(result.TextEqual && result.IdsEqual, $"text {result.TextEqual}, ids {result.IdsEqual}");
        bool isShort = Reached.TryGetValue($"{model}/{name}", out double reached);
        RecordedAnswerTests.OtherChoice? other = RecordedAnswerTests.OtherChoices.GetValueOrDefault($"{model}/{name}");
        Assert.True(result.Passed == (!isShort && other is null), $"IoU {result.LowestIou}, {result.Worst}");
        if (isShort && other is null)
            Assert.True(result.LowestIou >= reached, $"IoU {result.LowestIou}, {reached} before, {result.Worst}");
        other?.AssertIsAllThatDiffers(result.Case, result, isShort ? reached : result.Bound.Lowest);
        double most = SegErrors.GetValueOrDefault($"{model}/{name}", 0.03);
        Assert.True(result.SegError < most, $"[SEG] vectors differ by {result.SegError:E2} of their largest element.");
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
