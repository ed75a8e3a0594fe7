using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;

namespace Sa2VA.Cli.Tests;

/// <summary><c>inspect --scan</c>: values that are not finite are found, wherever they are.</summary>
public class ScanTests
{
    [Fact]
    public void Sound_weights_are_said_to_be_finite()
    {
        CliRun run = CliRun.Of("inspect", "--model", CliRun.Toy, "--scan");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Contains("every value is finite", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Each_such_tensor_is_listed_with_counts_and_place()
    {
        using var folder = new ScratchFolder();
        foreach (string file in Directory.GetFiles(CliRun.Toy)) File.Copy(file, folder.At(Path.GetFileName(file)));
        byte[] bytes = File.ReadAllBytes(folder.At("model.safetensors"));
        (long start, int columns) = Place(bytes, "language_model.model.layers.1.mlp.down_proj.weight");
        foreach ((int index, ushort value) in ((int, ushort)[])[((2 * columns) + 5, 0x7FC0), ((2 * columns) + 6, 0xFF80),
            ((3 * columns) + 1, 0xFFFF)])
            MemoryMarshal.Write(bytes.AsSpan((int)start + (index * 2)), value);
        File.WriteAllBytes(folder.At("model.safetensors"), bytes);
        CliRun run = CliRun.Of("inspect", "--model", folder.Path, "--scan");
        Assert.Equal(2, run.Code);
        Assert.Matches(@"language_model\.model\.layers\.1\.mlp\.down_proj\.weight: BF16 \[144, \d+\], "
            + @"2 NaN, 1 infinite, the first at \[2, 5\], in model\.safetensors", run.Out);
        string line = Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("in 1 tensor: language_model.model.layers.1.mlp.down_proj.weight", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Progress_has_rate_and_remaining_time_and_it_can_be_stopped()
    {
        using var error = new StringWriter();
        var terminal = new Terminal(TextReader.Null, TextWriter.Null, error, TestContext.Current.CancellationToken, errorIsTerminal: true);
        Assert.Equal(0, Program.Run(["inspect", "--model", CliRun.Toy, "--scan"], terminal));
        Assert.Contains("Scanning: ", error.ToString(), StringComparison.Ordinal);
        CliRun run = CliRun.With((text, cancel) =>
        {
            if (text.StartsWith("Needs about", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, "inspect", "--model", CliRun.Toy, "--scan");
        Assert.Equal((130, "sa2va: Cancelled."), (run.Code, run.Error.Trim()));
    }

    private static (long Start, int Columns) Place(byte[] file, string tensor)
    {
        int length = (int)MemoryMarshal.Read<long>(file);
        JsonNode entry = JsonNode.Parse(Encoding.UTF8.GetString(file, 8, length))![tensor]!;
        return (8 + length + entry["data_offsets"]![0]!.GetValue<long>(), entry["shape"]![1]!.GetValue<int>());
    }
}
