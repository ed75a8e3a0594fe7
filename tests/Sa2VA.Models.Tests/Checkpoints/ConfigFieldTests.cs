using System.Text.Json;
using System.Text.Json.Nodes;
using Sa2VA.Core;
using Sa2VA.Tests;

namespace Sa2VA.Models.Tests;

/// <summary>
/// Every number of a real config.json, made absurd in every way: refused by its name, or, where absent, the documented default.
/// </summary>
public class ConfigFieldTests
{
    private static readonly string Real =
        File.ReadAllText(Path.Combine(Fixtures.Repository, "samples", "models", "sa2va-tiny-shapes", "config.json"));

    // Read by no part of the engine (docs/model/checkpoint.md#configuration), so anything may stand there.
    private static readonly HashSet<string> Unread =
    [
        "min_dynamic_patch", "max_dynamic_patch", "hidden_size", "vision_config.attention_dropout", "vision_config.dropout",
        "vision_config.drop_path_rate", "vision_config.initializer_factor", "vision_config.initializer_range",
        "llm_config.attention_dropout",
        "llm_config.initializer_range", "llm_config.max_window_layers", "llm_config.bos_token_id", "llm_config.eos_token_id",
    ];

    private static readonly HashSet<string> MayBeZero =
        ["select_layer", "use_backbone_lora", "use_llm_lora", "vision_config.layer_norm_eps", "llm_config.rms_norm_eps",
            "grounding_config.global_att_blocks.0"];

    private static readonly HashSet<string> Required =
    [
        "llm_config.hidden_size", "llm_config.num_hidden_layers", "llm_config.num_attention_heads", "llm_config.intermediate_size",
            "llm_config.vocab_size",
        "llm_config.rope_theta", "grounding_config.image_size", "grounding_config.num_heads",
        // The defaults of these do not go with the other sizes of this file.
        "vision_config.num_attention_heads", "grounding_config.d_model", "grounding_config.mem_dim",
    ];

    public static TheoryData<string> NumericFields()
    {
        var data = new TheoryData<string>();
        foreach (string path in Numbers(JsonNode.Parse(Real)!, "")) data.Add(path);
        return data;
    }

    [Fact]
    public void The_real_file_is_read() => Assert.Null(Try(Real).Error);

    [Theory]
    [MemberData(nameof(NumericFields))]
    public void An_absurd_number_is_refused_by_its_name(string path)
    {
        foreach (string absurd in (string[])["-7", "2147483647", "2147483648", "1e40", "1e999", "-1e40", "\"8\"", "[]", "{}", "true"])
        {
            // A base may well be as large as that.
            if (path == "llm_config.rope_theta" && absurd.StartsWith("21474", StringComparison.Ordinal)) continue;
            (Sa2VAConfig? config, string? error) = Try(With(path, JsonNode.Parse(absurd)));
            if (Unread.Contains(path)) Assert.Null(error);
            else AssertNames(path, error ?? $"{absurd} gave {config}");
        }
    }

    [Theory]
    [MemberData(nameof(NumericFields))]
    public void Zero_and_fractions_are_refused_where_they_make_no_sense(string path)
    {
        (_, string? zero) = Try(With(path, JsonNode.Parse("0")));
        if (Unread.Contains(path) || MayBeZero.Contains(path)) Assert.Null(zero);
        else AssertNames(path, zero ?? "0 was read");

        bool real = path is "downsample_ratio" or "vision_config.layer_norm_eps" or "llm_config.rms_norm_eps" or "llm_config.rope_theta";
        (_, string? fraction) = Try(With(path, JsonNode.Parse("8.5")));
        if (Unread.Contains(path) || path == "llm_config.rope_theta") Assert.Null(fraction);
        else AssertNames(path, fraction ?? $"8.5 was read although the field is {(real ? "at most 1" : "a whole number")}");
    }

    [Theory]
    [MemberData(nameof(NumericFields))]
    public void An_absent_number_and_null_are_the_same(string path)
    {
        bool inList = char.IsAsciiDigit(path[^1]);
        (Sa2VAConfig? absent, string? error) = Try(Without(path));
        (Sa2VAConfig? withNull, string? nullError) = Try(With(path, null));
        if (inList)
        {
            AssertNames(path, nullError ?? "null was read");
            if (path.StartsWith("grounding_config.global_att_blocks", StringComparison.Ordinal))
                Assert.Empty(absent!.Grounding.GlobalAttBlocks);
            else AssertNames(path, error ?? "a short list was read");
            return;
        }
        Assert.Equal(error, nullError);
        if (Required.Contains(path)) AssertNames(path, error ?? "nothing was read");
        else
        {
            Assert.Null(error);
            Assert.Equivalent(absent, withNull, strict: true);
        }
    }

    [Fact]
    public void Absent_fields_have_the_documented_defaults()
    {
        var root = JsonNode.Parse(Real)!.AsObject();
        root["vision_config"] = new JsonObject();
        root.Remove("grounding_config");
        foreach (string name in (string[])["select_layer", "downsample_ratio", "ps_version", "force_image_size", "use_backbone_lora",
            "use_llm_lora"])
            root.Remove(name);
        (Sa2VAConfig? config, string? error) = Try(root.ToJsonString());
        Assert.Null(error);
        Assert.Equivalent(new InternVitConfig(), config!.Vision, strict: true);
        Assert.Equivalent(new GroundingConfig(), config.Grounding, strict: true);
    }

    [Fact]
    public void Head_dim_need_not_follow_from_the_width()
    {
        var root = JsonNode.Parse(Real)!;
        root["llm_config"]!["architectures"]![0] = "Qwen3ForCausalLM";
        root["llm_config"]!["model_type"] = "qwen3";
        root["llm_config"]!["num_attention_heads"] = 10;
        Assert.Contains("head_dim is missing", Try(root.ToJsonString()).Error, StringComparison.Ordinal);
        root["llm_config"]!["head_dim"] = 32;
        Assert.Equal((LanguageKind.Qwen3, 10, 32),
            Try(root.ToJsonString()).Config!.Language is var l ? (l.Kind, l.Heads, l.HeadDim) : default);
        foreach (int odd in (int[])[-2, 0, 1, 33, 5000])
        {
            root["llm_config"]!["head_dim"] = odd;
            AssertNames("llm_config.head_dim", Try(root.ToJsonString()).Error ?? $"{odd} was read");
        }
    }

    [Fact]
    public void Sizes_that_are_fine_alone_do_not_overflow_together()
    {
        var root = JsonNode.Parse(Real)!;
        root["vision_config"]!["patch_size"] = 1;
        root["vision_config"]!["image_size"] = 8192;
        root["vision_config"]!["hidden_size"] = 65536;
        AssertNames("vision_config.image_size", Try(root.ToJsonString()).Error ?? "it was read");
    }

    private static void AssertNames(string path, string error)
    {
        string field = path.Split('.').Last(part => !char.IsAsciiDigit(part[0]));
        Assert.Contains(field, error, StringComparison.Ordinal);
        Assert.Contains("config.json", error, StringComparison.Ordinal);
    }

    /// <summary>Reads a config.json and lists the tensors that follow, which must not fail once it is read.</summary>
    private static (Sa2VAConfig? Config, string? Error) Try(string json)
    {
        Sa2VAConfig config;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            config = Sa2VAConfig.Read(document.RootElement, "config.json");
        }
        catch (CheckpointException e)
        {
            return (null, e.Message);
        }
        Assert.NotEmpty(CheckpointTensors.Of(config));
        return (config, null);
    }

    private static string With(string path, JsonNode? value)
    {
        (JsonNode root, JsonNode parent, string last) = Find(path);
        if (parent is JsonArray list) list[int.Parse(last, System.Globalization.CultureInfo.InvariantCulture)] = value;
        else parent[last] = value;
        return root.ToJsonString();
    }

    private static string Without(string path)
    {
        (JsonNode root, JsonNode parent, string last) = Find(path);
        if (parent is JsonArray list) list.RemoveAt(int.Parse(last, System.Globalization.CultureInfo.InvariantCulture));
        else parent.AsObject().Remove(last);
        return root.ToJsonString();
    }

    private static (JsonNode Root, JsonNode Parent, string Last) Find(string path)
    {
        JsonNode root = JsonNode.Parse(Real)!, at = root;
        string[] parts = path.Split('.');
        foreach (string part in parts[..^1]) at = at[part]!;
        return (root, at, parts[^1]);
    }

    private static IEnumerable<string> Numbers(JsonNode node, string at)
    {
        string prefix = at.Length == 0 ? "" : at + ".";
        switch (node)
        {
            case JsonObject o: return o.Where(p => p.Value is not null).SelectMany(p => Numbers(p.Value!, prefix + p.Key));
            case JsonArray a: return a.SelectMany((item, i) => Numbers(item!, FormattableString.Invariant($"{prefix}{i}")));
            default: return node.GetValueKind() == JsonValueKind.Number ? [at] : [];
        }
    }
}
