using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

/// <summary>The presets have gigabytes; what is written is tested where small ones can be made, with the writer itself.</summary>
public class SynthesizeTests
{
    [Fact]
    public void Cancelled_it_leaves_nothing()
    {
        using var folder = new ScratchFolder();
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        using var output = new StringWriter();
        Assert.Equal(130, Program.Run(["synthesize", "--preset", "sa2va-1b", "--out", folder.At("out")], output, TextWriter.Null,
            cancellation: cancel.Token));
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("mine.txt"), "mine");
        CliRun.Of("synthesize", "--preset", "sa2va-2b", "--out", folder.At("out")).AssertRefused("'sa2va-2b'", "sa2va-1b");
        CliRun.Of("synthesize", "--preset", "sa2va-1b", "--out", folder.Path).AssertRefused("holds files");
        CliRun.Of("synthesize", "--preset", "sa2va-1b", "--out", folder.At("out"), "--tokenizer", folder.At("absent"))
            .AssertRefused("absent");
        Assert.Equal(["mine.txt"], folder.Entries);
    }

    [Fact]
    public void Help_lists_the_presets()
    {
        string help = CliRun.Of("synthesize", "--help").Out;
        Assert.All(SyntheticPresets.Names, n => Assert.Contains(n, help, StringComparison.Ordinal));
    }
}
