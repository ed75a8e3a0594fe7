namespace Sa2VA.Cli.Tests;

/// <summary><c>sa2va quantize</c>, and the commands that read what it writes.</summary>
public sealed class QuantizeTests : IDisposable
{
    private readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("int8", "22 matrices of 768,240 weights in 8 bits")]
    [InlineData("int4", "21 matrices of 653,184 weights in 4 bits, 1 matrix of 115,056 weights in 8 bits")]
    public void What_is_written_runs_in_its_own_precision(string precision, string matrices)
    {
        string made = _folder.At("made");
        CliRun run = CliRun.Of("quantize", "--model", CliRun.Toy, "--to", precision, "--out", made);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Contains($"22 matrices in {precision}, 6.7 MB of weights became", run.Out, StringComparison.Ordinal);

        CliRun inspected = CliRun.Of("inspect", "--model", made);
        Assert.Equal((0, ""), (inspected.Code, inspected.Error));
        Assert.Contains($"Quantised: {precision}, {matrices}", inspected.Out, StringComparison.Ordinal);
        Assert.Contains("Missing: none", inspected.Out, StringComparison.Ordinal);
        Assert.Equal(Needs(CliRun.Of("inspect", "--model", CliRun.Toy, "--precision", precision).Out), Needs(inspected.Out));
        foreach (string other in (string[])["f32", "bf16", precision == "int8" ? "int4" : "int8"])
            CliRun.Of("chat", "--model", made, "--precision", other, "--prompt", "Hi").AssertRefused(precision, other, "--precision");
        CliRun.Of("bench", "--model", made, "--precision", "bf16").AssertRefused(precision, "bf16");

        string[] ask = ["chat", "--prompt", "What is this?", "--max-tokens", "3", "--model"];
        CliRun stored = CliRun.Of([.. ask, made]), loaded = CliRun.Of([.. ask, CliRun.Toy, "--precision", precision]);
        Assert.Equal((0, loaded.Out), (stored.Code, stored.Out));
    }

    [Fact]
    public void Cancelled_it_leaves_nothing()
    {
        using var cancel = new CancellationTokenSource();
        cancel.Cancel();
        Assert.Equal(130, Program.Run(["quantize", "--model", CliRun.Toy, "--out", _folder.At("out")], TextWriter.Null, TextWriter.Null,
            cancellation: cancel.Token));
        Assert.Empty(_folder.Entries);
    }

    [Fact]
    public void Bad_input_is_refused()
    {
        File.WriteAllText(_folder.At("mine.txt"), "mine");
        CliRun.Of("quantize", "--model", CliRun.Toy, "--to", "int2", "--out", _folder.At("out")).AssertRefused("int8 or int4");
        CliRun.Of("quantize", "--model", CliRun.Toy, "--to", "int8", "--out", _folder.Path).AssertRefused("holds files");
        CliRun.Of("quantize", "--model", _folder.At("absent"), "--to", "int8", "--out", _folder.At("out")).AssertRefused("absent");
        CliRun.Of("quantize", "--model", CliRun.Toy, "--to", "int8").AssertRefused("--out");
        Assert.Equal(["mine.txt"], _folder.Entries);
    }

    private static string Needs(string text) => text[text.IndexOf("Needs about ", StringComparison.Ordinal)..];
}
