using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Gives bytes of a tensor to <see cref="SafetensorsWriter"/>.</summary>
/// <param name="tensor">The tensor.</param>
/// <param name="start">First element wanted, row-major.</param>
/// <param name="target">To be filled: whole elements, little-endian.</param>
public delegate void TensorFill(WeightInfo tensor, long start, Span<byte> target);

/// <summary>
/// Writes a safetensors file front to back in blocks, so that memory does not grow with the tensors. The file appears under its name when
/// it is complete; until then it lies beside it, and it is removed when writing fails or is cancelled.
/// </summary>
public static class SafetensorsWriter
{
    private const int BlockBytes = 16 << 20;

    /// <summary>Writes a file, replacing one of that name.</summary>
    /// <param name="path">File to write.</param>
    /// <param name="tensors">
    /// Names, types and shapes, in the order of the file; wider types are moved ahead of narrower ones, which keeps all aligned.
    /// </param>
    /// <param name="fill">Gives the elements; called in file order.</param>
    /// <param name="metadata">The <c>__metadata__</c> object; null writes <c>format: pt</c>, which loaders of the original ask for.</param>
    /// <param name="progress">Gets the tensor bytes written so far, block by block.</param>
    /// <param name="cancellation">Stops between blocks.</param>
    /// <exception cref="CheckpointException">
    /// The file cannot be written, two tensors have one name, or the header passes the format's cap.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing is left behind.</exception>
    public static void Write(
        string path, IReadOnlyList<WeightInfo> tensors, TensorFill fill, IReadOnlyDictionary<string, string>? metadata = null,
        IProgress<long>? progress = null, CancellationToken cancellation = default)
    {
        WeightInfo[] ordered = [.. tensors.OrderByDescending(t => t.Type.Size())];
        byte[] header = Header(path, ordered, metadata ?? new Dictionary<string, string> { ["format"] = "pt" });
        string partial = $"{path}.{Path.GetRandomFileName()}.part";
        bool complete = false;
        byte[] block = GC.AllocateUninitializedArray<byte>(
            (int)Math.Min(BlockBytes, Math.Max(1, ordered.Select(t => t.Bytes).DefaultIfEmpty().Max())));
        try
        {
            cancellation.ThrowIfCancellationRequested();
            using (var stream = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1))
            {
                stream.Write(header);
                long written = 0;
                foreach (WeightInfo tensor in ordered)
                {
                    for (long at = 0; at < tensor.Bytes; at += BlockBytes)
                    {
                        cancellation.ThrowIfCancellationRequested();
                        Span<byte> target = block.AsSpan(0, (int)Math.Min(BlockBytes, tensor.Bytes - at));
                        fill(tensor, at / tensor.Type.Size(), target);
                        stream.Write(target);
                        progress?.Report(written += target.Length);
                    }
                }
            }
            File.Move(partial, path, overwrite: true);
            complete = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"'{path}' cannot be written: {FileTrouble.Cause(e)}; give another place.", e);
        }
        finally
        {
            if (!complete) Remove(partial);
        }
    }

    private static byte[] Header(string path, WeightInfo[] tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            foreach ((string key, string value) in metadata) json.WriteString(key, value);
            json.WriteEndObject();
            long at = 0;
            foreach (WeightInfo tensor in tensors)
            {
                if (!names.Add(tensor.Name))
                    throw new CheckpointException($"'{path}' cannot be written: two tensors are called '{tensor.Name}'.");
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", TypeName(tensor.Type));
                json.WriteStartArray("shape");
                for (int i = 0; i < tensor.Shape.Rank; i++) json.WriteNumberValue(tensor.Shape[i]);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at += tensor.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        // Padded with spaces so that tensors are aligned in a mapped file.
        int length = (buffer.WrittenCount + 7) / 8 * 8;
        if (length > SafetensorsHeader.MaxLength)
            throw new CheckpointException(
                $"'{path}' cannot be written: its header would have {length} bytes; the format allows "
                    + $"{SafetensorsHeader.MaxLength}. Write fewer tensors to a file.");
        byte[] header = new byte[8 + length];
        BinaryPrimitives.WriteInt64LittleEndian(header, length);
        header.AsSpan(8).Fill((byte)' ');
        buffer.WrittenSpan.CopyTo(header.AsSpan(8));
        return header;
    }

    private static string TypeName(DType type) => type switch
    {
        DType.F32 => "F32",
        DType.F16 => "F16",
        DType.BF16 => "BF16",
        DType.I32 => "I32",
        DType.I64 => "I64",
        DType.Bool => "BOOL",
        _ => "U8",
    };

    private static void Remove(string partial)
    {
        try
        {
            File.Delete(partial);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that led here says more than a file that stays behind.
        }
    }
}
