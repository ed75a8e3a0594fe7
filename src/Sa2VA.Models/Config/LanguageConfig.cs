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

    /// <summary>True when the projections to queries, keys and values have biases.</summary>
    public bool Bias { get; init; }

    /// <summary>True when the projection behind the attention has a bias; Qwen2 never has one.</summary>
    public bool OutputBias => Bias && Kind != LanguageKind.Qwen2;

    /// <summary>
    /// True when config.json says that the embedding serves as head. It decides what a synthetic checkpoint stores and nothing else: a
    /// stored head is always used, and the embedding serves whenever there is none.
    /// </summary>
    public bool TiedEmbeddings { get; init; }

    internal static LanguageConfig Read(ConfigFields root)
    {
        ConfigFields l = root.RequiredObject("llm_config").Renamed(("hidden_act", "hidden_activation"), ("bias", "attention_bias"));
        string? architecture = l.FirstText("architectures");
        (LanguageKind kind, string type) = architecture switch
        {
            "Qwen2ForCausalLM" => (LanguageKind.Qwen2, "qwen2"),
            "InternLM2ForCausalLM" => (LanguageKind.InternLm2, "internlm2"),
            "Qwen3ForCausalLM" => (LanguageKind.Qwen3, "qwen3"),
            _ =>
            throw l.Bad("architectures", $"is '{architecture}'; Qwen2ForCausalLM, InternLM2ForCausalLM and Qwen3ForCausalLM are supported"),
        };
        if (l.Text("model_type") is { } stated && stated != type)
            throw l.Bad("model_type", $"is '{stated}', but architectures says {architecture}");
        Quantization.Refuse(l);
        int hidden = l.Int("hidden_size", 1, 1 << 16), heads = l.Int("num_attention_heads", 1, 1024),
            layers = l.Int("num_hidden_layers", 1, 1024);
        // Absent, as many as query heads; with any other number the shapes of the stored projections disagree.
        int kvHeads = l.Int("num_key_value_heads", 1, 1024, heads);
        if (heads % kvHeads != 0) throw l.Bad("num_key_value_heads", $"is {kvHeads}, which does not divide {heads} heads");
        int headDim = ReadHeadDim(l, hidden, heads);
        string activation = l.Text("hidden_act") ?? "silu";
        if (activation is not ("silu" or "swish"))
            throw l.Bad("hidden_act", $"is '{activation}'; only silu is supported");
        CheckWindows(l, layers);
        l.MustBe("mlp_bias", false);
        l.MustBe("use_mrope", false);
        // The defaults of upstream's three configuration classes.
        int positions = l.Int("max_position_embeddings", 1, 1 << 24, kind == LanguageKind.InternLm2 ? 2048 : 32768);
        RotaryFields rotary = RotaryFields.Read(l, positions);
        bool tied = l.Flag("tie_word_embeddings", root.Flag("tie_word_embeddings", false));
        return new LanguageConfig
        {
            Kind = kind,
            HiddenSize = hidden,
            Layers = layers,
            Heads = heads,
            KvHeads = kvHeads,
            HeadDim = headDim,
            IntermediateSize = l.Int("intermediate_size", 1, 1 << 18),
            VocabularySize = l.Int("vocab_size", 1, 1 << 22),
            // The default of all three classes.
            Epsilon = (float)l.Number("rms_norm_eps", 0, 1, 1e-6),
            RopeTheta = rotary.Theta,
            MaxPositions = rotary.Positions,
            Bias = HasBias(l, kind),
            TiedEmbeddings = tied,
        };
    }

    private static int ReadHeadDim(ConfigFields l, int hidden, int heads)
    {
        // Absent, it follows from the width; a wrong guess would disagree with the shapes of the stored projections.
        int headDim = l.Int("head_dim", 2, 4096, 0);
        if (headDim == 0)
        {
            if (hidden % heads != 0)
                throw l.Bad("num_attention_heads", $"is {heads}, which does not divide hidden_size {hidden}, and head_dim is missing");
            headDim = hidden / heads;
        }
        return headDim % 2 == 0 ? headDim : throw l.Bad("head_dim", $"is {headDim}; rotary positions need an even number");
    }

    private static bool HasBias(ConfigFields l, LanguageKind kind)
    {
        // The class of Qwen2 has no such setting and always has the biases.
        if (kind == LanguageKind.Qwen2)
            return l.Flag("bias", true) ? true : throw l.Bad("bias", "is false; Qwen2 always has biases before the attention");
        return l.Flag("bias", kind == LanguageKind.InternLm2);
    }

    // Windows that no layer uses (sliding_window and max_window_layers alone) change nothing.
    private static void CheckWindows(ConfigFields l, int layers)
    {
        l.MustBe("use_sliding_window", false);
        if (l.Texts("layer_types") is not { } types) return;
        if (types.FirstOrDefault(t => t != "full_attention") is { } other)
            throw l.Bad("layer_types", $"holds '{other}'; only full_attention is supported");
        if (types.Count != layers) throw l.Bad("layer_types", $"holds {types.Count} layers, num_hidden_layers is {layers}");
    }
}
