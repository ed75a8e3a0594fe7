using System.Text;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Peers;

/// <summary>
/// A Qwen2 model for llama.cpp with the sizes of a configuration and random weights: GGUF, version 3, no vocabulary. A block of random
/// weights is repeated; how long a step takes does not depend on them.
/// </summary>
internal sealed class GgufFile
{
    private const int Alignment = 32;

    /// <summary>How matrices are stored.</summary>
    /// <param name="Name">As llama.cpp says it.</param>
    /// <param name="Code">Of the tensor's type.</param>
    /// <param name="Weights">Weights of a block.</param>
    /// <param name="Bytes">Bytes of a block.</param>
    public sealed record Storage(string Name, int Code, int Weights, int Bytes)
    {
        public static Storage F32 { get; } = new("f32", 0, 1, 4);

        public static Storage BF16 { get; } = new("bf16", 30, 1, 2);

        /// <summary>32 signed bytes behind a scale.</summary>
        public static Storage Q8 { get; } = new("q8_0", 8, 32, 34);

        /// <summary>32 times four bits behind a scale.</summary>
        public static Storage Q4 { get; } = new("q4_0", 2, 32, 18);
    }

    private readonly List<(string Name, long[] Shape, Storage Storage)> _tensors = [];

    private GgufFile(LanguageConfig c, Storage matrices)
    {
        int keys = c.KvHeads * c.HeadDim;
        Add("token_embd.weight", matrices, c.HiddenSize, c.VocabularySize);
        Add("output.weight", matrices, c.HiddenSize, c.VocabularySize);
        Add("output_norm.weight", Storage.F32, c.HiddenSize);
        for (int i = 0; i < c.Layers; i++)
        {
            string block = $"blk.{i}.";
            Add(block + "attn_norm.weight", Storage.F32, c.HiddenSize);
            Add(block + "ffn_norm.weight", Storage.F32, c.HiddenSize);
            foreach ((string name, int width) in (ReadOnlySpan<(string, int)>)[("q", c.HiddenSize), ("k", keys), ("v", keys)])
            {
                Add($"{block}attn_{name}.weight", matrices, c.HiddenSize, width);
                Add($"{block}attn_{name}.bias", Storage.F32, width);
            }
            Add(block + "attn_output.weight", matrices, c.HiddenSize, c.HiddenSize);
            Add(block + "ffn_gate.weight", matrices, c.HiddenSize, c.IntermediateSize);
            Add(block + "ffn_up.weight", matrices, c.HiddenSize, c.IntermediateSize);
            Add(block + "ffn_down.weight", matrices, c.IntermediateSize, c.HiddenSize);
        }
    }

    /// <summary>Writes the file.</summary>
    /// <returns>Bytes of the matrices that one token reads: all but the table of embeddings.</returns>
    public static long Write(string path, LanguageConfig config, Storage matrices)
    {
        if (config.Kind != LanguageKind.Qwen2) throw new NotSupportedException($"{config.Kind} is not written as GGUF here.");
        var model = new GgufFile(config, matrices);
        using FileStream file = File.Create(path);
        using var w = new BinaryWriter(file);
        (string, object)[] fields =
        [
            ("general.architecture", "qwen2"), ("qwen2.block_count", config.Layers), ("qwen2.context_length", config.MaxPositions),
            ("qwen2.embedding_length", config.HiddenSize), ("qwen2.feed_forward_length", config.IntermediateSize),
            ("qwen2.attention.head_count", config.Heads), ("qwen2.attention.head_count_kv", config.KvHeads),
            ("qwen2.attention.layer_norm_rms_epsilon", config.Epsilon), ("qwen2.rope.freq_base", (float)config.RopeTheta),
            ("qwen2.vocab_size", config.VocabularySize), ("tokenizer.ggml.model", "none"),
        ];
        w.Write("GGUF"u8);
        w.Write(3);
        w.Write((long)model._tensors.Count);
        w.Write((long)fields.Length);
        foreach ((string name, object value) in fields) Field(w, name, value);
        long offset = 0, read = 0;
        foreach ((string name, long[] shape, Storage storage) in model._tensors)
        {
            Text(w, name);
            w.Write(shape.Length);
            foreach (long extent in shape) w.Write(extent);
            w.Write(storage.Code);
            w.Write(offset);
            offset += Aligned(Bytes(shape, storage));
            if (shape.Length == 2 && name != "token_embd.weight") read += Bytes(shape, storage);
        }
        w.Flush();
        file.Position = Aligned(file.Position);
        foreach ((_, long[] shape, Storage storage) in model._tensors) Weights(file, Bytes(shape, storage), storage, shape[0]);
        file.SetLength(Aligned(file.Position));
        return read;
    }

    private void Add(string name, Storage storage, params long[] shape) => _tensors.Add((name, shape, storage));

    private static long Bytes(long[] shape, Storage storage) => shape.Aggregate(1L, (a, b) => a * b) / storage.Weights * storage.Bytes;

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Weights(FileStream file, long bytes, Storage storage, long inputs)
    {
        const int Blocks = 1 << 15;
        var random = new Random(1);
        float scale = MathF.Sqrt(3f / inputs);
        using var block = new MemoryStream();
        using var w = new BinaryWriter(block);
        var codes = new byte[storage.Bytes - 2 > 0 ? storage.Bytes - 2 : 0];
        for (int i = 0; i < Blocks; i++)
        {
            float value = (random.NextSingle() * 2 - 1) * scale;
            if (storage == Storage.F32) w.Write(1 + 0.1f * value);
            else if (storage == Storage.BF16) w.Write(BFloat16.FromSingle(value).Bits);
            else
            {
                random.NextBytes(codes);
                w.Write(BitConverter.HalfToUInt16Bits((Half)(scale / (storage == Storage.Q8 ? 127 : 8))));
                w.Write(codes);
            }
        }
        byte[] made = block.ToArray();
        for (long left = bytes; left > 0; left -= made.Length) file.Write(made, 0, (int)Math.Min(left, made.Length));
        file.Position = Aligned(file.Position);
    }

    private static void Field(BinaryWriter w, string name, object value)
    {
        const int Integer = 4, Float = 6, String = 8;
        Text(w, name);
        switch (value)
        {
            case int number:
                w.Write(Integer);
                w.Write(number);
                break;
            case float number:
                w.Write(Float);
                w.Write(number);
                break;
            default:
                w.Write(String);
                Text(w, (string)value);
                break;
        }
    }

    private static void Text(BinaryWriter w, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        w.Write((long)bytes.Length);
        w.Write(bytes);
    }
}
