using System.Text.Json;

namespace Sa2VA.Models;

/// <summary>What the Qwen-VL kinds write into config.json: reading it gives the configuration back.</summary>
internal static class QwenVlConfigFile
{
    /// <summary>Writes fields of the root object.</summary>
    /// <param name="json">Its writer.</param>
    /// <param name="config">Configuration.</param>
    /// <param name="type">The kind as <c>model_type</c> of the parts has it.</param>
    public static void Write(Utf8JsonWriter json, Sa2VAConfig config, string type)
    {
        SyntheticConfigFile.Strings(json, "architectures", "Sa2VAChatModelQwen");
        json.WriteString("model_type", "sa2va_chat");
        json.WriteString("template", "qwen_chat");
        json.WriteBoolean("tie_word_embeddings", config.Language.TiedEmbeddings);
        json.WriteString("dtype", "float32");
        Vision(json, (QwenVisionConfig)config.Vision, config.Language.HiddenSize, type);
        Language(json, config.Language, type);
    }

    private static void Vision(Utf8JsonWriter json, QwenVisionConfig v, int hidden, string type)
    {
        bool qwen25 = v.Kind == QwenVlKind.Qwen25;
        json.WriteStartObject("vision_config");
        json.WriteString("model_type", type);
        json.WriteNumber("depth", v.Layers);
        json.WriteNumber("hidden_size", v.HiddenSize);
        json.WriteNumber("num_heads", v.Heads);
        json.WriteNumber("intermediate_size", v.IntermediateSize);
        json.WriteNumber("patch_size", v.PatchSize);
        json.WriteNumber("spatial_merge_size", QwenVisionConfig.Merge);
        json.WriteNumber("temporal_patch_size", QwenVisionConfig.Temporal);
        json.WriteNumber("in_channels", 3);
        json.WriteNumber("out_hidden_size", hidden);
        json.WriteString("hidden_act", qwen25 ? "silu" : "gelu_pytorch_tanh");
        if (qwen25)
        {
            json.WriteNumber("window_size", v.WindowTokens * v.TokenSide);
            SyntheticConfigFile.Numbers(json, "fullatt_block_indexes", v.FullLayers);
        }
        else
        {
            json.WriteNumber("num_position_embeddings", v.PositionGrid * v.PositionGrid);
            SyntheticConfigFile.Numbers(json, "deepstack_visual_indexes", v.DeepstackLayers);
        }
        json.WriteEndObject();
    }

    private static void Language(Utf8JsonWriter json, LanguageConfig l, string type)
    {
        json.WriteStartObject("text_config");
        json.WriteString("model_type", type + "_text");
        json.WriteNumber("hidden_size", l.HiddenSize);
        json.WriteNumber("num_hidden_layers", l.Layers);
        json.WriteNumber("num_attention_heads", l.Heads);
        json.WriteNumber("num_key_value_heads", l.KvHeads);
        json.WriteNumber("head_dim", l.HeadDim);
        json.WriteNumber("intermediate_size", l.IntermediateSize);
        json.WriteNumber("vocab_size", l.VocabularySize);
        json.WriteNumber("rms_norm_eps", l.Epsilon);
        json.WriteNumber("rope_theta", l.RopeTheta);
        json.WriteStartObject("rope_scaling");
        json.WriteString("rope_type", "default");
        SyntheticConfigFile.Numbers(json, "mrope_section", [l.Rotary!.Time, l.Rotary.Row, l.Rotary.Column]);
        if (l.Rotary.Interleaved) json.WriteBoolean("mrope_interleaved", true);
        json.WriteEndObject();
        json.WriteNumber("max_position_embeddings", l.MaxPositions);
        json.WriteBoolean("attention_bias", l.Bias);
        json.WriteString("hidden_act", "silu");
        json.WriteEndObject();
    }
}
