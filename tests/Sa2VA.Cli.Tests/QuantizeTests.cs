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
    public void Verify_computes_with_each_checkpoint_in_its_own_precision()
    {
        const string Name = "internvl-internlm2", Golden = "block-internlm2_layer0-decode.safetensors", Case = "text-only.json";
        string model = _folder.At("models", Name), golden = _folder.At("goldens", Name, Golden), answer = _folder.At("predict", Name, Case);
        foreach (string file in (string[])[golden, answer]) Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.Copy(Fixtures.Path("goldens", Name, Golden), golden);
        File.Copy(Fixtures.Path("predict", Name, Case), answer);
        Assert.Equal(0, CliRun.Of("quantize", "--model", Fixtures.Path("models", Name), "--to", "int8", "--out", model).Code);
        // What is not of this checkpoint is computed as it always is.
        string[] verify = ["verify", "--json", "--goldens", golden, answer, Fixtures.Path("goldens", "ops", "linear-1x64x48.safetensors"),
            Fixtures.Path("predict", "sa2va-tiny-shapes", "text-hello.json")];
        CliRun run = CliRun.Of(verify);
        Assert.Equal(0, run.Code);
        Assert.Contains("are computed with in int8", Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
        double[] errors = [.. run.Json.Where(l => l.GetProperty("type").GetString() == "golden")
            .Select(l => l.GetProperty("tensors").EnumerateArray().Max(t => t.GetProperty("rms_error").GetDouble()))];
        Assert.InRange(errors[0], 1e-3, 1);
        Assert.InRange(errors[1], 0, 1e-6);
        CliRun given = CliRun.Of("verify", "--json", "--goldens", golden, "--model", model);
        Assert.Equal(0, given.Code);
        Assert.Equal(run.Json[0].GetProperty("tensors").GetRawText(), given.Json[0].GetProperty("tensors").GetRawText());
        CliRun.Of([.. verify[..4], "--precision", "f32"]).AssertRefusedWithJson("leave out --precision");
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
