using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;

namespace Sa2VA.Cli.Tests;

public class InspectTests
{
    [Fact]
    public void Shows_family_dimensions_tensors_and_memory()
    {
        CliRun run = CliRun.Of("inspect", "--model", CliRun.Toy);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.All((string[])["InternVL", "qwen_chat", "tiles of 112×112", "Qwen2, width 144", "SAM 2 at 192×192", "grounding_encoder",
            "3,325,546", "Missing: none",
            "Extra (not used): none", "segmentation, per object", "Needs about"], s =>
                Assert.Contains(s, run.Out, StringComparison.Ordinal));
    }

    [Fact]
    public void More_tokens_need_more_memory()
    {
        string small = CliRun.Of("inspect", "--model", CliRun.Toy, "--tokens", "1024").Out,
            large = CliRun.Of("inspect", "--model", CliRun.Toy, "--tokens", "8192").Out;
        Assert.Contains("language model, 1024 tokens", small, StringComparison.Ordinal);
        Assert.True(Needs(large) > Needs(small));
    }

    private static double Needs(string text) =>
        double.Parse(text[(text.IndexOf("Needs about ", StringComparison.Ordinal) + 12)..].Split(' ')[0],
            System.Globalization.CultureInfo.InvariantCulture);

    [Fact]
    public void Tells_what_a_card_would_hold_that_is_not_there()
    {
        string[] inspect = ["inspect", "--model", CliRun.Toy, "--device", "virtual:rtx4090"];
        (CliRun wide, CliRun narrow) = (CliRun.Of(inspect), CliRun.Of([.. inspect, "--precision", "bf16"]));
        Assert.Equal((0, ""), (wide.Code, wide.Error));
        Assert.Contains("RTX 4090, which has 25", wide.Out, StringComparison.Ordinal);
        Assert.True(Needs(narrow.Out) < Needs(wide.Out));
    }

    [Fact]
    public void Lists_what_is_missing_misshapen_and_extra()
    {
        using var folder = new ScratchFolder();
        foreach (string file in Directory.GetFiles(CliRun.Toy)) File.Copy(file, folder.At(Path.GetFileName(file)));
        Break(folder.At("model.safetensors"));
        CliRun run = CliRun.Of("inspect", "--model", folder.Path);
        Assert.Equal(2, run.Code);
        Assert.Contains("Missing: 1", run.Out, StringComparison.Ordinal);
        Assert.Contains("  mlp1.0.bias", run.Out, StringComparison.Ordinal);
        Assert.Contains("Extra (not used): 1", run.Out, StringComparison.Ordinal);
        Assert.Contains("  mlp1.0.bios", run.Out, StringComparison.Ordinal);
        Assert.Contains("Of another shape: 1", run.Out, StringComparison.Ordinal);
        Assert.Contains("  mlp1.1.bias: stored BF16 [1, 144], needs [144]", run.Out, StringComparison.Ordinal);
        string line = Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("1 is missing and 1 has another shape", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("qwen2_5-vl", "Qwen2.5-VL", "windows of 112 pixels but in 2 layers, a token for 28×28 pixels, at most 2048")]
    [InlineData("qwen3-vl", "Qwen3-VL", "rows for 3 layers of the language model, a token for 32×32 pixels, at most 1568")]
    public void A_tower_for_pictures_of_any_size_is_described(string name, string family, string tower)
    {
        Assert.SkipUnless(Fixtures.Exists("models", name, "model.safetensors"), "not among the fixtures of this clone");
        CliRun run = CliRun.Of("inspect", "--model", Fixtures.Path("models", name));
        Assert.Equal(0, run.Code);
        Assert.Contains(family, run.Out, StringComparison.Ordinal);
        Assert.Contains(tower, run.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("absent", "'absent'")]
    public void What_is_not_there_is_refused(string model, string part) => CliRun.Of("inspect", "--model", model)
        .AssertRefused(part, "hf download");

    /// <summary>Renames one tensor and gives another a different rank; data stay as they are.</summary>
    private static void Break(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int length = (int)MemoryMarshal.Read<long>(file);
        JsonObject header = JsonNode.Parse(Encoding.UTF8.GetString(file, 8, length))!.AsObject();
        JsonNode bias = header["mlp1.0.bias"]!.DeepClone();
        header.Remove("mlp1.0.bias");
        header["mlp1.0.bios"] = bias;
        header["mlp1.1.bias"]!["shape"] = new JsonArray(1, 144);
        byte[] text = Encoding.UTF8.GetBytes(header.ToJsonString());
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)text.Length), .. text, .. file[(8 + length)..]]);
    }
}
