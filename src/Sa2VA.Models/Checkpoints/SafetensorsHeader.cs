using System.Text;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>One tensor as a safetensors header lists it.</summary>
/// <param name="Name">Name.</param>
/// <param name="TypeName">Element type as spelled in the header.</param>
/// <param name="Dims">Extents, row-major; empty for a scalar.</param>
/// <param name="Begin">First byte, counted from the end of the header.</param>
/// <param name="End">One past the last byte.</param>
public sealed record SafetensorsEntry(string Name, string TypeName, long[] Dims, long Begin, long End)
{
    /// <summary>The entry as the engine sees a weight; false when it has no type or shape that the engine uses.</summary>
    public bool TryWeight(out WeightInfo info)
    {
        info = default;
        DType type;
        switch (TypeName)
        {
            case "F32": type = DType.F32; break;
            case "F16": type = DType.F16; break;
            case "BF16": type = DType.BF16; break;
            case "I32": type = DType.I32; break;
            case "I64": type = DType.I64; break;
            case "U8": type = DType.U8; break;
            case "BOOL": type = DType.Bool; break;
            default: return false;
        }
        if (Dims.Length > Shape.MaxRank || Dims.Any(d => d is < 1 or > int.MaxValue)) return false;
        long count = 1;
        foreach (long d in Dims)
        {
            if (d > (1L << 40) / count) return false;
            count *= d;
        }
        info = new WeightInfo(Name, type, Dims.Length == 0 ? new Shape(1) : new Shape([.. Dims.Select(d => (int)d)]));
        return true;
    }
}

/// <summary>
/// The header of a safetensors file, checked as the format's reference reader checks it: length and cap, UTF-8, JSON, duplicate names,
/// known types, overflow of extents, offsets that overlap, leave holes, or do not cover the file.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>Longest header that the format allows, bytes.</summary>
    public const long MaxLength = 100_000_000;

    private SafetensorsHeader(List<SafetensorsEntry> entries, Dictionary<string, string> metadata, long dataStart) =>
        (Entries, Metadata, DataStart) = (entries, metadata, dataStart);

    /// <summary>Tensors in file order.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The <c>__metadata__</c> object.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Where tensor bytes begin in the file.</summary>
    public long DataStart { get; }

    /// <summary>Reads the length field; the header follows it.</summary>
    /// <param name="first">The file's first bytes: <see cref="ForeignFile.Start"/> of them, fewer if it is shorter.</param>
    /// <param name="fileLength">Bytes of the file.</param>
    /// <param name="file">Name for messages.</param>
    public static int ReadLength(ReadOnlySpan<byte> first, long fileLength, string file)
    {
        if (ForeignFile.DescribeWeights(first) is { } what) throw new CheckpointException($"'{file}' {what}.");
        if (first.Length < 8) throw Bad(file, $"it has {fileLength} bytes, too few for a header");
        ulong length = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(first);
        if (length > MaxLength) throw Bad(file, $"its header claims {length} bytes; the format allows {MaxLength}");
        if ((long)length + 8 > fileLength)
            throw Bad(file, $"its header claims {length} bytes, the whole file has {fileLength}: it is cut off, as a download that "
                + "has not finished");
        return (int)length;
    }

    /// <summary>Parses and checks a header.</summary>
    /// <param name="json">The header's bytes, without the length field.</param>
    /// <param name="fileLength">Bytes of the file.</param>
    /// <param name="file">Name for messages.</param>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, long fileLength, string file)
    {
        if (json.Length == 0 || json[0] != (byte)'{') throw Bad(file, "its header is no JSON object");
        var entries = new List<SafetensorsEntry>();
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            if (!System.Text.Unicode.Utf8.IsValid(json)) throw Bad(file, "its header is not valid UTF-8");
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
            reader.Read();
            var names = new HashSet<string>(StringComparer.Ordinal);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                if (!names.Add(name)) throw Bad(file, $"'{name}' is listed twice");
                reader.Read();
                if (name == "__metadata__") ReadMetadata(ref reader, metadata, file);
                else entries.Add(ReadEntry(ref reader, name, file));
            }
            while (reader.Read()) { }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or DecoderFallbackException)
        {
            throw Bad(file, "its header is not valid JSON: " + e.Message.TrimEnd('.'), e);
        }
        long dataStart = 8 + (long)json.Length;
        CheckCoverage(entries, fileLength - dataStart, file);
        return new SafetensorsHeader(entries, metadata, dataStart);
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, Dictionary<string, string> metadata, string file)
    {
        if (reader.TokenType == JsonTokenType.Null) return;
        if (reader.TokenType != JsonTokenType.StartObject) throw Bad(file, "its __metadata__ is no object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            if (!reader.Read() || reader.TokenType != JsonTokenType.String) throw Bad(file, $"its metadata '{key}' is no string");
            if (!metadata.TryAdd(key, reader.GetString()!)) throw Bad(file, $"its metadata '{key}' is listed twice");
        }
    }

    private static SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name, string file)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw Bad(file, $"tensor '{name}' is no object");
        string? type = null;
        List<long>? dims = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype" when type is null && reader.TokenType == JsonTokenType.String: type = reader.GetString(); break;
                case "shape" when dims is null: dims = ReadNumbers(ref reader, name, key, file); break;
                case "data_offsets" when offsets is null: offsets = ReadNumbers(ref reader, name, key, file); break;
                default: throw Bad(file, $"tensor '{name}' has an unknown, repeated or ill-typed field '{key}'");
            }
        }
        if (type is null || dims is null || offsets is not { Count: 2 })
            throw Bad(file, $"tensor '{name}' lacks dtype, shape or two data_offsets");
        int size = TypeSize(type);
        if (size == 0) throw Bad(file, $"tensor '{name}' has the unknown type '{type}'");
        long bytes = size;
        try
        {
            foreach (long d in dims) bytes = checked(bytes * d);
        }
        catch (OverflowException e)
        {
            throw Bad(file, $"tensor '{name}' has an impossible shape [{string.Join(", ", dims.Take(8))}]", e);
        }
        if (offsets[1] < offsets[0] || offsets[1] - offsets[0] != bytes)
            throw Bad(file, $"tensor '{name}' {type} [{string.Join(", ", dims.Take(8))}] needs {bytes} bytes, its offsets are "
                + $"{offsets[0]} to {offsets[1]}");
        return new SafetensorsEntry(name, type, [.. dims], offsets[0], offsets[1]);
    }

    private static List<long> ReadNumbers(ref Utf8JsonReader reader, string name, string key, string file)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw Bad(file, $"{key} of tensor '{name}' is no list");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long n) || n < 0)
                throw Bad(file, $"{key} of tensor '{name}' holds something that is no whole number from 0");
            numbers.Add(n);
        }
        return numbers;
    }

    private static void CheckCoverage(List<SafetensorsEntry> entries, long dataLength, string file)
    {
        entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        long at = 0;
        foreach (SafetensorsEntry e in entries)
        {
            if (e.Begin != at)
                throw Bad(file, $"tensor '{e.Name}' begins at byte {e.Begin}, "
                    + $"{(e.Begin < at ? "inside the tensor before it" : "leaving a hole")}; {at} was due");
            at = e.End;
        }
        if (at > dataLength)
            throw Bad(file, $"its header lists {at} bytes of tensors, of which {dataLength} are there: it is cut off, as a download "
                + "that has not finished");
        if (at < dataLength) throw Bad(file, $"its header lists {at} bytes of tensors, but {dataLength} are there");
    }

    private static int TypeSize(string type) => type switch
    {
        "BOOL" or "U8" or "I8" or "F8_E5M2" or "F8_E4M3" or "F8_E8M0" => 1,
        "I16" or "U16" or "F16" or "BF16" => 2,
        "I32" or "U32" or "F32" => 4,
        "I64" or "U64" or "F64" or "C64" => 8,
        _ => 0,
    };

    private static CheckpointException Bad(string file, string why, Exception? inner = null) =>
        new($"'{file}' is not a usable safetensors file: {why}. Download it again.", inner);
}
