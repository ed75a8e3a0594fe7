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

/// <summary>
/// Rotary positions on three axes (time, row, column): which frequencies follow which axis (docs/model/language.md#three-axes).
/// </summary>
/// <param name="Time">Frequencies of the time axis.</param>
/// <param name="Row">Frequencies of the row axis.</param>
/// <param name="Column">Frequencies of the column axis.</param>
/// <param name="Interleaved">True where the axes take turns, false where each has a section of its own.</param>
public sealed record RotarySections(int Time, int Row, int Column, bool Interleaved)
{
    /// <summary>Frequencies of all axes.</summary>
    public int Count => Time + Row + Column;

    /// <summary>The axis that a frequency follows: 0 time, 1 row, 2 column.</summary>
    public int AxisOf(int frequency)
    {
        if (!Interleaved) return frequency < Time ? 0 : frequency < Time + Row ? 1 : 2;
        int turn = frequency % 3;
        return turn == 1 && frequency < 3 * Row || turn == 2 && frequency < 3 * Column ? turn : 0;
    }
}

/// <summary>Where a checkpoint keeps the language model's tensors.</summary>
/// <param name="Body">What precedes the names of the embedding, the layers and the final norm.</param>
/// <param name="Head">What precedes the name of the head.</param>
public sealed record LanguagePrefixes(string Body, string Head)
{
    /// <summary>The InternVL kinds: a language model with its head, whole.</summary>
    public static LanguagePrefixes Default { get; } = new("language_model.model", "language_model");
}

/// <summary>Sizes of the language model (docs/model/checkpoint.md#configuration).</summary>
public sealed record LanguageConfig
{
    /// <summary>Where its tensors are.</summary>
    public LanguagePrefixes Prefixes { get; init; } = LanguagePrefixes.Default;

    /// <summary>Axes of the rotary positions; null where a token's position is its place in the sequence.</summary>
    public RotarySections? Rotary { get; init; }

    /// <summary>
    /// Layers, from the first on, behind which the image tokens get rows of the vision tower added (docs/model/language.md#deepstack).
    /// </summary>
    public int DeepstackLayers { get; init; }

    /// <summary>True where [SEG] is read before the final norm (docs/model/generation.md#seg-vector).</summary>
    public bool SegBeforeNorm { get; init; }

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

    /// <summary>Reads the InternVL kinds' <c>llm_config</c>.</summary>
    internal static LanguageConfig Read(ConfigFields root)
    {
        ConfigFields l = Named(root.RequiredObject("llm_config"));
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
        return Read(root, l, kind, axes: false);
    }

    /// <summary>Fields that newer files call otherwise.</summary>
    internal static ConfigFields Named(ConfigFields language) =>
        language.Renamed(("hidden_act", "hidden_activation"), ("bias", "attention_bias"));

    /// <summary>Reads the sizes of a decoder of a known kind.</summary>
    /// <param name="root">The root object of config.json.</param>
    /// <param name="l">The decoder's object, <see cref="Named"/>.</param>
    /// <param name="kind">Its architecture.</param>
    /// <param name="axes">True where rotary positions have three axes.</param>
    internal static LanguageConfig Read(ConfigFields root, ConfigFields l, LanguageKind kind, bool axes)
    {
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
        if (!axes) l.MustBe("use_mrope", false);
        // The defaults of upstream's three configuration classes.
        int positions = l.Int("max_position_embeddings", 1, 1 << 24, kind == LanguageKind.InternLm2 ? 2048 : 32768);
        RotaryFields rotary = RotaryFields.Read(l, positions, axes);
        if (rotary.Sections is { } sections && sections.Count != headDim / 2)
            throw l.Bad("rope_scaling", $"has mrope_section for {sections.Count} frequencies; heads of {headDim} have {headDim / 2}");
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
            Rotary = rotary.Sections,
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
