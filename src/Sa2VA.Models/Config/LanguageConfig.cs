namespace Sa2VA.Models;

/// <summary>Decoder architectures, which differ in names, biases and norms (docs/model/language.md#layer).</summary>
public enum LanguageKind
{
    /// <summary>Separate q, k, v with bias.</summary>
    Qwen2,
    /// <summary>Fused wqkv grouped by key/value head, no bias.</summary>
    InternLm2,
    /// <summary>As Qwen2 without bias, with an RMS norm per query and key head.</summary>
    Qwen3,
}

/// <summary>Sizes of the language model (docs/model/checkpoint.md#configuration).</summary>
public sealed record LanguageConfig
{
    /// <summary>Architecture.</summary>
    public LanguageKind Kind { get; init; }

    /// <summary>H: width.</summary>
    public int HiddenSize { get; init; }

    /// <summary>Layers.</summary>
    public int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public int Heads { get; init; }

    /// <summary>Key/value heads; divides <see cref="Heads"/>.</summary>
    public int KvHeads { get; init; }

    /// <summary>Width of a head; even.</summary>
    public int HeadDim { get; init; }

    /// <summary>Hidden width of the MLP.</summary>
    public int IntermediateSize { get; init; }

    /// <summary>Rows of the embedding by config.json; the stored table decides.</summary>
    public int VocabularySize { get; init; }

    /// <summary>Added to the mean square.</summary>
    public float Epsilon { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; }

    /// <summary>Positions that the checkpoint supports without scaling its rotary code.</summary>
    public int MaxPositions { get; init; }

    /// <summary>True when q, k and v have biases (also: when the fused projections of InternLM2 have).</summary>
    public bool Bias { get; init; }

    /// <summary>True when no head is stored and the embedding serves.</summary>
    public bool TiedEmbeddings { get; init; }

    internal static LanguageConfig Read(ConfigFields root)
    {
        ConfigFields l = root.RequiredObject("llm_config");
        string? architecture = l.FirstText("architectures");
        LanguageKind kind = architecture switch
        {
            "Qwen2ForCausalLM" => LanguageKind.Qwen2,
            "InternLM2ForCausalLM" => LanguageKind.InternLm2,
            "Qwen3ForCausalLM" => LanguageKind.Qwen3,
            _ => throw l.Bad("architectures", $"is '{architecture}'; Qwen2ForCausalLM, InternLM2ForCausalLM and Qwen3ForCausalLM are supported"),
        };
        int hidden = l.Int("hidden_size", 1, 1 << 16), heads = l.Int("num_attention_heads", 1, 1024);
        int kvHeads = l.Int("num_key_value_heads", 1, 1024, heads);
        if (heads % kvHeads != 0) throw l.Bad("num_key_value_heads", $"is {kvHeads}, which does not divide {heads} heads");
        int headDim = l.Int("head_dim", 2, 4096, 0);
        if (headDim == 0)
        {
            if (hidden % heads != 0) throw l.Bad("num_attention_heads", $"is {heads}, which does not divide hidden_size {hidden}, and head_dim is missing");
            headDim = hidden / heads;
        }
        if (headDim % 2 != 0) throw l.Bad("head_dim", $"is {headDim}; rotary positions need an even number");
        string activation = l.Text("hidden_act") ?? "silu";
        if (activation != "silu") throw l.Bad("hidden_act", $"is '{activation}'; only silu is supported");
        if (l.Flag("use_sliding_window", false)) throw l.Bad("use_sliding_window", "is true; sliding windows are not supported");
        if (l.Object("rope_scaling") is { } scaling)
        {
            // "dynamic" is the identity up to max_position_embeddings, beyond which no prompt is accepted.
            string type = scaling.Text("type") ?? scaling.Text("rope_type") ?? "";
            if (type is not ("dynamic" or "default")) throw scaling.Bad("type", $"is '{type}'; only dynamic is supported");
        }
        return new LanguageConfig
        {
            Kind = kind,
            HiddenSize = hidden,
            Layers = l.Int("num_hidden_layers", 1, 1024),
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            IntermediateSize = l.Int("intermediate_size", 1, 1 << 18),
            VocabularySize = l.Int("vocab_size", 1, 1 << 22),
            Epsilon = (float)l.Number("rms_norm_eps", 0, 1, 1e-6),
            RopeTheta = l.Number("rope_theta", 1, 1e12, 10000),
            MaxPositions = l.Int("max_position_embeddings", 1, 1 << 24, 32768),
            Bias = kind == LanguageKind.InternLm2 ? l.Flag("bias", true) : kind == LanguageKind.Qwen2,
            TiedEmbeddings = l.Flag("tie_word_embeddings", false),
        };
    }
}
