using System.Text.Json;
using System.Text.Json.Nodes;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Families;

/// <summary>config.json of the Qwen-VL kinds.</summary>
public sealed class QwenVlConfigTests
{
    [Fact]
    public void Both_kinds_are_read()
    {
        Sa2VAConfig windows = Sa2VAConfig.Read(Fixtures.Model("qwen2_5-vl")), deep = Sa2VAConfig.Read(Fixtures.Model("qwen3-vl"));
        Assert.Equal(("qwen2_5-vl", "qwen3-vl"), (windows.Family.Name, deep.Family.Name));
        var v = (QwenVisionConfig)windows.Vision;
        Assert.Equal((14, 4, 2048, true, false), (v.PatchSize, v.WindowTokens, v.MaxTokens, v.IsWindowed(0), v.IsWindowed(1)));
        v = (QwenVisionConfig)deep.Vision;
        Assert.Equal((16, 0, 1568, 24), (v.PatchSize, v.WindowTokens, v.MaxTokens, v.PositionGrid));
        Assert.Equal([0, 1, 2], v.DeepstackLayers);
        Assert.Equal(new RotarySections(2, 3, 3, false), windows.Language.Rotary);
        Assert.Equal(new RotarySections(6, 5, 5, true), deep.Language.Rotary);
        Assert.Equal((LanguageKind.Qwen2, true, false), (windows.Language.Kind, windows.Language.Bias, windows.Language.SegBeforeNorm));
        Assert.Equal((LanguageKind.Qwen3, false, true), (deep.Language.Kind, deep.Language.Bias, deep.Language.SegBeforeNorm));
        Assert.Equal((0, 3), (windows.Language.DeepstackLayers, deep.Language.DeepstackLayers));
        Assert.Equal(32, deep.Language.HeadDim);
    }

    [Fact]
    public void Frequencies_follow_their_axes()
    {
        // The released sections: T, H, W one after the other; in turns, and the rest time.
        var sections = new RotarySections(16, 24, 24, Interleaved: false);
        Assert.Equal([0, 0, 1, 1, 2, 2], new[] { 0, 15, 16, 39, 40, 63 }.Select(sections.AxisOf));
        sections = new RotarySections(24, 20, 20, Interleaved: true);
        Assert.Equal([0, 1, 2, 0, 1, 2, 0, 0, 0, 0], new[] { 0, 1, 2, 57, 58, 59, 60, 61, 62, 63 }.Select(sections.AxisOf));
    }

    [Theory]
    [InlineData("architectures", null)]
    [InlineData("text_config.architectures", null)]
    [InlineData("text_config.rope_scaling.type", "\"mrope\"")]
    [InlineData("text_config.rope_scaling.rope_type", null)]
    [InlineData("vision_config.in_channels", null)]
    public void What_other_versions_of_transformers_write_is_read(string path, string? value)
    {
        JsonNode root = Change("qwen2_5-vl", path, value);
        if (path == "architectures") root["text_config"]!["architectures"] = new JsonArray("Sa2VAChatModelQwen");
        Assert.Equal("qwen2_5-vl", Read(root).Family.Name);
    }

    [Theory]
    [InlineData("qwen2_5-vl", "text_config.rope_scaling.mrope_section", "[2,3,4]")]
    [InlineData("qwen2_5-vl", "text_config.rope_scaling.mrope_section", "[8,0]")]
    [InlineData("qwen2_5-vl", "text_config.rope_scaling", null)]
    [InlineData("qwen2_5-vl", "vision_config.spatial_merge_size", "4")]
    [InlineData("qwen2_5-vl", "vision_config.temporal_patch_size", "1")]
    [InlineData("qwen2_5-vl", "vision_config.hidden_act", "\"gelu\"")]
    [InlineData("qwen2_5-vl", "vision_config.window_size", "20")]
    [InlineData("qwen2_5-vl", "vision_config.fullatt_block_indexes", "[4]")]
    [InlineData("qwen2_5-vl", "vision_config.fullatt_block_indexes", null)]
    [InlineData("qwen2_5-vl", "vision_config.out_hidden_size", "65")]
    [InlineData("qwen2_5-vl", "vision_config.num_heads", "5")]
    [InlineData("qwen2_5-vl", "vision_config.depth", null)]
    [InlineData("qwen3-vl", "vision_config.num_position_embeddings", "577")]
    [InlineData("qwen3-vl", "vision_config.deepstack_visual_indexes", "[1,0]")]
    [InlineData("qwen3-vl", "vision_config.deepstack_visual_indexes", "[0,4]")]
    [InlineData("qwen3-vl", "text_config.use_sliding_window", "true")]
    [InlineData("qwen3-vl", "grounding_config.stages", "[1]")]
    public void What_the_engine_does_not_compute_is_refused_by_name(string model, string path, string? value)
    {
        string message = Assert.Throws<CheckpointException>(() => Read(Change(model, path, value))).Message;
        Assert.Contains("'config.json'", message, StringComparison.Ordinal);
        string[] parts = path.Split('.');
        Assert.Contains(parts[1], message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sa2va-qwen2_5-vl-3b", 3_396_014_080)]
    [InlineData("sa2va-qwen2_5-vl-7b", 7_612_792_320)]
    [InlineData("sa2va-qwen3-vl-4b", 4_410_082_816)]
    public void Presets_have_the_released_sizes_and_read_back(string name, long languageParameters)
    {
        Sa2VAConfig preset = SyntheticPresets.Get(name);
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream)) SyntheticConfigFile.Write(json, preset);
        using JsonDocument document = JsonDocument.Parse(stream.ToArray());
        Assert.Equivalent(preset, Sa2VAConfig.Read(document.RootElement, "config.json"), strict: true);

        IReadOnlyList<(string Name, Shape Shape)> tensors = CheckpointTensors.Of(preset);
        Assert.Equal(languageParameters, tensors.Where(t => t.Name.Contains("language_model", StringComparison.Ordinal)
            || t.Name.Contains("lm_head", StringComparison.Ordinal)).Sum(t => t.Shape.Count));
        // 415,347,712 parameters of Qwen3-VL-4B's tower are published; those of Qwen2.5-VL are about 669 and 677 million.
        long vision = tensors.Where(t => t.Name.Contains(".visual.", StringComparison.Ordinal)).Sum(t => t.Shape.Count);
        if (name == "sa2va-qwen3-vl-4b") Assert.Equal(415_347_712, vision);
        else Assert.Equal(name.EndsWith("3b", StringComparison.Ordinal) ? 669 : 677, Math.Round(vision / 1e6));
    }

    private static JsonNode Change(string model, string path, string? value)
    {
        JsonNode root = JsonNode.Parse(File.ReadAllText(Path.Combine(Fixtures.Model(model), "config.json")))!;
        string[] parts = path.Split('.');
        JsonNode at = root;
        foreach (string part in parts[..^1]) at = at[part]!;
        if (value is null) at.AsObject().Remove(parts[^1]);
        else at[parts[^1]] = JsonNode.Parse(value);
        return root;
    }

    private static Sa2VAConfig Read(JsonNode root)
    {
        using JsonDocument document = JsonDocument.Parse(root.ToJsonString());
        return Sa2VAConfig.Read(document.RootElement, "config.json");
    }
}
