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

    /// <summary>
    /// Masks of noise differ in a few pixels from backend to backend (<see cref="GoldenTests"/> has the CPU's); all else keeps its
    /// tolerance.
    /// </summary>
    [Theory]
    [MemberData(nameof(Files))]
    public void Is_computed_in_bf16_as_well_as_the_reference_does(string file)
    {
        StageResult result = GoldenTests.Compute(shared.InBFloat16, file);
        GoldenTests.AssertPassed(result, result.Checks.Where(c => c.LowestIou is null));
        Assert.All(result.Checks.Where(c => c.LowestIou is not null), c => Assert.True(c.LowestIou >= 0.9, $"{c.Name}: IoU {c.LowestIou}"));
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
