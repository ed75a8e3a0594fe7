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
    public void Refuses_both_or_neither_source_and_unknown_stages()
    {
        CliRun.Of("bench").AssertRefused("--model");
        CliRun.Of("bench", "--model", CliRun.Toy, "--preset", "sa2va-1b").AssertRefused("--model");
        CliRun.Of("bench", "--model", CliRun.Toy, "--stages", "dreaming").AssertRefused("dreaming");
        CliRun.Of("bench", "--preset", "sa2va-99b").AssertRefused("sa2va-99b");
    }

    [Fact]
    public void Refuses_what_does_not_go_with_a_GPU()
    {
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "virtual").AssertRefused("no GPU's", "--device cuda or cpu");
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "cuda", "--simd", "256").AssertRefused("--simd is for the CPU");
        CliRun.Of("bench", "--model", CliRun.Toy, "--device", "cuda", "--threads", "2").AssertRefused("--threads is for the CPU");
    }
}
