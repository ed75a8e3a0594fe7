using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

public sealed class VerifierTests
{
    [Fact]
    public void A_folder_stands_for_its_golden_files_in_order()
    {
        using TestGolden golden = TestGolden.Linear();
        string b = golden.Save("b.safetensors"), a = golden.Save("a.safetensors");
        golden.Metadata["format"] = "pt";
        golden.Save("model.safetensors");
        File.WriteAllText(Path.Combine(golden.Folder, "notes.txt"), "no golden");

        Assert.Equal([a, b], Verifier.Expand([golden.Folder]));
        Assert.Equal([b, a, b], Verifier.Expand([b, golden.Folder]));
        using var verifier = new Verifier();
        Assert.All(verifier.Run([golden.Folder], TestContext.Current.CancellationToken), r => Assert.Equal(StageStatus.Passed, r.Status));
    }

    [Fact]
    public void Results_come_one_by_one()
    {
        using TestGolden golden = TestGolden.Linear();
        string good = golden.Save("a.safetensors"), broken = Path.Combine(golden.Folder, "b.safetensors");
        File.WriteAllText(broken, "no tensors");
        using var verifier = new Verifier();
        using IEnumerator<StageResult> results = verifier.Run([good, broken], TestContext.Current.CancellationToken).GetEnumerator();

        Assert.True(results.MoveNext());
        Assert.Equal(StageStatus.Passed, results.Current.Status);
        Assert.Throws<CheckpointException>(() => results.MoveNext());
    }

    [Fact]
    public void A_missing_path_is_named()
    {
        using var verifier = new Verifier();
        string missing = Path.Combine(Path.GetTempPath(), "no-such-golden");

        var e = Assert.Throws<CheckpointException>(() => verifier.Run([missing], TestContext.Current.CancellationToken).Count());
        Assert.Contains(missing, e.Message);
    }

    [Theory]
    [InlineData("op.no_such_op", "")]
    [InlineData("net.no_such_network", "qwen2_5-vl")]
    public void What_the_engine_lacks_is_skipped_and_never_passed(string stage, string model)
    {
        using TestGolden golden = TestGolden.Linear();
        (golden.Metadata["stage"], golden.Metadata["model"]) = (stage, model);

        StageResult result = golden.Verify();

        Assert.Equal(StageStatus.Skipped, result.Status);
        Assert.NotNull(result.SkipReason);
        Assert.Empty(result.Checks);
    }

    [Theory]
    [InlineData("no-such-model")]
    [InlineData("../models")]
    [InlineData("..")]
    [InlineData("synthetic:no-such-preset")]
    public void An_unknown_model_is_refused(string model)
    {
        using TestGolden golden = TestGolden.Linear();
        (golden.Metadata["stage"], golden.Metadata["model"]) = ("block.mlp1", model);

        Assert.Throws<CheckpointException>(() => golden.Verify());
    }

    [Fact]
    public void A_stage_that_needs_a_model_says_so()
    {
        using TestGolden golden = TestGolden.Linear();
        golden.Metadata["stage"] = "block.mlp1";

        Assert.Throws<CheckpointException>(() => golden.Verify());
    }

    [Theory]
    [InlineData("op.layer_norm", "{}")]
    [InlineData("op.layer_norm", """{"eps": "small"}""")]
    [InlineData("op.sine_position", """{"channels": 65536, "height": 65536, "width": 65536}""")]
    [InlineData("op.sine_position", """{"channels": 0, "height": 1, "width": 1}""")]
    [InlineData("op.interpolate_bilinear", """{"height": -1, "width": 5}""")]
    [InlineData("net.tiling", """{"tile": 16}""")]
    public void Missing_inputs_and_parameters_are_typed_errors(string stage, string json)
    {
        using TestGolden golden = TestGolden.Linear();
        (golden.Metadata["stage"], golden.Metadata["params"]) = (stage, json);

        Assert.Throws<CheckpointException>(() => golden.Verify());
    }

    [Fact]
    public void Cancelling_stops()
    {
        using TestGolden golden = TestGolden.Linear();
        using var verifier = new Verifier();
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.Throws<OperationCanceledException>(() => verifier.Run([golden.Save()], source.Token).Count());
    }

    [Fact]
    public void A_new_device_is_made_for_each_model()
    {
        if (!Fixtures.Exists("goldens", "internvl-internlm2")) Assert.Skip("no checkpoint goldens");
        int made = 0;
        using TestGolden linear = TestGolden.Linear();
        using var verifier = new Verifier(new VerifierOptions
        {
            CreateBackend = _ =>
            {
                made++;
                return new Cpu.CpuBackend(new Cpu.CpuOptions { Threads = 1 });
            },
        });
        string block = Fixtures.Path("goldens", "internvl-internlm2", "block-cx_block.safetensors");

        foreach (string path in (string[])[block, block, linear.Save(), block])
            Assert.Equal(StageStatus.Passed, verifier.Verify(path, TestContext.Current.CancellationToken).Status);
        Assert.Equal(2, made);
    }
}
