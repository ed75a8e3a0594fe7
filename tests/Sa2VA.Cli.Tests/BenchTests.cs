using System.Text.Json;

namespace Sa2VA.Cli.Tests;

public class BenchTests
{
    [Fact]
    public void Measures_the_chosen_stages_and_the_ceilings()
    {
        CliRun run = CliRun.Of("bench", "--model", CliRun.Toy, "--stages", "memory-attention,vision-tower", "--runs", "2", "--json",
            "--device", "cpu", "--precision", "bf16", "--threads", "1", "--simd", "128");
        Assert.Equal(0, run.Code);
        JsonElement[] lines = run.Json;
        Assert.Equal(["memory-attention", "vision-tower"], lines[1..].Select(l => l.GetProperty("stage").GetString()));
        Assert.Equal(("cpu", "bf16", 1, 128), (lines[0].GetProperty("device").GetString(), lines[0].GetProperty("precision").GetString(),
            lines[0].GetProperty("threads").GetInt32(), lines[0].GetProperty("simd_bits").GetInt32()));
    }

    [Fact]
    public void Kernels_and_a_trace_are_written_where_they_are_asked_for()
    {
        using var folder = new ScratchFolder();
        string[] args = ["bench", "--model", CliRun.Toy, "--stages", "mask-decoder", "--runs", "1", "--device", "cpu", "--kernels",
            "--trace", folder.At("trace.json"), "--markdown", folder.At("table.md")];
        CliRun run = CliRun.Of([.. args, "--json"]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        JsonElement[] kernels = [.. run.Json.Where(l => l.GetProperty("type").GetString() == "kernel")];
        Assert.Equal(run.Json.Length - 2, kernels.Length);
        Assert.Equal(1, kernels.Sum(k => k.GetProperty("share").GetDouble()), 9);
        using JsonDocument trace = JsonDocument.Parse(File.ReadAllText(folder.At("trace.json")));
        Assert.Equal(kernels.Sum(k => k.GetProperty("launches").GetInt32()),
            trace.RootElement.GetProperty("traceEvents").EnumerateArray().Count(e => e.GetProperty("ph").GetString() == "X"));
        Assert.Contains("mask-decoder: kernels ", File.ReadAllText(folder.At("table.md")), StringComparison.Ordinal);
        Assert.Contains("mask-decoder: kernels ", CliRun.Of(args).Out, StringComparison.Ordinal);
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "cpu", "--trace", folder.Path).AssertRefused("--trace");
    }

    [Fact]
    public void Compares_with_a_result_of_before()
    {
        using var folder = new ScratchFolder();
        string[] args = ["bench", "--model", CliRun.Toy, "--device", "cpu", "--stages", "mask-decoder", "--runs", "2"];
        CliRun before = CliRun.Of([.. args, "--kernels", "--json", "--markdown", folder.At("old.md")]);
        Assert.Equal((0, ""), (before.Code, before.Error));
        File.WriteAllText(folder.At("old.json"), before.Out);
        foreach (string old in (string[])["old.json", "old.md"])
        {
            CliRun run = CliRun.Of([.. args, "--kernels", "--json", "--compare", folder.At(old)]);
            Assert.Equal((0, ""), (run.Code, run.Error));
            JsonElement[] changes = [.. run.Json.Where(l => l.GetProperty("type").GetString() == "change")];
            Assert.Equal(run.Json.Length - changes.Length + 1, changes.Length);
            Assert.All(changes, c => Assert.True(c.GetProperty("ratio").GetDouble() > 0));
        }
        CliRun table = CliRun.Of([.. args, "--compare", folder.At("old.json"), "--markdown", folder.At("new.md")]);
        Assert.Equal(0, table.Code);
        Assert.Contains("Before: sa2va-tiny-shapes on ", table.Out, StringComparison.Ordinal);
        Assert.Contains("| Stage | Kernel | Moved | Before |", File.ReadAllText(folder.At("new.md")), StringComparison.Ordinal);
        // What a comparison wrote is a result too.
        Assert.Equal(0, CliRun.Of([.. args, "--compare", folder.At("new.md")]).Code);
        File.WriteAllText(folder.At("words.txt"), "| Stage |\n");
        CliRun.Of([.. args, "--compare", folder.At("words.txt")]).AssertRefused("words.txt", "no result of bench");
        CliRun.Of([.. args, "--compare", folder.At("none")]).AssertRefused("cannot be read");
    }

    [Fact]
    public void Refuses_both_or_neither_source_and_unknown_stages()
    {
        CliRun.Of("bench").AssertRefused("--model");
        CliRun.Of("bench", "--model", CliRun.Toy, "--preset", "sa2va-1b").AssertRefused("--model");
        CliRun.Of("bench", "--model", CliRun.Toy, "--stages", "dreaming").AssertRefused("dreaming");
        CliRun.Of("bench", "--preset", "sa2va-99b").AssertRefused("sa2va-99b");
    }

    [Fact]
    public void A_virtual_GPU_tells_what_a_card_would_take()
    {
        CliRun run = CliRun.Of("bench", "--model", CliRun.Toy, "--device", "virtual:rtx4090", "--precision", "bf16", "--stages", "decode",
            "--json");
        Assert.Equal((0, ""), (run.Code, run.Error));
        JsonElement[] lines = run.Json;
        Assert.All(lines, l => Assert.True(l.GetProperty("modelled").GetBoolean()));
        Assert.Equal("Virtual RTX 4090", lines[0].GetProperty("description").GetString()![..16]);
        Assert.Equal(["machine", "stage", "kernel"], lines.Select(l => l.GetProperty("type").GetString()).Distinct());
        Assert.All(lines[2..], l => Assert.NotEmpty(l.GetProperty("limit").GetString()!));
    }

    /// <summary>Few blocks of a launch stand for all, but each object's mask is chosen: the choice leads what comes behind it.</summary>
    [Fact]
    public void A_virtual_GPU_has_masks_chosen_for_all_objects()
    {
        CliRun run = CliRun.Of("bench", "--model", CliRun.Toy, "--device", "virtual:h100", "--precision", "bf16", "--stages", "tracked-8",
            "--json");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Contains(run.Json, l => l.GetProperty("type").GetString() == "stage" && l.GetProperty("modelled").GetBoolean());
    }

    [Fact]
    public void Refuses_what_does_not_go_with_a_GPU()
    {
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "virtual", "--runs", "3").AssertRefused("modelled from one run");
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "virtual", "--stages", "frame").AssertRefused("cannot be modelled");
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "virtual", "--simd", "256").AssertRefused("--simd is for the CPU");
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "cuda", "--simd", "256").AssertRefused("--simd is for the CPU");
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "cuda", "--threads", "2").AssertRefused("--threads is for the CPU");
    }
}
