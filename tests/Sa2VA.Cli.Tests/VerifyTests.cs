using System.Text.Json;

namespace Sa2VA.Cli.Tests;

public class VerifyTests
{
    private static string Bundled(params string[] parts) => Path.Combine([Fixtures.Repository, "tests", "fixtures", .. parts]);

    private static string Case => Directory.EnumerateFiles(Bundled("predict", "internvl-internlm2"), "*.json")
        .Order(StringComparer.Ordinal).First();

    private static string Op => Directory.EnumerateFiles(Bundled("goldens", "ops"), "linear*.safetensors").Order(StringComparer.Ordinal)
        .First();

    [Fact]
    public void Prints_errors_against_tolerances_and_a_summary()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of("verify", "--goldens", Op, Case, "--markdown", folder.At("summary.md"));
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Matches(@"y: max \d.*e-\d\d of \d.*e-\d\d, rms \d.*e-\d\d of \d.*e-\d\d", run.Out);
        Assert.Contains("2 passed, 0 failed, 0 skipped", run.Out, StringComparison.Ordinal);
        string[] markdown = File.ReadAllLines(folder.At("summary.md"));
        Assert.Contains(markdown, l => l.StartsWith("| `op.linear` | 1 | 0 | 1 |", StringComparison.Ordinal));
        Assert.Contains(markdown, l => l.StartsWith("| `internvl-internlm2` | 1 | 0 | 1 |", StringComparison.Ordinal));
        Assert.Equal("2 passed, 0 failed, 0 skipped.", markdown[^1]);
    }

    [Fact]
    public void Json_has_a_line_per_file_and_a_summary()
    {
        CliRun run = CliRun.Of("verify", "--json", "--goldens", Op, "--goldens", Case);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal(["golden", "predict", "summary"], run.Json.Select(l => l.GetProperty("type").GetString()!));
        JsonElement tensor = run.Json[0].GetProperty("tensors")[0];
        Assert.True(tensor.GetProperty("max_error").GetDouble() <= tensor.GetProperty("max_allowed").GetDouble());
        Assert.True(run.Json[1].GetProperty("text_equal").GetBoolean());
        Assert.Equal(2, run.Json[2].GetProperty("passed").GetInt32());
    }

    [Fact]
    public void In_bf16_it_says_by_which_rule_and_counts_ties_apart()
    {
        string encoder = Bundled("goldens", "internvl-internlm2", "image_encoder.safetensors");
        CliRun run = CliRun.Of("verify", "--precision", "bf16", "--goldens", encoder, Op, Case);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Matches(@"out\.f: max .* of 2 × the reference's own bf16\)", run.Out);
        Assert.Matches(@"out\.c1: max .* of net\.\*\)", run.Out);
        Assert.Contains("3 passed, 0 failed, 0 skipped", run.Out, StringComparison.Ordinal);
        run = CliRun.Of("verify", "--precision", "bf16", "--json", "--goldens", encoder, Case);
        Assert.Contains(run.Json[0].GetProperty("tensors").EnumerateArray(), t => t.GetProperty("rms_error").GetDouble() > 1e-4);
        Assert.Equal(0.99, run.Json[1].GetProperty("lowest_allowed").GetDouble());
        Assert.Equal((0, 0), (run.Json[2].GetProperty("tied").GetInt32(), run.Json[2].GetProperty("ties").GetInt32()));
    }

    [Fact]
    public void In_bf16_a_mask_below_its_IoU_fails_and_is_told_with_what_the_reference_reaches()
    {
        string golden = Bundled("goldens", "internvl-internlm2", "video-t1.safetensors");
        string answer = Bundled("predict", "internvl-internlm2", "two-wide.json");
        CliRun run = CliRun.Of("verify", "--precision", "bf16", "--goldens", golden, answer, Case);
        Assert.Equal(1, run.Code);
        const string Told = @"lowest IoU 0\.9\d+, .*at least 0\.990.* \(the reference's own bf16 with this checkpoint: 0\.95878\)";
        Assert.Matches(@"out\.low, masks: " + Told + "  <- outside", run.Out);
        Assert.Matches("2 objects, " + Told + @", predicted IoUs to choose by recorded 0\.16873 apart", run.Out);
        Assert.Equal(2, run.Out.Split("the reference's own bf16 with").Length - 1);
        Assert.Contains("1 passed, 2 failed, 0 skipped", run.Out, StringComparison.Ordinal);

        run = CliRun.Of("verify", "--precision", "bf16", "--json", "--goldens", golden, answer);
        IEnumerable<JsonElement> tensors = run.Json[0].GetProperty("tensors").EnumerateArray();
        JsonElement[] masks = [tensors.Single(t => t.TryGetProperty("lowest_iou", out _)), run.Json[1]];
        Assert.All(masks, m => Assert.InRange(m.GetProperty("lowest_iou").GetDouble(), 0.9, 0.99));
        Assert.All(masks, m => Assert.Equal(0.95878, m.GetProperty("reference_lowest_iou").GetDouble()));
        Assert.Equal(0.16873, run.Json[1].GetProperty("min_iou_gap").GetDouble(), 1e-5);
    }

    [Fact]
    public void A_wrong_value_fails()
    {
        using var folder = new ScratchFolder();
        byte[] golden = File.ReadAllBytes(Op);
        // The last stored float is an output or a weight; either way the comparison must notice.
        BitConverter.GetBytes(1e6f).CopyTo(golden, golden.Length - 4);
        File.WriteAllBytes(folder.At("wrong.safetensors"), golden);
        CliRun run = CliRun.Of("verify", "--goldens", folder.Path, Op);
        Assert.Equal(1, run.Code);
        Assert.Contains("FAIL", run.Out, StringComparison.Ordinal);
        Assert.Contains("1 passed, 1 failed, 0 skipped", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_case_of_another_model_fails_with_this_one()
    {
        CliRun run = CliRun.Of("verify", "--model", CliRun.Toy, "--goldens", Case, "--json");
        Assert.Equal(1, run.Code);
        Assert.Equal("failed", run.Json[0].GetProperty("status").GetString());
    }

    [Fact]
    public void With_only_skipped_files_nothing_was_verified()
    {
        using var folder = new ScratchFolder();
        byte[] golden = File.ReadAllBytes(Fixtures.Path("goldens", "ops", "linear-1x64x48.safetensors"));
        int at = golden.AsSpan().IndexOf("\"op.linear\""u8);
        "\"op.absent\""u8.CopyTo(golden.AsSpan(at));
        File.WriteAllBytes(folder.At("golden.safetensors"), golden);
        CliRun run = CliRun.Of("verify", "--goldens", folder.At("golden.safetensors"));
        Assert.Equal(1, run.Code);
        Assert.Contains("Nothing was verified", run.Error, StringComparison.Ordinal);
        Assert.Contains("0 passed, 0 failed, 1 skipped", run.Out, StringComparison.Ordinal);
        Assert.Contains("the engine has no stage 'op.absent'", run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("absent", "'absent'")]
    [InlineData("EMPTY", "neither a golden file nor a predict case")]
    [InlineData("JUNK.safetensors", "JUNK.safetensors")]
    [InlineData("JUNK.json", "JUNK.json")]
    public void Bad_input_is_refused(string path, string part)
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("EMPTY"));
        File.WriteAllText(folder.At("JUNK.safetensors"), "no golden");
        File.WriteAllText(folder.At("JUNK.json"), "{}");
        string[] before = folder.Entries;
        CliRun.Of("verify", "--goldens", path == "absent" ? path : folder.At(path), "--markdown", folder.At("summary.md"))
            .AssertRefused(part);
        Assert.Equal(before, folder.Entries);
    }

    [Fact]
    public void Ctrl_c_stops_and_writes_no_summary()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.With((_, cancel) => cancel.Cancel(), TextReader.Null, "verify", "--goldens", Bundled("goldens", "ops"),
            "--json", "--markdown", folder.At("summary.md"));
        Assert.Equal(130, run.Code);
        Assert.Equal(2, run.Json.Length);
        Assert.Empty(folder.Entries);
    }
}
