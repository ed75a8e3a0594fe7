using System.Text;
using Sa2VA.Core;

namespace Sa2VA.Models.Tokenizers;

/// <summary>What kind a piece is of; the numbers are those of the file format.</summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One entry of the vocabulary; its place in the list is its id.</summary>
internal readonly record struct Piece(string Text, float Score, PieceKind Kind);

/// <summary>
/// The parts of a SentencePiece <c>tokenizer.model</c> (a protocol-buffer file) that encoding and decoding need. Refuses what InternLM2
/// does not use: other model types than BPE, models without byte pieces, normalisation rules, unused pieces.
/// </summary>
internal sealed class SentencePieceModel
{
    /// <summary>How a space is written inside pieces.</summary>
    public const char Space = '\u2581';

    // The longest piece of the published file has 128 characters, the file 1.5 MB; the limits bound the work of reading a hostile one.
    private const int LongestPiece = 128;
    private const long LargestFile = 16 << 20;

    private const ulong BpeModel = 2;
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private readonly TokenizerFolder _files;
    private readonly string _name;

    public SentencePieceModel(TokenizerFolder files, string name)
    {
        (_files, _name) = (files, name);
        byte[] file = files.ReadBytes(name, LargestFile);
        try
        {
            Read(file);
        }
        catch (InvalidDataException e)
        {
            throw files.Broken(name, $"is no valid SentencePiece file ({e.Message})", e);
        }
        catch (DecoderFallbackException e)
        {
            throw files.Broken(name, $"has a piece (number {Pieces.Count}) that is not valid UTF-8", e);
        }

        IndexPieces();
    }

    public List<Piece> Pieces { get; } = [];

    /// <summary>Ids of all pieces but control and unknown ones by name.</summary>
    public Dictionary<string, int> Ids { get; } = new(StringComparer.Ordinal);

    /// <summary>The ids of the 256 byte pieces.</summary>
    public int[] ByteIds { get; } = new int[256];

    /// <summary>Whether a space is put before each run of text.</summary>
    public bool AddDummyPrefix { get; private set; } = true;

    /// <summary>Whether spaces at the ends are removed and runs of them become one.</summary>
    public bool RemoveExtraWhitespaces { get; private set; } = true;

    private void Read(ReadOnlySpan<byte> file)
    {
        const ulong unigram = 1;
        ulong modelType = unigram;
        var reader = new ProtobufReader(file);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (Pieces.Count > TokenizerFolder.HighestId)
                        throw _files.Broken(_name, $"has more than {TokenizerFolder.HighestId} pieces");
                    Pieces.Add(ReadPiece(reader.Bytes));
                    break;
                case 2:
                    modelType = ReadTrainer(reader.Bytes, modelType);
                    break;
                case 3:
                    ReadNormalizer(reader.Bytes);
                    break;
            }
        }

        if (Pieces.Count == 0) throw _files.Broken(_name, "has no pieces");
        if (modelType != BpeModel) throw _files.Unsupported(_name, $"a SentencePiece model of type {modelType} (BPE is {BpeModel})");
    }

    private Piece ReadPiece(ReadOnlySpan<byte> message)
    {
        string text = "";
        float score = 0;
        var kind = PieceKind.Normal;
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            if (reader.Field == 1) text = StrictUtf8.GetString(reader.Bytes);
            else if (reader.Field == 2) score = reader.Float;
            else if (reader.Field == 3) kind = (PieceKind)Math.Min(reader.Number, int.MaxValue);
        }

        if (text.Length is 0 or > LongestPiece)
            throw _files.Broken(_name, $"has a piece (number {Pieces.Count}) of {text.Length} characters");
        if (!float.IsFinite(score)) throw _files.Broken(_name, $"gives the piece '{text}' the score {score}");
        if (kind is PieceKind.Unused or < PieceKind.Normal or > PieceKind.Byte)
            throw _files.Unsupported(_name, $"the piece '{text}' of type {(int)kind}");
        return new Piece(text, score, kind);
    }

    private ulong ReadTrainer(ReadOnlySpan<byte> message, ulong modelType)
    {
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            if (reader.Field == 3) modelType = reader.Number;
            else if (reader.Field == 24 && reader.Number != 0)
                throw _files.Unsupported(_name, "white space at the end of pieces (treat_whitespace_as_suffix)");
        }

        return modelType;
    }

    private void ReadNormalizer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2 when !reader.Bytes.IsEmpty:
                    throw _files.Unsupported(_name, "a table of normalisation rules (precompiled_charsmap)");
                case 3:
                    AddDummyPrefix = reader.Number != 0;
                    break;
                case 4:
                    RemoveExtraWhitespaces = reader.Number != 0;
                    break;
                case 5 when reader.Number == 0:
                    throw _files.Unsupported(_name, "spaces that are not escaped (escape_whitespaces)");
            }
        }
    }

    private void IndexPieces()
    {
        Array.Fill(ByteIds, -1);
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int id = 0; id < Pieces.Count; id++)
        {
            Piece piece = Pieces[id];
            if (!names.Add(piece.Text)) throw _files.Broken(_name, $"lists the piece '{piece.Text}' twice");
            if (piece.Kind == PieceKind.Byte) ByteIds[ByteOf(piece.Text)] = id;
            if (piece.Kind is PieceKind.Normal or PieceKind.UserDefined) Ids.Add(piece.Text, id);
        }

        int missing = Array.IndexOf(ByteIds, -1);
        if (missing >= 0) throw _files.Broken(_name, $"lacks the piece of the byte <0x{missing:X2}>");
    }

    private byte ByteOf(string piece) =>
        piece.Length == 6 && piece.StartsWith("<0x", StringComparison.Ordinal) && piece[5] == '>'
        && byte.TryParse(piece.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier,
            System.Globalization.CultureInfo.InvariantCulture, out byte value)
            ? value : throw _files.Broken(_name, $"has the byte piece '{piece}', which is not of the form <0x1F>");
}
