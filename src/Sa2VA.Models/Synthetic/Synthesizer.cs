using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>How far the writing of a synthetic checkpoint has come.</summary>
/// <param name="Done">Tensor bytes written.</param>
/// <param name="Total">Tensor bytes of the checkpoint.</param>
public readonly record struct SynthesisProgress(long Done, long Total);

/// <summary>
/// Writes synthetic checkpoints (docs/model/synthetic.md) as folders that any loader of the released models opens: config.json, weights,
/// and tokenizer files where a base tokenizer is given.
/// </summary>
public static class Synthesizer
{
    /// <summary>Most tensor bytes of a file; a larger checkpoint is split into shards.</summary>
    private const long ShardBytes = 4_000_000_000;

    /// <summary>Writes the checkpoint of a preset.</summary>
    /// <param name="preset">One of <see cref="SyntheticPresets.Names"/>.</param>
    /// <param name="outFolder">Folder to write; created, or empty.</param>
    /// <param name="tokenizerFolder">
    /// Tokenizer of the base language model, whose files are extended by the added tokens; null writes none.
    /// </param>
    /// <param name="progress">Told after every block.</param>
    /// <param name="cancellation">Stops between blocks.</param>
    /// <exception cref="CheckpointException">
    /// No such preset, the folder holds files, a tokenizer that does not fit, or a file cannot be written.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; what was written is removed.</exception>
    public static void Write(
        string preset, string outFolder, string? tokenizerFolder = null, IProgress<SynthesisProgress>? progress = null,
        CancellationToken cancellation = default) =>
        Write(SyntheticPresets.Get(preset), outFolder, tokenizerFolder, ShardBytes, progress, cancellation);

    internal static void Write(
        Sa2VAConfig config, string outFolder, string? tokenizerFolder, long shardBytes, IProgress<SynthesisProgress>? progress,
        CancellationToken cancellation)
    {
        bool complete = false, existed = Directory.Exists(outFolder);
        try
        {
            if (File.Exists(outFolder) || (existed && Directory.EnumerateFileSystemEntries(outFolder).Any()))
                throw new CheckpointException($"'{outFolder}' holds files, which are not overwritten; give a new or an empty folder.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(outFolder, e);
        }
        try
        {
            Directory.CreateDirectory(outFolder);
            // What can be refused is refused before gigabytes are written.
            if (tokenizerFolder is not null) SyntheticTokenizerFiles.Write(config, tokenizerFolder, outFolder);
            WriteJson(outFolder, "config.json", json => SyntheticConfigFile.Write(json, config));
            WriteJson(outFolder, "generation_config.json", json =>
            {
                json.WriteStartObject();
                json.WriteBoolean("_from_model_config", true);
                json.WriteEndObject();
            });
            WriteWeights(new SyntheticWeights(config).Tensors, outFolder, shardBytes, progress, cancellation);
            complete = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotWrite(outFolder, e);
        }
        finally
        {
            if (!complete) Remove(outFolder, existed);
        }
    }

    private static void WriteWeights(
        IReadOnlyList<WeightInfo> tensors, string folder, long shardBytes, IProgress<SynthesisProgress>? progress,
        CancellationToken cancellation)
    {
        List<List<WeightInfo>> shards = Split(tensors, shardBytes);
        long total = tensors.Sum(t => t.Bytes), before = 0;
        string[] names = shards.Count == 1
            ? ["model.safetensors"]
            : [.. Enumerable.Range(1, shards.Count)
                .Select(i => string.Create(CultureInfo.InvariantCulture, $"model-{i:D5}-of-{shards.Count:D5}.safetensors"))];
        for (int i = 0; i < shards.Count; i++)
        {
            var written = new Reports(before, total, progress);
            SafetensorsWriter.Write(Path.Combine(folder, names[i]), shards[i], Fill, progress: written, cancellation: cancellation);
            before += shards[i].Sum(t => t.Bytes);
        }
        if (shards.Count == 1) return;
        WriteJson(folder, "model.safetensors.index.json", json =>
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", total);
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            for (int i = 0; i < shards.Count; i++)
                foreach (WeightInfo tensor in shards[i]) json.WriteString(tensor.Name, names[i]);
            json.WriteEndObject();
            json.WriteEndObject();
        });
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

    private static unsafe void Fill(WeightInfo tensor, long start, Span<byte> target)
    {
        Span<BFloat16> values = MemoryMarshal.Cast<byte, BFloat16>(target);
        fixed (BFloat16* at = values) SyntheticWeights.FillParallel(tensor, start, at, values.Length);
    }

    private static void WriteJson(string folder, string name, Action<Utf8JsonWriter> write)
    {
        using var stream = new FileStream(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write);
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        write(json);
    }

    // The folder was empty or not there, so all that it holds was written here.
    private static void Remove(string folder, bool existed)
    {
        try
        {
            if (!Directory.Exists(folder)) return;
            foreach (string file in Directory.EnumerateFiles(folder)) File.Delete(file);
            if (!existed) Directory.Delete(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that led here says more than a file that stays behind.
        }
    }

    private static CheckpointException CannotWrite(string folder, Exception e) =>
        new($"'{folder}' cannot be written: {FileTrouble.Cause(e)}; give another folder.", e);

    private sealed class Reports(long before, long total, IProgress<SynthesisProgress>? progress) : IProgress<long>
    {
        public void Report(long value) => progress?.Report(new SynthesisProgress(before + value, total));
    }
}
