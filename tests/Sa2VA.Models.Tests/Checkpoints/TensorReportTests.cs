using Sa2VA.Tests;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models.Tests;

public class TensorReportTests
{
    [Theory]
    [InlineData("internvl-qwen2")]
    [InlineData("internvl-qwen2-phi3")]
    [InlineData("internvl-internlm2")]
    [InlineData("internvl-6b-vit")]
    [InlineData("sa2va-tiny-shapes")]
    public void Every_tensor_of_a_checkpoint_is_expected(string name)
    {
        string folder = Fixtures.Model(name);
        Assert.SkipUnless(Directory.Exists(folder), "Not among the fixtures that every clone carries.");
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        TensorReport report = TensorReport.Of(Sa2VAConfig.Read(folder), checkpoint);
        Assert.Empty(report.Missing);
        Assert.Empty(report.Extra);
        Assert.Empty(report.Misshapen);
        report.ThrowUnlessUsable(folder);
    }

    [Fact]
    public void The_released_1b_has_the_recorded_tensors()
    {
        string file = Fixtures.Path("goldens", "synthetic", "sa2va-1b-tensors.json");
        Assert.SkipUnless(File.Exists(file), "Not among the fixtures that every clone carries.");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
        Dictionary<string, Shape> expected = ExpectedTensors.Of(SyntheticPresets.Get("sa2va-1b")).ToDictionary(t => t.Name, t => t.Shape);
        int count = 0;
        foreach (JsonProperty p in document.RootElement.EnumerateObject())
        {
            count++;
            Assert.True(expected.TryGetValue(p.Name, out Shape shape), p.Name);
            Assert.Equal(new Shape([.. p.Value.EnumerateArray().Select(d => d.GetInt32())]), shape);
        }
        Assert.Equal(1541, count);
        Assert.Equal(count, expected.Count);
    }

    [Fact]
    public void Missing_extra_and_misshapen_tensors_are_listed_by_name()
    {
        string folder = Fixtures.Model("sa2va-tiny-shapes");
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        Sa2VAConfig other = config with
        {
            Vision = config.Vision with { Layers = 4 },
            Language = config.Language with { IntermediateSize = 380, Layers = 2 },
        };
        TensorReport report = TensorReport.Of(other, checkpoint);
        Assert.Contains("vision_model.encoder.layers.3.ls1", report.Missing);
        Assert.Contains("language_model.model.layers.2.input_layernorm.weight", report.Extra);
        Assert.Contains(report.Misshapen, m => m.StartsWith("language_model.model.layers.0.mlp.up_proj.weight: stored BF16 [376, 144], needs [380, 144]", StringComparison.Ordinal));
        var error = Assert.Throws<CheckpointException>(() => report.ThrowUnlessUsable(folder));
        Assert.Contains("vision_model.encoder.layers.3", error.Message, StringComparison.Ordinal);
    }
}
