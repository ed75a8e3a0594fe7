using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Name and shape of every tensor of an InternVL-type checkpoint (docs/model/checkpoint.md#tensors), as its config.json implies them.
/// </summary>
public static class ExpectedTensors
{
    /// <summary>Lists them: language model, projectors, vision tower, SAM 2.</summary>
    public static IReadOnlyList<(string Name, Shape Shape)> Of(Sa2VAConfig config)
    {
        var list = new TensorList();
        Language(list, config.Language);
        int hidden = config.Language.HiddenSize, shuffled = 4 * config.Vision.HiddenSize, width = config.Grounding.DModel;
        list.Norm("mlp1.0", shuffled);
        list.Linear("mlp1.1", hidden, shuffled);
        list.Linear("mlp1.3", hidden, hidden);
        list.Linear("text_hidden_fcs.0", hidden, hidden);
        list.Linear("text_hidden_fcs.2", width, hidden);
        Vision(list, config.Vision);
        GroundingTensors.Add(list, "grounding_encoder.sam2_model", config.Grounding);
        return list.Items;
    }

    private static void Vision(TensorList list, VisionConfig v)
    {
        int c = v.HiddenSize, side = v.ImageSize / v.PatchSize;
        list.Add("vision_model.embeddings.class_embedding", 1, 1, c);
        list.Conv("vision_model.embeddings.patch_embedding", c, 3, v.PatchSize);
        list.Add("vision_model.embeddings.position_embedding", 1, side * side + 1, c);
        for (int i = 0; i < v.Layers; i++)
        {
            string at = FormattableString.Invariant($"vision_model.encoder.layers.{i}.");
            list.Norm(at + "norm1", c, bias: !v.RmsNorm);
            list.Linear(at + "attn.qkv", 3 * c, c, v.QkvBias);
            if (v.QkNormalization)
            {
                list.Norm(at + "attn.q_norm", c, bias: false);
                list.Norm(at + "attn.k_norm", c, bias: false);
            }
            list.Linear(at + "attn.proj", c, c);
            list.Norm(at + "norm2", c, bias: !v.RmsNorm);
            list.Linear(at + "mlp.fc1", v.IntermediateSize, c);
            list.Linear(at + "mlp.fc2", c, v.IntermediateSize);
            list.Add(at + "ls1", c);
            list.Add(at + "ls2", c);
        }
    }

    private static void Language(TensorList list, LanguageConfig l)
    {
        int h = l.HiddenSize, q = l.Heads * l.HeadDim, kv = l.KvHeads * l.HeadDim, ffn = l.IntermediateSize;
        bool fused = l.Kind == LanguageKind.InternLm2;
        list.Add(fused ? "language_model.model.tok_embeddings.weight" : "language_model.model.embed_tokens.weight", l.VocabularySize, h);
        if (!l.TiedEmbeddings) list.Add(fused ? "language_model.output.weight" : "language_model.lm_head.weight", l.VocabularySize, h);
        list.Norm("language_model.model.norm", h, bias: false);
        for (int i = 0; i < l.Layers; i++)
        {
            string at = FormattableString.Invariant($"language_model.model.layers.{i}.");
            if (fused)
            {
                list.Norm(at + "attention_norm", h, bias: false);
                list.Linear(at + "attention.wqkv", q + 2 * kv, h, l.Bias);
                list.Linear(at + "attention.wo", h, q, l.Bias);
                list.Norm(at + "ffn_norm", h, bias: false);
                list.Linear(at + "feed_forward.w1", ffn, h, bias: false);
                list.Linear(at + "feed_forward.w3", ffn, h, bias: false);
                list.Linear(at + "feed_forward.w2", h, ffn, bias: false);
                continue;
            }
            list.Norm(at + "input_layernorm", h, bias: false);
            list.Linear(at + "self_attn.q_proj", q, h, l.Bias);
            list.Linear(at + "self_attn.k_proj", kv, h, l.Bias);
            list.Linear(at + "self_attn.v_proj", kv, h, l.Bias);
            if (l.Kind == LanguageKind.Qwen3)
            {
                list.Norm(at + "self_attn.q_norm", l.HeadDim, bias: false);
                list.Norm(at + "self_attn.k_norm", l.HeadDim, bias: false);
            }
            list.Linear(at + "self_attn.o_proj", h, q, bias: false);
            list.Norm(at + "post_attention_layernorm", h, bias: false);
            list.Linear(at + "mlp.gate_proj", ffn, h, bias: false);
            list.Linear(at + "mlp.up_proj", ffn, h, bias: false);
            list.Linear(at + "mlp.down_proj", h, ffn, bias: false);
        }
    }
}

/// <summary>Collects names and shapes by kind of layer.</summary>
internal sealed class TensorList
{
    public List<(string Name, Shape Shape)> Items { get; } = [];

    public void Add(string name, params ReadOnlySpan<int> dims) => Items.Add((name, new Shape(dims)));

    public void Linear(string name, int outFeatures, int inFeatures, bool bias = true)
    {
        Add(name + ".weight", outFeatures, inFeatures);
        if (bias) Add(name + ".bias", outFeatures);
    }

    public void Conv(string name, int outChannels, int inChannels, int kernel)
    {
        Add(name + ".weight", outChannels, inChannels, kernel, kernel);
        Add(name + ".bias", outChannels);
    }

    public void ConvTranspose(string name, int inChannels, int outChannels)
    {
        Add(name + ".weight", inChannels, outChannels, 2, 2);
        Add(name + ".bias", outChannels);
    }

    public void Norm(string name, int width, bool bias = true)
    {
        Add(name + ".weight", width);
        if (bias) Add(name + ".bias", width);
    }

    public void Mlp(string name, params ReadOnlySpan<int> widths)
    {
        for (int i = 0; i + 1 < widths.Length; i++) Linear(FormattableString.Invariant($"{name}.layers.{i}"), widths[i + 1], widths[i]);
    }
}
