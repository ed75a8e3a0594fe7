using System.Text.Json;
using System.Text.Unicode;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A JSON file of a checkpoint, read whole with a cap on its size.</summary>
internal static class JsonFile
{
    private const long MaxBytes = 64 << 20;
    private const int MaxDepth = 64;

    /// <summary>Parses a file whose root must be an object.</summary>
    /// <exception cref="CheckpointException">Missing, too large, or no JSON object.</exception>
    public static JsonDocument Read(string path)
    {
        try
        {
            long length = new FileInfo(path).Length;
            if (length > MaxBytes) throw new CheckpointException($"'{path}' has {length} bytes; at most {MaxBytes} are read.");
            byte[] bytes = File.ReadAllBytes(path);
            CheckText(bytes, path);
            JsonDocument document = JsonDocument.Parse(bytes, new JsonDocumentOptions { MaxDepth = MaxDepth });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
            throw new CheckpointException($"'{path}' is no JSON object.");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CheckpointException($"'{path}' is missing; a checkpoint's folder must hold it.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"'{path}' cannot be read: {e.Message}", e);
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"'{path}' is not valid JSON: {e.Message}", e);
        }
    }

    // JsonDocument decodes strings when they are asked for, and fails then; whoever asks should not have to expect it.
    private static void CheckText(byte[] bytes, string path)
    {
        if (!Utf8.IsValid(bytes)) throw new CheckpointException($"'{path}' is not valid UTF-8.");
        if (bytes.AsSpan().IndexOf("\\ud"u8) < 0 && bytes.AsSpan().IndexOf("\\uD"u8) < 0) return;
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
                throw new CheckpointException($"'{path}' is not valid JSON: the string at byte {reader.TokenStartIndex} holds half a surrogate pair.", e);
            }
        }
    }
}
