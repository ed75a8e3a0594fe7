using System.Buffers.Binary;
using System.Text;
using Sa2VA.Models.Tokenizers;

namespace Sa2VA.Models.Tests.Tokenizers;

/// <summary>Writes a small SentencePiece file with its checkpoint folder: unknown, begin, end, 256 bytes, then the given pieces.</summary>
internal sealed class PieceFile
{
    /// <summary>The id of the first given piece.</summary>
    public const int First = 259;

    private readonly List<byte> message = [];

    public List<(string Text, float Score, int Kind)> Pieces { get; } = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3),
        .. Enumerable.Range(0, 256).Select(b => ($"<0x{b:X2}>", 0f, 6))];

    public int ModelType { get; set; } = 2;

    public bool? DummyPrefix { get; set; } = false;

    public bool? RemoveSpaces { get; set; } = false;

    public byte[] Rules { get; set; } = [];

    public byte[] ToBytes()
    {
        message.Clear();
        foreach ((string text, float score, int kind) in Pieces) Add(message, 1, Piece(text, score, kind));
        var trainer = new List<byte>();
        Add(trainer, 3, ModelType);
        Add(message, 2, trainer);
        var normalizer = new List<byte>();
        Add(normalizer, 2, [.. Rules]);
        if (DummyPrefix is bool prefix) Add(normalizer, 3, prefix ? 1 : 0);
        if (RemoveSpaces is bool remove) Add(normalizer, 4, remove ? 1 : 0);
        Add(message, 3, normalizer);
        return [.. message];
    }

    public Tokenizer Load(string folder)
    {
        File.WriteAllBytes(Path.Combine(folder, "tokenizer.model"), ToBytes());
        File.WriteAllText(Path.Combine(folder, "tokenizer_config.json"),
            """{"tokenizer_class":"InternLM2Tokenizer","bos_token":"<s>","eos_token":"</s>","unk_token":"<unk>"}""");
        return Tokenizer.Load(folder);
    }

    private static List<byte> Piece(string text, float score, int kind)
    {
        var piece = new List<byte>();
        Add(piece, 1, [.. Encoding.UTF8.GetBytes(text)]);
        piece.Add(2 << 3 | 5);
        byte[] value = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(value, score);
        piece.AddRange(value);
        Add(piece, 3, kind);
        return piece;
    }

    private static void Add(List<byte> to, int field, List<byte> bytes)
    {
        to.Add((byte)(field << 3 | 2));
        AddNumber(to, bytes.Count);
        to.AddRange(bytes);
    }

    private static void Add(List<byte> to, int field, int number)
    {
        to.Add((byte)(field << 3));
        AddNumber(to, number);
    }

    private static void AddNumber(List<byte> to, int number)
    {
        for (; number >= 128; number >>= 7) to.Add((byte)(number & 127 | 128));
        to.Add((byte)number);
    }
}
