using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// Every recorded computation that is present, one test per file. Full-size synthetic ones are left to <c>sa2va verify</c>.
/// </summary>
public sealed class GoldenTests(GoldenTests.SharedVerifier shared) : IClassFixture<GoldenTests.SharedVerifier>
{
    public static TheoryData<string> Files()
    {
        var data = new TheoryData<string>();
        string root = Fixtures.Path("goldens");
        foreach (string folder in Directory.EnumerateDirectories(root).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(folder);
            if (name == "synthetic" || name.StartsWith("qwen", StringComparison.Ordinal)) continue;
            foreach (string file in Directory.EnumerateFiles(folder, "*.safetensors").Order(StringComparer.Ordinal))
                data.Add(name + "/" + Path.GetFileName(file));
        }
        return data;
    }

    /// <summary>
    /// Files in which bf16 may choose otherwise than float32: the recorded numbers are nearer to each other than it can tell.
    /// </summary>
    private static readonly string[] Ties =
    [
        "internvl-qwen2/llm_prefill.safetensors", "internvl-qwen2-phi3/llm_prefill.safetensors",
        "internvl-qwen2-phi3/video-t12.safetensors",
    ];

    [Theory]
    [MemberData(nameof(Files))]
    public void Is_computed_as_recorded(string file)
    {
        StageResult result = Verify(shared.InFloat, file);
        Assert.Equal(StageStatus.Passed, result.Status);
        Assert.Equal(0, result.Ties);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Is_computed_in_bf16_as_well_as_the_reference_does(string file)
    {
        StageResult result = Verify(shared.InBFloat16, file);
        Assert.Equal(Ties.Contains(file) ? StageStatus.Tied : StageStatus.Passed, result.Status);
        // Recorded computations have rules of two kinds; integers and copies have none.
        Assert.All(result.Checks.Where(c => c.Count > 0 && !c.IsExact), c => Assert.NotNull(c.Rule));
    }

    internal static StageResult Verify(Verifier verifier, string file)
    {
        StageResult result = verifier.Verify(Fixtures.Path(["goldens", .. file.Split('/')]), TestContext.Current.CancellationToken);

        Assert.Null(result.SkipReason);
        Assert.NotEmpty(result.Checks);
        foreach (TensorCheck c in result.Checks)
        {
            string errors = $"max {c.MaxError:E2} of {c.MaxAllowed:E2}, rms {c.RmsError:E2} of {c.RmsAllowed:E2}";
            Assert.True(c.Passed, $"{result.Stage} {c.Name}: {c.Problem ?? errors}");
        }
        return result;
    }

    /// <summary>Keeps checkpoints and packed weights from test to test.</summary>
    public sealed class SharedVerifier : IDisposable
    {
        public Verifier InFloat { get; } = new();

        public Verifier InBFloat16 { get; } = new(new VerifierOptions
        {
            CreateBackend = () => new CpuBackend(new CpuOptions { Precision = Precision.BFloat16 }),
        });

        public void Dispose()
        {
            InFloat.Dispose();
            InBFloat16.Dispose();
        }
    }
}
