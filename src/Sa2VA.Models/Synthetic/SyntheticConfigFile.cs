using System.Text.Json;

namespace Sa2VA.Models;

/// <summary>config.json of a configuration (docs/model/checkpoint.md#configuration): reading it gives the configuration back.</summary>
internal static class SyntheticConfigFile
{
    /// <summary>Writes the file's object.</summary>
    public static void Write(Utf8JsonWriter json, Sa2VAConfig config)
    {
        json.WriteStartObject();
        config.Family.WriteConfig(json, config);
        Grounding(json, config.Grounding);
        config.Quantization?.Write(json);
        json.WriteEndObject();
    }

    /// <summary>Writes a list of one string.</summary>
    public static void Strings(Utf8JsonWriter json, string name, string value)
    {
        json.WriteStartArray(name);
        json.WriteStringValue(value);
        json.WriteEndArray();
    }

    /// <summary>Writes a list of numbers.</summary>
    public static void Numbers(Utf8JsonWriter json, string name, IReadOnlyList<int> values)
    {
        json.WriteStartArray(name);
        foreach (int value in values) json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static void Grounding(Utf8JsonWriter json, GroundingConfig g)
    {
        json.WriteStartObject("grounding_config");
        json.WriteNumber("image_size", g.ImageSize);
        json.WriteNumber("embed_dim", g.EmbedDim);
        json.WriteNumber("num_heads", g.NumHeads);
        Numbers(json, "stages", g.Stages);
        Numbers(json, "global_att_blocks", g.GlobalAttBlocks);
        Numbers(json, "window_pos_embed_bkg_spatial_size", g.WindowPosEmbedBkgSpatialSize);
        Numbers(json, "window_spec", g.WindowSpec);
        json.WriteNumber("d_model", g.DModel);
        json.WriteNumber("mem_dim", g.MemDim);
        json.WriteNumber("memory_attention_layers", g.MemoryAttentionLayers);
        json.WriteNumber("memory_attention_ffn", g.MemoryAttentionFfn);
        json.WriteNumber("mask_decoder_ffn", g.MaskDecoderFfn);
        json.WriteNumber("iou_head_hidden", g.IouHeadHidden);
        json.WriteNumber("fuser_layers", g.FuserLayers);
        json.WriteEndObject();
    }
}
