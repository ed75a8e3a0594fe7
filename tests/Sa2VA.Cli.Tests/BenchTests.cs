using System.Text.Json;

namespace Sa2VA.Cli.Tests;

public class BenchTests
{
    [Fact]
    public void Measures_the_chosen_stages_and_the_ceilings()
    {
        CliRun run = CliRun.Of("bench", "--model", CliRun.Toy, "--stages", "memory-attention,vision-tower", "--runs", "2", "--json");
        Assert.Equal(0, run.Code);
        JsonElement[] lines = run.Json;
        Assert.Equal(["memory-attention", "vision-tower"], lines[1..].Select(l => l.GetProperty("stage").GetString()));
    }

    [Fact]
    public void Refuses_both_or_neither_source_and_unknown_stages()
    {
        CliRun.Of("bench").AssertRefused("--model");
        CliRun.Of("bench", "--model", CliRun.Toy, "--preset", "sa2va-1b").AssertRefused("--model");
        CliRun.Of("bench", "--model", CliRun.Toy, "--stages", "dreaming").AssertRefused("dreaming");
        CliRun.Of("bench", "--preset", "sa2va-99b").AssertRefused("sa2va-99b");
    }
}
