namespace Sa2VA.Models;

/// <summary>The SAM 2 module's part of <see cref="ExpectedTensors"/> (docs/model/checkpoint.md#tensors).</summary>
internal static class GroundingTensors
{
    public static void Add(TensorList list, string prefix, GroundingConfig g)
    {
        Trunk(list, prefix + ".image_encoder.trunk", g);
        for (int i = 0; i < 4; i++) list.Conv(Name(prefix + ".image_encoder.neck.convs", i, "conv"), g.DModel, g.EmbedDim << (3 - i), 1);

        int d = g.DModel;
        list.Add(prefix + ".maskmem_tpos_enc", MemoryBank.TimeCodes, 1, 1, g.MemDim);
        list.Add(prefix + ".no_mem_embed", 1, 1, d);
        list.Add(prefix + ".no_mem_pos_enc", 1, 1, d);
        list.Add(prefix + ".no_obj_ptr", 1, d);
        list.Conv(prefix + ".mask_downsample", 1, 1, 4);
        list.Mlp(prefix + ".obj_ptr_proj", d, d, d, d);
        Memory(list, prefix, g);
        PromptEncoder(list, prefix + ".sam_prompt_encoder", d);
        MaskDecoder(list, prefix + ".sam_mask_decoder", g);
    }

    private static void Trunk(TensorList list, string at, GroundingConfig g)
    {
        list.Add(at + ".pos_embed", 1, g.EmbedDim, g.WindowPosEmbedBkgSpatialSize[0], g.WindowPosEmbedBkgSpatialSize[1]);
        list.Add(at + ".pos_embed_window", 1, g.EmbedDim, g.WindowSpec[0], g.WindowSpec[0]);
        list.Conv(at + ".patch_embed.proj", g.EmbedDim, 3, 7);
        var layout = new HieraLayout(g);
        for (int i = 0; i < layout.Blocks.Count; i++)
        {
            HieraBlock b = layout.Blocks[i];
            list.Norm(Name(at + ".blocks", i, "norm1"), b.InDim);
            list.Linear(Name(at + ".blocks", i, "attn.qkv"), 3 * b.OutDim, b.InDim);
            list.Linear(Name(at + ".blocks", i, "attn.proj"), b.OutDim, b.OutDim);
            list.Norm(Name(at + ".blocks", i, "norm2"), b.OutDim);
            list.Mlp(Name(at + ".blocks", i, "mlp"), b.OutDim, 4 * b.OutDim, b.OutDim);
            if (b.Pool) list.Linear(Name(at + ".blocks", i, "proj"), b.OutDim, b.InDim);
        }
    }

    private static void Memory(TensorList list, string prefix, GroundingConfig g)
    {
        int d = g.DModel;
        for (int i = 0; i < g.MemoryAttentionLayers; i++)
        {
            string at = Name(prefix + ".memory_attention.layers", i, "");
            Attention(list, at + "self_attn", d, d, d);
            Attention(list, at + "cross_attn_image", d, d, g.MemDim);
            list.Linear(at + "linear1", g.MemoryAttentionFfn, d);
            list.Linear(at + "linear2", d, g.MemoryAttentionFfn);
            for (int n = 1; n <= 3; n++) list.Norm(FormattableString.Invariant($"{at}norm{n}"), d);
        }
        list.Norm(prefix + ".memory_attention.norm", d);

        string encoder = prefix + ".memory_encoder";
        int[] channels = [1, 4, 16, 64, 256];
        for (int i = 0; i < 4; i++)
        {
            list.Conv(FormattableString.Invariant($"{encoder}.mask_downsampler.encoder.{3 * i}"), channels[i + 1], channels[i], 3);
            list.Norm(FormattableString.Invariant($"{encoder}.mask_downsampler.encoder.{3 * i + 1}"), channels[i + 1]);
        }
        list.Conv(encoder + ".mask_downsampler.encoder.12", d, channels[^1], 1);
        list.Conv(encoder + ".pix_feat_proj", d, d, 1);
        for (int i = 0; i < g.FuserLayers; i++)
        {
            string at = Name(encoder + ".fuser.layers", i, "");
            list.Add(at + "g_weight", d);
            list.Conv(at + "dwconv", d, 1, 7);
            list.Norm(at + "norm", d);
            list.Linear(at + "pwconv1", 4 * d, d);
            list.Linear(at + "pwconv2", d, 4 * d);
        }
        list.Conv(encoder + ".out_proj", g.MemDim, d, 1);
    }

    private static void PromptEncoder(TensorList list, string at, int d)
    {
        list.Add(at + ".pe_layer.positional_encoding_gaussian_matrix", 2, d / 2);
        list.Add(at + ".not_a_point_embed.weight", 1, d);
        list.Add(at + ".no_mask_embed.weight", 1, d);
        for (int i = 0; i < 4; i++) list.Add(Name(at + ".point_embeddings", i, "weight"), 1, d);
        list.Conv(at + ".mask_downscaling.0", 4, 1, 2);
        list.Norm(at + ".mask_downscaling.1", 4);
        list.Conv(at + ".mask_downscaling.3", 16, 4, 2);
        list.Norm(at + ".mask_downscaling.4", 16);
        list.Conv(at + ".mask_downscaling.6", d, 16, 1);
    }

    private static void MaskDecoder(TensorList list, string at, GroundingConfig g)
    {
        int d = g.DModel;
        for (int i = 0; i < 2; i++)
        {
            string layer = Name(at + ".transformer.layers", i, "");
            Attention(list, layer + "self_attn", d, d, d);
            Attention(list, layer + "cross_attn_token_to_image", d / 2, d, d);
            Attention(list, layer + "cross_attn_image_to_token", d / 2, d, d);
            list.Mlp(layer + "mlp", d, g.MaskDecoderFfn, d);
            for (int n = 1; n <= 4; n++) list.Norm(FormattableString.Invariant($"{layer}norm{n}"), d);
        }
        Attention(list, at + ".transformer.final_attn_token_to_image", d / 2, d, d);
        list.Norm(at + ".transformer.norm_final_attn", d);
        list.Add(at + ".iou_token.weight", 1, d);
        list.Add(at + ".obj_score_token.weight", 1, d);
        list.Add(at + ".mask_tokens.weight", 4, d);
        list.ConvTranspose(at + ".output_upscaling.0", d, d / 4);
        list.Norm(at + ".output_upscaling.1", d / 4);
        list.ConvTranspose(at + ".output_upscaling.3", d / 4, d / 8);
        list.Conv(at + ".conv_s0", d / 8, d, 1);
        list.Conv(at + ".conv_s1", d / 4, d, 1);
        for (int i = 0; i < 4; i++) list.Mlp(Name(at + ".output_hypernetworks_mlps", i, "")[..^1], d, d, d, d / 8);
        list.Mlp(at + ".iou_prediction_head", d, g.IouHeadHidden, g.IouHeadHidden, 4);
        list.Mlp(at + ".pred_obj_score_head", d, d, d, 1);
    }

    /// <summary>Four projections: q, k, v to the inner width, out back to the query's.</summary>
    private static void Attention(TensorList list, string at, int inner, int query, int key)
    {
        list.Linear(at + ".q_proj", inner, query);
        list.Linear(at + ".k_proj", inner, key);
        list.Linear(at + ".v_proj", inner, key);
        list.Linear(at + ".out_proj", query, inner);
    }

    private static string Name(string list, int index, string name) => FormattableString.Invariant($"{list}.{index}.{name}");
}
