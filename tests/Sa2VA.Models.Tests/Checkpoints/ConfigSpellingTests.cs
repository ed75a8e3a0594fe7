using System.Text.Json;
using System.Text.Json.Nodes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

/// <summary>
/// A setting means the same under its older and its newer name; said twice it must agree; of a kind that is not computed it is refused
/// under every name; absent it is refused or has the default of upstream's class. What is read is compared with the untouched file's
/// configuration.
/// </summary>
public class ConfigSpellingTests
{
    private const string Same = "same", Rope = """{"rope_theta":1000000.0,"rope_type":"default"}""";

    private static readonly string Real =
        File.ReadAllText(Path.Combine(Fixtures.Repository, "samples", "models", "sa2va-tiny-shapes", "config.json"));

    /// <summary>
    /// Edits "path=value" (no value: removed) of the real file, and what follows: the same configuration, or a word of the refusal.
    /// </summary>
    public static TheoryData<string, string> Edits => new()
    {
        // rope_theta and rope_scaling, newer: rope_parameters, flat or by type of layer.
        { "llm_config.rope_theta", "rope_parameters.rope_theta" },
        { "llm_config.rope_theta=null", "rope_parameters.rope_theta" },
        { "llm_config.rope_theta=\"1e6\"", "rope_theta" },
        { "llm_config.rope_theta=0.5", "rope_theta" },
        { $"llm_config.rope_theta;llm_config.rope_scaling;llm_config.rope_parameters={Rope}", Same },
        { $"llm_config.rope_parameters={Rope}", Same },
        { """llm_config.rope_theta;llm_config.rope_parameters={"rope_theta":1000000}""", Same },
        { """llm_config.rope_theta;llm_config.rope_parameters={"full_attention":{"rope_theta":1e6,"rope_type":"default"}}""", Same },
        { "llm_config.rope_theta;llm_config.rope_parameters="
            + """{"full_attention":{"rope_theta":1e6},"sliding_attention":{"rope_theta":1e4}}""", Same },
        { """llm_config.rope_theta;llm_config.rope_parameters={"sliding_attention":{"rope_theta":1e6}}""", "rope_theta" },
        { """llm_config.rope_theta;llm_config.rope_scaling={"rope_type":"default","rope_theta":1e6}""", Same },
        { """llm_config.rope_parameters={"rope_theta":10000.0,"rope_type":"default"}""", "but rope_theta is 1000000" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"full_attention":{"rope_theta":1e4}}""",
            "rope_parameters.rope_theta is 1000000" },
        { """llm_config.rope_theta;llm_config.rope_parameters={"rope_type":"default"}""", "rope_theta" },
        { "llm_config.rope_theta;llm_config.rope_parameters={}", "rope_theta" },
        { "llm_config.rope_parameters=null", Same },
        { "llm_config.rope_parameters=3", "rope_parameters" },
        { """llm_config.rope_parameters={"rope_theta":"x"}""", "rope_parameters.rope_theta" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"rope_type":"dynamic","factor":2.0}""", Same },
        { """llm_config.rope_parameters={"rope_theta":1e6,"rope_type":"dynamic","factor":"2"}""", "factor" },
        { """llm_config.rope_scaling={"type":"dynamic","factor":2.0};llm_config.rope_parameters={"rope_type":"dynamic","factor":2.0}""",
            Same },
        { """llm_config.rope_scaling={"type":"dynamic","factor":2.0};llm_config.rope_parameters={"rope_type":"default"}""",
            "rope_scaling.type is 'dynamic'" },
        { """llm_config.rope_scaling={"type":"linear","rope_type":"dynamic"}""", "linear" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"rope_type":"linear","factor":2.0}""", "linear" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"rope_type":"yarn","factor":4.0}""", "yarn" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"type":"longrope"}""", "longrope" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"rope_type":"llama3","low_freq_factor":1.0}""", "rope_parameters" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"rope_type":"default","mrope_section":[4,4,4]}""", "mrope_section" },
        { """llm_config.rope_parameters={"full_attention":{"rope_theta":1e6,"rope_type":"yarn"}}""", "yarn" },
        { """llm_config.rope_scaling={"type":"dynamic","factor":2.0,"alpha":1000}""", "alpha" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"partial_rotary_factor":0.5}""", "partial_rotary_factor" },
        { """llm_config.rope_parameters={"rope_theta":1e6,"partial_rotary_factor":1.0}""", Same },
        { "llm_config.partial_rotary_factor=0.25", "partial_rotary_factor" },
        // Activation of the language model and of the tower, newer: hidden_activation.
        { "llm_config.hidden_act", Same },
        { "llm_config.hidden_act=null", Same },
        { "llm_config.hidden_act=1", "hidden_act" },
        { "llm_config.hidden_act=\"swish\"", Same },
        { "llm_config.hidden_act=\"gelu\"", "gelu" },
        { "llm_config.hidden_act;llm_config.hidden_activation=\"silu\"", Same },
        { "llm_config.hidden_activation=\"silu\"", Same },
        { "llm_config.hidden_activation=\"gelu_pytorch_tanh\"", "hidden_activation" },
        { "llm_config.hidden_act;llm_config.hidden_activation=\"relu2\"", "hidden_activation is 'relu2'" },
        { "vision_config.hidden_act;vision_config.hidden_activation=\"gelu\"", Same },
        { "vision_config.hidden_act;vision_config.hidden_activation=\"quick_gelu\"", "quick_gelu" },
        { "vision_config.hidden_activation=\"gelu_new\"", "hidden_activation" },
        // Biases, newer: attention_bias.
        { "llm_config.attention_bias=true", Same },
        { "llm_config.attention_bias=false", "attention_bias is false" },
        { "llm_config.attention_bias=null", Same },
        { "llm_config.attention_bias=\"yes\"", "attention_bias" },
        { "llm_config.mlp_bias=false", Same },
        { "llm_config.mlp_bias=true", "mlp_bias" },
        { "llm_config.mlp_bias=0", "mlp_bias" },
        { "vision_config.qkv_bias;vision_config.attention_bias=true", Same },
        { "vision_config.attention_bias=true", Same },
        { "vision_config.attention_bias=false", "attention_bias" },
        { "vision_config.qkv_bias;vision_config.attention_bias=1", "attention_bias" },
        { "vision_config.qk_normalization;vision_config.use_qk_norm=false", Same },
        { "vision_config.use_qk_norm=true", "use_qk_norm" },
        // Windows, newer: layer_types.
        { "llm_config.use_sliding_window", Same },
        { "llm_config.sliding_window=4096", Same },
        { "llm_config.use_sliding_window=true", "use_sliding_window" },
        { """llm_config.layer_types=["full_attention","full_attention","full_attention"]""", Same },
        { """llm_config.layer_types=["full_attention","sliding_attention","full_attention"]""", "sliding_attention" },
        { """llm_config.layer_types=["full_attention","full_attention"]""", "layer_types" },
        { """llm_config.layer_types=["linear_attention","full_attention","full_attention"]""", "linear_attention" },
        { """llm_config.layer_types="full_attention" """, "layer_types" },
        { "llm_config.layer_types=[1,2,3]", "layer_types" },
        // Sizes as lists.
        { "vision_config.image_size=[112,112];vision_config.patch_size=[14,14];force_image_size=[112,112]", Same },
        { "vision_config.image_size=[112,126]", "squares" },
        { "vision_config.image_size=[112]", "image_size" },
        { "vision_config.patch_size=[14,\"14\"]", "patch_size" },
        // The part's own name, newer: text_config.
        { "llm_config=>text_config", Same },
        { """text_config={"hidden_size":7}""", "text_config" },
        // Informational, of any value: what is stored decides.
        { "torch_dtype;dtype=\"float32\"", Same },
        { "dtype=\"float32\"", Same },
        { "llm_config.torch_dtype;llm_config.dtype=\"bfloat16\"", Same },
        { "llm_config.tie_word_embeddings", Same },
        { "tie_word_embeddings", Same },
        { "tie_word_embeddings=true", Same },
        { "llm_config.tie_word_embeddings=\"false\"", "tie_word_embeddings" },
        { "llm_config.attention_dropout=0.5;llm_config.use_cache=false;vision_config.drop_path_rate=0.3", Same },
        // Kinds.
        { "llm_config.model_type=\"llama\"", "model_type" },
        { "llm_config.model_type", Same },
        { "vision_config.architectures=[\"CLIPVisionModel\"]", "CLIPVisionModel" },
        { "vision_config.architectures", Same },
        { "vision_config.model_type=\"siglip_vision_model\"", "siglip" },
        { "vision_config.num_channels=4", "num_channels" },
        { "vision_config.num_channels", Same },
        { "llm_config.use_mrope=true", "use_mrope" },
        { """quantization_config={"quant_method":"awq","bits":4}""", "awq" },
        { """llm_config.quantization_config={"quant_method":"gptq"}""", "gptq" },
        { """vision_config.quantization_config={"load_in_8bit":true}""", "quantised" },
        { "quantization_config=true", "quantization_config" },
        { "quantization_config=null", Same },
        { """compression_config={"format":"int-quantized"}""", "compression_config" },
        // Shuffling of pixels, layer, template.
        { "ps_version=\"v2\"", Same },
        { "ps_version=2", "ps_version" },
        { "ps_version=\"\"", "ps_version" },
        { "select_layer", Same },
        { "select_layer=-5", "select_layer" },
        { "template", "template" },
        { "template=null", "template" },
        { "template=\"qwen-chat\"", Same },
        // Ours alone: an unknown name is a mistake, and the released value does not go silently with other sizes.
        { "grounding_config.embed_dims=24", "embed_dims" },
        { "grounding_config.num_heads", "num_heads" },
        { "grounding_config.window_spec", "window_spec" },
        { "grounding_config.global_att_blocks", "global_att_blocks" },
        { "grounding_config.image_size", "image_size" },
        { "grounding_config.fuser_layers", Same },
    };

    [Theory]
    [MemberData(nameof(Edits))]
    public void A_setting_is_read_or_refused_under_every_name(string edits, string expected)
    {
        JsonObject root = JsonNode.Parse(Real)!.AsObject();
        foreach (string edit in edits.Split(';')) Apply(root, edit);
        if (expected == Same)
        {
            Sa2VAConfig was = Read(Real), now = Read(root.ToJsonString());
            Assert.Equivalent(was with { Language = was.Language with { TiedEmbeddings = now.Language.TiedEmbeddings } }, now,
                strict: true);
            return;
        }
        string message = Assert.Throws<CheckpointException>(() => Read(root.ToJsonString())).Message;
        Assert.StartsWith("'config.json'", message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_absent_shuffle_is_upstreams_default_with_a_word()
    {
        JsonObject root = JsonNode.Parse(Real)!.AsObject();
        root.Remove("ps_version");
        Sa2VAConfig config = Read(root.ToJsonString());
        Assert.True(((InternVitConfig)config.Vision).TransposedShuffle);
        Assert.Contains("v1", Assert.Single(config.Notes), StringComparison.Ordinal);
        Assert.Empty(Read(Real).Notes);
    }

    [Theory]
    [InlineData("InternLM2ForCausalLM", "internlm2", null, true, true)]
    [InlineData("InternLM2ForCausalLM", "internlm2", "\"bias\":false", false, false)]
    [InlineData("InternLM2ForCausalLM", "internlm2", "\"attention_bias\":false", false, false)]
    [InlineData("Qwen3ForCausalLM", "qwen3", null, false, false)]
    [InlineData("Qwen3ForCausalLM", "qwen3", "\"attention_bias\":true", true, true)]
    [InlineData("Qwen2ForCausalLM", "qwen2", null, true, false)]
    public void Biases_follow_from_the_kind_and_its_setting(string architecture, string type, string? setting, bool bias, bool output)
    {
        JsonObject root = JsonNode.Parse(Real)!.AsObject(), llm = root["llm_config"]!.AsObject();
        llm["architectures"] = new JsonArray(architecture);
        llm["model_type"] = type;
        if (setting is not null)
            foreach ((string name, JsonNode? value) in JsonNode.Parse("{" + setting + "}")!.AsObject()) llm[name] = value!.DeepClone();
        LanguageConfig language = Read(root.ToJsonString()).Language;
        Assert.Equal((bias, output), (language.Bias, language.OutputBias));
    }

    [Fact]
    public void Scaling_that_begins_early_bounds_the_conversation()
    {
        JsonObject root = JsonNode.Parse(Real)!.AsObject();
        Apply(root, """llm_config.rope_scaling={"type":"dynamic","factor":2.0,"original_max_position_embeddings":1024}""");
        Assert.Equal(1024, Read(root.ToJsonString()).Language.MaxPositions);
    }

    private static Sa2VAConfig Read(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return Sa2VAConfig.Read(document.RootElement, "config.json");
    }

    private static void Apply(JsonObject root, string edit)
    {
        if (edit.Split("=>") is [string from, string to])
        {
            root[to] = root[from]!.DeepClone();
            root.Remove(from);
            return;
        }
        int equals = edit.IndexOf('=', StringComparison.Ordinal);
        string[] path = (equals < 0 ? edit : edit[..equals]).Split('.');
        JsonObject parent = path.Length == 2 ? root[path[0]]!.AsObject() : root;
        if (equals < 0) parent.Remove(path[^1]);
        else parent[path[^1]] = JsonNode.Parse(edit[(equals + 1)..]);
    }
}
