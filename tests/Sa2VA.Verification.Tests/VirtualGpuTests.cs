using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Tests;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>Recorded computations on the CUDA backend: the kernels that ship, executed by a virtual GPU.</summary>
public sealed class VirtualGpuTests(VirtualGpuTests.SharedVerifier shared) : IClassFixture<VirtualGpuTests.SharedVerifier>
{
    /// <summary>
    /// All files; of long videos one of twelve frames, by whose end the memory bank is full, the others only with <c>./test --full</c>.
    /// </summary>
    public static TheoryData<string> Files => [.. GoldenTests.Files().Select(row => row.Data).Where(f => FullRun.IsAsked || !IsLong(f))];

    private static bool IsLong(string file) => file.Contains("/video-t24", StringComparison.Ordinal)
        || file.Contains("/video-t12", StringComparison.Ordinal) && !file.StartsWith("internvl-qwen2-phi3/", StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(Files))]
    public void Is_computed_as_recorded(string file)
    {
        StageResult result = GoldenTests.Compute(shared.InFloat, file);
        GoldenTests.AssertPassed(result, result.Checks);
        Assert.Equal(StageStatus.Passed, result.Status);
        Assert.Equal(0, result.Ties);
    }

    /// <summary>Those in which bf16 chooses otherwise than float32 (<see cref="GoldenTests"/> says why).</summary>
    private static readonly string[] Ties = ["internvl-qwen2-phi3/llm_prefill.safetensors", "internvl-qwen2-phi3/video-t12.safetensors"];

    /// <summary>
    /// Files with a mask that falls short of an IoU of 0.99 in bf16, and the IoU that it reaches: level sets of noise, as on the CPU
    /// (<see cref="GoldenTests"/>), of which a few pixels fall otherwise. All else of them is as it should be.
    /// </summary>
    private static readonly Dictionary<string, double> Reached = new()
    {
        ["internvl-qwen2/track_step-t12-11.safetensors"] = 0.9846,
        ["internvl-qwen2/video-t1.safetensors"] = 0.9889,
        ["internvl-qwen2/video-t12.safetensors"] = 0.9626,
        ["internvl-qwen2/video-t24.safetensors"] = 0.9436,
        ["internvl-qwen2/video-t6.safetensors"] = 0.9677,
        ["internvl-internlm2/track_step-t12-11.safetensors"] = 0.9886,
        ["internvl-internlm2/video-t1.safetensors"] = 0.9844,
        ["internvl-internlm2/video-t12.safetensors"] = 0.9756,
        ["internvl-internlm2/video-t24.safetensors"] = 0.9746,
        ["internvl-internlm2/video-t5.safetensors"] = 0.9563,
        ["internvl-internlm2/video-t6.safetensors"] = 0.9825,
        ["internvl-qwen2-phi3/video-t12.safetensors"] = 0.9365,
        ["internvl-qwen2-phi3/video-t24.safetensors"] = 0.9629,
        ["internvl-qwen2-phi3/video-t3.safetensors"] = 0.9733,
        ["internvl-qwen2-phi3/video-t5.safetensors"] = 0.9333,
        ["internvl-qwen2-phi3/video-t6.safetensors"] = 0.9638,
        ["internvl-6b-vit/video-t24.safetensors"] = 0.9889,
        ["internvl-6b-vit/video-t6.safetensors"] = 0.9863,
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Is_computed_in_bf16_as_well_as_the_reference_does(string file)
    {
        StageResult result = GoldenTests.Compute(shared.InBFloat16, file);
        bool isShort = Reached.TryGetValue(file, out double reached);
        GoldenTests.AssertPassed(result, result.Checks.Where(c => !isShort || c.LowestIou is null));
        if (isShort) Assert.True(result.Checks.Min(c => c.LowestIou) >= reached);
        Assert.Equal(isShort, result.Status == StageStatus.Failed);
        Assert.Equal(Ties.Contains(file), result.Ties > 0);
    }

    /// <summary>Keeps checkpoints and uploaded weights from test to test.</summary>
    public sealed class SharedVerifier : IDisposable
    {
        private readonly VirtualDriver _driver = new(new VirtualDriverOptions
        {
            Execution = new VirtualDeviceOptions { Checks = false, CountMemory = false },
        });

        public SharedVerifier() => (InFloat, InBFloat16) = (Of(Precision.Float32), Of(Precision.BFloat16));

        public Verifier InFloat { get; }

        public Verifier InBFloat16 { get; }

        public void Dispose()
        {
            InFloat.Dispose();
            InBFloat16.Dispose();
            _driver.Dispose();
        }

        private Verifier Of(Precision precision) => new(new VerifierOptions
        {
            CreateBackend = _ => new CudaDevice(new CudaDriver(_driver.Name, _driver.Export)) { Precision = precision }.Open(),
        });
    }
}
