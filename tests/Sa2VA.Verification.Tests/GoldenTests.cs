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

    [Theory]
    [MemberData(nameof(Files))]
    public void Is_computed_as_recorded(string file)
    {
        StageResult result = shared.Verifier.Verify(Fixtures.Path(["goldens", .. file.Split('/')]), TestContext.Current.CancellationToken);

        Assert.Null(result.SkipReason);
        Assert.NotEmpty(result.Checks);
        foreach (TensorCheck c in result.Checks)
        {
            string errors = $"max {c.MaxError:E2} of {c.MaxAllowed:E2}, rms {c.RmsError:E2} of {c.RmsAllowed:E2}";
            Assert.True(c.Passed, $"{result.Stage} {c.Name}: {c.Problem ?? errors}");
        }
        Assert.Equal(StageStatus.Passed, result.Status);
    }

    /// <summary>Keeps checkpoints and packed weights from test to test.</summary>
    public sealed class SharedVerifier : IDisposable
    {
        public Verifier Verifier { get; } = new();

        public void Dispose() => Verifier.Dispose();
    }
}
