using System.Globalization;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Writes the weights and JSON files of a checkpoint's folder.</summary>
internal static class ShardWriter
{
    /// <summary>Most tensor bytes of a file; a larger checkpoint is split into shards.</summary>
    public const long ShardBytes = 4_000_000_000;

    /// <summary>Writes <c>model.safetensors</c>, or shards with their index.</summary>
    /// <param name="folder">Folder that is there.</param>
    /// <param name="tensors">Names, types and shapes.</param>
    /// <param name="fill">Gives the elements.</param>
    /// <param name="shardBytes">Most tensor bytes of a file.</param>
    /// <param name="progress">Gets the tensor bytes written so far.</param>
    /// <param name="cancellation">Stops between blocks.</param>
    public static void Write(
        string folder, IReadOnlyList<WeightInfo> tensors, TensorFill fill, long shardBytes, IProgress<long>? progress,
        CancellationToken cancellation)
    {
        List<List<WeightInfo>> shards = Split(tensors, shardBytes);
        long before = 0;
        string[] names = shards.Count == 1
            ? ["model.safetensors"]
            : [.. Enumerable.Range(1, shards.Count)
                .Select(i => string.Create(CultureInfo.InvariantCulture, $"model-{i:D5}-of-{shards.Count:D5}.safetensors"))];
        for (int i = 0; i < shards.Count; i++)
        {
            SafetensorsWriter.Write(Path.Combine(folder, names[i]), shards[i], fill, progress: new Reports(before, progress),
                cancellation: cancellation);
            before += shards[i].Sum(t => t.Bytes);
        }
        if (shards.Count == 1) return;
        WriteJson(folder, "model.safetensors.index.json", json =>
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", before);
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            for (int i = 0; i < shards.Count; i++)
                foreach (WeightInfo tensor in shards[i]) json.WriteString(tensor.Name, names[i]);
            json.WriteEndObject();
            json.WriteEndObject();
        });
    }

    /// <summary>Writes a JSON file that is not there yet.</summary>
    public static void WriteJson(string folder, string name, Action<Utf8JsonWriter> write)
    {
        using var stream = new FileStream(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        write(json);
    }

    private static List<List<WeightInfo>> Split(IReadOnlyList<WeightInfo> tensors, long shardBytes)
    {
        List<List<WeightInfo>> shards = [[]];
        long size = 0;
        foreach (WeightInfo tensor in tensors)
        {
            if (size > 0 && size + tensor.Bytes > shardBytes)
            {
                shards.Add([]);
                size = 0;
            }
            shards[^1].Add(tensor);
            size += tensor.Bytes;
        }
        return shards;
    }

    private sealed class Reports(long before, IProgress<long>? progress) : IProgress<long>
    {
        public void Report(long value) => progress?.Report(before + value);
    }
}
