using System.Text.Json;
using System.Text.Json.Nodes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

/// <summary>Checkpoints of other families and other forms are refused by what they are.</summary>
public class ConfigFamilyTests
{
    [Theory]
    [InlineData("""{"architectures":["Sa2VAChatModelQwen"],"model_type":"sa2va_chat","text_config":{"model_type":"qwen3_vl_moe_text"}}""",
        "'qwen3_vl_moe_text'")]
    [InlineData("""{"architectures":["Sa2VAChatModelQwen"],"vision_config":{"model_type":"qwen2_vl"}}""", "'qwen2_vl'")]
    [InlineData("""{"architectures":["Qwen2_5_VLForConditionalGeneration"],"model_type":"qwen2_5_vl"}""", "'qwen2_5_vl'")]
    public void Another_kind_of_qwen_vl_is_refused_beside_those_that_are_read(string json, string kind)
    {
        string message = Refused(json);
        Assert.Contains(kind, message, StringComparison.Ordinal);
        Assert.Contains("InternVL, Qwen2.5-VL, Qwen3-VL", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"architectures":["LlamaForCausalLM"],"model_type":"llama"}""", "LlamaForCausalLM")]
    [InlineData("""{"model_type":"internvl_chat"}""", "internvl_chat")]
    [InlineData("{}", "no Sa2VA checkpoint")]
    [InlineData("""{"architectures":"Sa2VAChatModel"}""", "architectures")]
    [InlineData("""{"architectures":[7]}""", "architectures")]
    [InlineData("""{"architectures":["Sa2VAChatModel"],"model_type":{}}""", "model_type")]
    [InlineData("""{"architectures":["Sa2VAChatModel"],"model_type":"sa2va_chat"}""", "template")]
    [InlineData("[]", "no JSON object")]
    [InlineData("null", "no JSON object")]
    public void Another_kind_of_file(string json, string why) => Assert.Contains(why, Refused(json), StringComparison.Ordinal);

    [Theory]
    [InlineData("llm_config.architectures", """["LlamaForCausalLM"]""")]
    [InlineData("llm_config.architectures", """["Phi3ForCausalLM"]""")]
    [InlineData("llm_config.architectures", "[]")]
    [InlineData("llm_config.architectures", "null")]
    [InlineData("llm_config.hidden_act", "\"relu\"")]
    [InlineData("llm_config.use_sliding_window", "true")]
    [InlineData("llm_config.use_sliding_window", "1")]
    [InlineData("llm_config.rope_scaling", """{"type":"yarn","factor":4.0}""")]
    [InlineData("llm_config.rope_scaling", """{"rope_type":"linear","factor":4.0}""")]
    [InlineData("llm_config.rope_scaling", "{}")]
    [InlineData("llm_config.rope_scaling", "2")]
    [InlineData("llm_config", "[]")]
    [InlineData("llm_config", "null")]
    [InlineData("vision_config", "null")]
    [InlineData("vision_config.norm_type", "\"batch_norm\"")]
    [InlineData("vision_config.hidden_act", "\"gelu_tanh\"")]
    [InlineData("vision_config.qkv_bias", "\"yes\"")]
    [InlineData("grounding_config", "\"hiera_l\"")]
    [InlineData("grounding_config.stages", "[1,1]")]
    [InlineData("grounding_config.stages", "[1,1,1,1,1]")]
    [InlineData("grounding_config.global_att_blocks", "[6]")]
    [InlineData("grounding_config.global_att_blocks", "[2]")]
    [InlineData("template", "7")]
    [InlineData("ps_version", "\"v3\"")]
    [InlineData("downsample_ratio", "0.25")]
    [InlineData("force_image_size", "100")]
    [InlineData("use_llm_lora", "128")]
    [InlineData("use_backbone_lora", "1")]
    public void What_the_engine_does_not_compute_is_refused_by_name(string path, string value)
    {
        var root = JsonNode.Parse(
            File.ReadAllText(Path.Combine(Fixtures.Repository, "samples", "models", "sa2va-tiny-shapes", "config.json")))!;
        string[] parts = path.Split('.');
        (parts.Length == 2 ? root[parts[0]]! : root)[parts[^1]] = JsonNode.Parse(value);
        Assert.Contains(parts[^1], Refused(root.ToJsonString()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"type":"dynamic","factor":2.0}""")]
    [InlineData("""{"rope_type":"default"}""")]
    public void Rope_scaling_that_is_the_identity_is_read(string scaling)
    {
        var root = JsonNode.Parse(
            File.ReadAllText(Path.Combine(Fixtures.Repository, "samples", "models", "sa2va-tiny-shapes", "config.json")))!;
        root["llm_config"]!["rope_scaling"] = JsonNode.Parse(scaling);
        using JsonDocument document = JsonDocument.Parse(root.ToJsonString());
        Assert.Equal(8192, Sa2VAConfig.Read(document.RootElement, "config.json").Language.MaxPositions);
    }

    private static string Refused(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        string message = Assert.Throws<CheckpointException>(() => Sa2VAConfig.Read(document.RootElement, "config.json")).Message;
        Assert.Contains("config.json", message, StringComparison.Ordinal);
        return message;
    }
}
