using System.Text.Json;

namespace Sa2VA.Models;

/// <summary>What the InternVL kinds write into config.json: reading it gives the configuration back.</summary>
internal static class InternVlConfigFile
{
    /// <summary>Writes fields of the root object.</summary>
    public static void Write(Utf8JsonWriter json, Sa2VAConfig config)
    {
        var v = (InternVitConfig)config.Vision;
        SyntheticConfigFile.Strings(json, "architectures", "Sa2VAChatModel");
        json.WriteString("model_type", "sa2va_chat");
        json.WriteString("template", config.Template);
        json.WriteNumber("select_layer", v.SelectedLayers - v.Layers - 1);
        json.WriteNumber("downsample_ratio", 0.5);
        json.WriteString("ps_version", v.TransposedShuffle ? "v1" : "v2");
        json.WriteNumber("force_image_size", v.TileSize);
        json.WriteBoolean("dynamic_image_size", true);
        json.WriteBoolean("use_thumbnail", true);
        json.WriteNumber("min_dynamic_patch", 1);
        json.WriteNumber("max_dynamic_patch", 12);
        json.WriteBoolean("pad2square", false);
        json.WriteNumber("use_backbone_lora", 0);
        json.WriteNumber("use_llm_lora", 0);
        json.WriteNumber("hidden_size", config.Language.HiddenSize);
        json.WriteBoolean("tie_word_embeddings", config.Language.TiedEmbeddings);
        json.WriteString("torch_dtype", "bfloat16");
        Vision(json, v);
        Language(json, config.Language);
    }

    private static void Vision(Utf8JsonWriter json, InternVitConfig v)
    {
        json.WriteStartObject("vision_config");
        SyntheticConfigFile.Strings(json, "architectures", "InternVisionModel");
        json.WriteString("model_type", "intern_vit_6b");
        json.WriteNumber("hidden_size", v.HiddenSize);
        json.WriteNumber("num_hidden_layers", v.Layers);
        json.WriteNumber("num_attention_heads", v.Heads);
        json.WriteNumber("intermediate_size", v.IntermediateSize);
        json.WriteNumber("patch_size", v.PatchSize);
        json.WriteNumber("image_size", v.ImageSize);
        json.WriteString("norm_type", v.RmsNorm ? "rms_norm" : "layer_norm");
        json.WriteNumber("layer_norm_eps", v.Epsilon);
        json.WriteBoolean("qkv_bias", v.QkvBias);
        json.WriteBoolean("qk_normalization", v.QkNormalization);
        json.WriteString("hidden_act", "gelu");
        json.WriteEndObject();
    }

    private static void Language(Utf8JsonWriter json, LanguageConfig l)
    {
        (string architecture, string type) = l.Kind switch
        {
            LanguageKind.InternLm2 => ("InternLM2ForCausalLM", "internlm2"),
            LanguageKind.Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
            _ => ("Qwen2ForCausalLM", "qwen2"),
        };
        json.WriteStartObject("llm_config");
        SyntheticConfigFile.Strings(json, "architectures", architecture);
        json.WriteString("model_type", type);
        json.WriteNumber("hidden_size", l.HiddenSize);
        json.WriteNumber("num_hidden_layers", l.Layers);
        json.WriteNumber("num_attention_heads", l.Heads);
        json.WriteNumber("num_key_value_heads", l.KvHeads);
        // Released Qwen2 and InternLM2 files leave it to follow from the width.
        if (l.Kind == LanguageKind.Qwen3 || l.HiddenSize != l.Heads * l.HeadDim) json.WriteNumber("head_dim", l.HeadDim);
        json.WriteNumber("intermediate_size", l.IntermediateSize);
        json.WriteNumber("vocab_size", l.VocabularySize);
        json.WriteNumber("rms_norm_eps", l.Epsilon);
        json.WriteNumber("rope_theta", l.RopeTheta);
        json.WriteNull("rope_scaling");
        json.WriteNumber("max_position_embeddings", l.MaxPositions);
        if (l.Kind == LanguageKind.InternLm2) json.WriteBoolean("bias", l.Bias);
        if (l.Kind == LanguageKind.Qwen3 && l.Bias) json.WriteBoolean("attention_bias", true);
        json.WriteBoolean("tie_word_embeddings", l.TiedEmbeddings);
        json.WriteString("hidden_act", "silu");
        json.WriteEndObject();
    }
}
