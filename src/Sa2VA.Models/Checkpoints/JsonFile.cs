using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>A JSON file of a checkpoint, read whole with a cap on its size.</summary>
internal static class JsonFile
{
    private const long MaxBytes = 64 << 20;

    /// <summary>Parses a file whose root must be an object.</summary>
    /// <exception cref="CheckpointException">Missing, too large, or no JSON object.</exception>
    public static JsonDocument Read(string path)
    {
        try
        {
            long length = new FileInfo(path).Length;
            if (length > MaxBytes) throw new CheckpointException($"'{path}' has {length} bytes; at most {MaxBytes} are read.");
            JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { MaxDepth = 64 });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
            throw new CheckpointException($"'{path}' is no JSON object.");
        }
        catch (FileNotFoundException e)
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
}
