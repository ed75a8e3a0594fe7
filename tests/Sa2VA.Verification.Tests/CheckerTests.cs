using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

/// <summary>A check that cannot fail proves nothing: here each must.</summary>
public sealed class CheckerTests
{
    [Fact]
    public void A_right_record_passes()
    {
        using TestGolden golden = TestGolden.Linear();

        StageResult result = golden.Verify();

        Assert.Equal(StageStatus.Passed, result.Status);
        TensorCheck check = Assert.Single(result.Checks);
        Assert.Equal(("out.y", 2L), (check.Name, check.Count));
    }

    [Theory]
    [InlineData("out.y", 1)]
    [InlineData("w.weight", 1)]
    [InlineData("w.bias", 0)]
    [InlineData("in.x", 3)]
    public void A_changed_number_fails(string tensor, int element)
    {
        using TestGolden golden = TestGolden.Linear().Disturb(tensor, element);

        Assert.Equal(StageStatus.Failed, golden.Verify().Status);
    }

    [Fact]
    public void An_output_of_another_shape_fails()
    {
        using TestGolden golden = TestGolden.Linear().Remove("out.y").Add("out.y", [1, 2], [18, 28]);

        StageResult result = golden.Verify();

        Assert.Equal(StageStatus.Failed, result.Status);
        Assert.Contains("[2, 1]", Assert.Single(result.Checks).Problem);
    }

    [Fact]
    public void An_output_that_the_engine_does_not_give_fails()
    {
        using TestGolden golden = TestGolden.Linear().Add("out.z", [1], [0]);

        StageResult result = golden.Verify();

        Assert.Equal(StageStatus.Failed, result.Status);
        Assert.Contains(result.Checks, c => c.Name == "out.z" && c.Problem is not null);
    }

    [Fact]
    public void Not_a_number_fails()
    {
        using TestGolden golden = TestGolden.Linear().Remove("in.x").Add("in.x", [2, 2], [1, 2, float.NaN, 4]);

        StageResult result = golden.Verify();

        Assert.Equal(StageStatus.Failed, result.Status);
        Assert.True(double.IsNaN(Assert.Single(result.Checks).MaxError));
    }

    [Fact]
    public void A_weight_that_is_not_finite_is_refused()
    {
        using TestGolden golden = TestGolden.Linear().Remove("w.bias").Add("w.bias", [1], [float.NaN]);

        Assert.Contains("'w.bias' [1] holds NaN", Assert.Throws<CheckpointException>(() => golden.Verify()).Message);
    }

    [Fact]
    public void An_engine_error_is_a_failure()
    {
        // x and weight do not fit: the engine refuses to record the op.
        using TestGolden golden = TestGolden.Linear().Remove("w.weight").Add("w.weight", [1, 3], [1, 2, 3]);

        StageResult result = golden.Verify();

        Assert.Equal(StageStatus.Failed, result.Status);
        Assert.Contains("weight", Assert.Single(result.Checks).Problem);
    }

    [Fact]
    public void Copies_must_be_exact()
    {
        using var golden = new TestGolden();
        golden.Metadata["stage"] = "op.pixel_shuffle";
        golden.Metadata["params"] = """{"version": "v2"}""";
        golden.Add("in.x", [2, 2, 1], [1, 2, 3, 4]).Add("out.y", [1, 4], [1, 2, MathF.BitIncrement(3), 4]);

        StageResult result = golden.Verify();

        Assert.Equal(StageStatus.Failed, result.Status);
        Assert.True(Assert.Single(result.Checks).IsExact);
    }

    [Fact]
    public void A_changed_checkpoint_fails()
    {
        string model = Fixtures.Model("internvl-internlm2"),
            path = Fixtures.Path("goldens", "internvl-internlm2", "block-cx_block.safetensors");
        using TestGolden golden = TestGolden.CopyOf(path);
        string folder = Path.Combine(golden.Folder, "model");
        Directory.CreateDirectory(folder);
        File.Copy(Path.Combine(model, "config.json"), Path.Combine(folder, "config.json"));
        foreach (string file in Directory.EnumerateFiles(model, "*.safetensors"))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        foreach (string file in Directory.EnumerateFiles(model, "*.index.json"))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        Assert.Equal(StageStatus.Passed, golden.Verify(folder).Status);

        string tensor = golden.Metadata["prefix"] + "pwconv2.bias";
        string shard = Directory.EnumerateFiles(folder, "*.safetensors").Single(f => Holds(f, tensor));
        using (TestGolden weights = TestGolden.CopyOf(shard))
        {
            weights.SetFirst(tensor);
            File.Copy(weights.Save(), shard, overwrite: true);
        }

        Assert.Equal(StageStatus.Failed, golden.Verify(folder).Status);

        static bool Holds(string file, string tensor)
        {
            using var opened = new Sa2VA.Models.SafetensorsFile(file);
            return opened.Contains(tensor);
        }
    }

    /// <summary>Every output of every stage that the bundled fixtures hold.</summary>
    public static TheoryData<string, string> Outputs()
    {
        var data = new TheoryData<string, string>();
        var stages = new HashSet<string>();
        foreach (string folder in (string[])["ops", "internvl-internlm2", "internvl-qwen2", "internvl-6b-vit"])
        {
            if (!Fixtures.Exists("goldens", folder)) continue;
            foreach (string path in Directory.EnumerateFiles(Fixtures.Path("goldens", folder), "*.safetensors")
                .Order(StringComparer.Ordinal))
            {
                using var golden = new GoldenFile(path);
                if (stages.Add(golden.Stage))
                    foreach (string output in golden.OutputNames) data.Add(folder + "/" + Path.GetFileName(path), output);
            }
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Outputs))]
    public void Every_output_is_compared(string file, string output)
    {
        string path = Fixtures.Path(["goldens", .. file.Split('/')]);
        string folder = file.Split('/')[0];
        using TestGolden golden = TestGolden.CopyOf(path).Disturb("out." + output);

        StageResult result = golden.Verify(Fixtures.Model(folder));

        Assert.Equal(StageStatus.Failed, result.Status);
        Assert.All(result.Checks, c => Assert.Equal(!IsOf(c, output), c.Passed));

        static bool IsOf(TensorCheck check, string output) =>
            check.Name == $"out.{output}" || check.Name.StartsWith($"out.{output} (", StringComparison.Ordinal);
    }
}
