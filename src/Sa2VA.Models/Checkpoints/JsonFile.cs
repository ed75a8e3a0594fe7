using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The one reader of a checkpoint's JSON files: UTF-8 with or without a byte order mark, no field twice in one object, no comments, a cap
/// on the size and on the depth. A safetensors header, which allows no byte order mark, is <see cref="SafetensorsHeader"/>'s.
/// </summary>
internal static class JsonFile
{
    /// <summary>Most bytes of a file; the largest of a published checkpoint, a tokenizer.json, has 11 MB.</summary>
    public const long MaxBytes = 64 << 20;

    private const int MaxDepth = 64;

    /// <summary>Parses a file whose root must be an object.</summary>
    /// <exception cref="CheckpointException">Missing, too large, not JSON, or no JSON object.</exception>
    public static JsonDocument Read(string path) => Parse(ReadBytes(path, MaxBytes), path);

    /// <summary>The bytes of a checkpoint's file that is read whole.</summary>
    /// <exception cref="CheckpointException">Missing, empty, too large, or of a kind that <see cref="ForeignFile"/> knows.</exception>
    public static byte[] ReadBytes(string path, long largest)
    {
        try
        {
            using var stream = RegularFile.Open(path);
            long length = stream.Length;
            if (length > largest)
                throw new CheckpointException($"'{path}' has {length} bytes; at most {largest} are read. Download it again.");
            byte[] bytes = new byte[length];
            stream.ReadExactly(bytes);
            if (ForeignFile.Describe(bytes.AsSpan(0, Math.Min(bytes.Length, ForeignFile.Start))) is { } what)
                throw new CheckpointException($"'{path}' {what}.");
            return bytes;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw ForeignFile.Missing(path, e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new CheckpointException($"'{path}' cannot be read: {FileTrouble.Cause(e)}.", e);
        }
    }

    /// <summary>Parses the bytes of a file.</summary>
    /// <param name="bytes">All of them.</param>
    /// <param name="path">Name for messages.</param>
    public static JsonDocument Parse(ReadOnlyMemory<byte> bytes, string path)
    {
        ReadOnlyMemory<byte> json = bytes.Span.StartsWith("\uFEFF"u8) ? bytes[3..] : bytes;
        if (!Utf8.IsValid(json.Span))
            throw new CheckpointException($"'{path}' is not valid UTF-8; save it as UTF-8, or download it again.");
        try
        {
            CheckText(json.Span, path);
            JsonDocument document =
                JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth, AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
            throw new CheckpointException($"'{path}' is no JSON object.");
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"'{path}' is not valid JSON: {Cause(json.Span, e)}; correct it, or download it again.", e);
        }
    }

    // JsonDocument decodes strings when they are asked for, and fails then; whoever asks should not have to expect it.
    private static void CheckText(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes.IndexOf("\\ud"u8) < 0 && bytes.IndexOf("\\uD"u8) < 0) return;
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read())
        {
            if (!reader.ValueIsEscaped) continue;
            try
            {
                _ = reader.GetString();
            }
            catch (InvalidOperationException e)
            {
                throw new CheckpointException(
                    $"'{path}' is not valid JSON: the string at byte {reader.TokenStartIndex} holds half a surrogate pair.", e);
            }
        }
    }

    private static string Cause(ReadOnlySpan<byte> json, JsonException e)
    {
        if (e.LineNumber is not { } line)
            return Duplicate(json) is { } name ? $"it lists the field '{name}' twice in one object" : "an object lists a field twice";
        int start = 0;
        for (long n = line; n > 0; n--) start += json[start..].IndexOf((byte)'\n') + 1;
        int at = (int)Math.Min(start + (e.BytePositionInLine ?? 0), json.Length);
        string place = string.Create(CultureInfo.InvariantCulture, $"line {line + 1}, byte {at - start + 1}");
        ReadOnlySpan<byte> rest = json[at..], before = json[..at].TrimEnd(" \t\r\n"u8);
        if (Depth(json[..at]) > MaxDepth) return $"it nests deeper than {MaxDepth} levels at {place}";
        if (rest.TrimStart(" \t\r\n"u8).IsEmpty) return $"it breaks off at {place}";
        if (rest.StartsWith("NaN"u8) || rest.StartsWith("Infinity"u8)) return $"NaN and Infinity are no JSON numbers ({place})";
        if (rest[0] is (byte)'/' or (byte)'#') return $"comments are not allowed ({place})";
        if (rest[0] is (byte)'}' or (byte)']' && before.EndsWith(","u8)) return $"a comma has nothing behind it ({place})";
        if (rest[0] is (byte)'\'') return $"names and texts must stand in double quotes ({place})";
        if (rest[0] is > 0x20 and < 0x7F) return $"'{(char)rest[0]}' cannot stand at {place}";
        return $"the character at {place} cannot stand there";
    }

    private static int Depth(ReadOnlySpan<byte> json)
    {
        int depth = 0;
        bool text = false;
        for (int i = 0; i < json.Length; i++)
        {
            if (json[i] == '"') text = !text;
            else if (text && json[i] == '\\') i++;
            else if (!text) depth += json[i] is (byte)'{' or (byte)'[' ? 1 : json[i] is (byte)'}' or (byte)']' ? -1 : 0;
        }
        return depth + 1;
    }

    private static string? Duplicate(ReadOnlySpan<byte> json)
    {
        var open = new Stack<HashSet<string>>();
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        while (reader.Read())
        {
            if (reader.TokenType == JsonTokenType.StartObject) open.Push(new HashSet<string>(StringComparer.Ordinal));
            else if (reader.TokenType == JsonTokenType.EndObject) open.Pop();
            else if (reader.TokenType == JsonTokenType.PropertyName && reader.GetString() is { } name && !open.Peek().Add(name))
                return name;
        }
        return null;
    }
}
