using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>How far the quantising of a checkpoint has come.</summary>
/// <param name="Done">Tensor bytes written.</param>
/// <param name="Total">Tensor bytes of the new checkpoint.</param>
public readonly record struct QuantizationProgress(long Done, long Total);

/// <summary>What became of a checkpoint.</summary>
/// <param name="Matrices">Matrices that are stored in few bits.</param>
/// <param name="BytesBefore">Tensor bytes of the original.</param>
/// <param name="BytesAfter">Tensor bytes of the new one.</param>
/// <param name="LeftOut">Tensors of types that the engine does not read, which nothing uses and which were left out.</param>
public sealed record QuantizationResult(int Matrices, long BytesBefore, long BytesAfter, int LeftOut);

/// <summary>
/// Writes a checkpoint anew with the language model's matrices in 8 or 4 bits (docs/model/quantized.md), by the rule by which they are
/// quantised when they are loaded: answers have the same bits.
/// </summary>
public static class Quantizer
{
    // What other programs would load, and what stands for the weights that are written anew.
    private static readonly string[] Weights = [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".gguf", ".ggml", ".onnx",
        ".onnx_data", ".h5", ".msgpack", ".pb", ".tflite", ".npz"];

    /// <summary>Writes a quantised checkpoint.</summary>
    /// <param name="folder">Folder of the original.</param>
    /// <param name="outFolder">Folder to write; not there, or empty. It is there when it is complete.</param>
    /// <param name="precision"><see cref="Precision.Int8"/> or <see cref="Precision.Int4"/>.</param>
    /// <param name="progress">Told after every block.</param>
    /// <param name="cancellation">Stops between blocks.</param>
    /// <exception cref="CheckpointException">
    /// The original cannot be used or is quantised already, the new folder holds files, or a file cannot be written.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; what was written is removed.</exception>
    public static QuantizationResult Write(string folder, string outFolder, Precision precision,
        IProgress<QuantizationProgress>? progress = null, CancellationToken cancellation = default) =>
        Write(folder, outFolder, precision, ShardWriter.ShardBytes, progress, cancellation);

    internal static QuantizationResult Write(string folder, string outFolder, Precision precision, long shardBytes,
        IProgress<QuantizationProgress>? progress, CancellationToken cancellation)
    {
        if (precision.WeightBits() == 16)
            throw new ArgumentOutOfRangeException(nameof(precision), precision, "Only int8 and int4 have fewer bits.");
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        if (config.Quantization is { } already)
            throw new CheckpointException($"'{folder}' is quantised already ({already.Precision.Name()}); give the checkpoint that it was "
                + "made from.");
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        TensorReport.Of(config, checkpoint).ThrowUnlessUsable(folder);
        var tensors = new NewTensors(config, checkpoint, precision);
        NewFolder.Write(outFolder, to =>
        {
            WriteConfig(folder, to, new StoredQuantization(precision));
            CopyFiles(folder, to);
            ShardWriter.Write(to, tensors.All, tensors.Fill, shardBytes, new Reports(tensors.Bytes, progress), cancellation);
        });
        return new QuantizationResult(tensors.Matrices, checkpoint.Bytes, tensors.Bytes, tensors.LeftOut);
    }

    private static void WriteConfig(string from, string to, StoredQuantization quantization)
    {
        using JsonDocument config = JsonFile.Read(Path.Combine(from, CheckpointFolder.ConfigFile));
        ShardWriter.WriteJson(to, CheckpointFolder.ConfigFile, json =>
        {
            json.WriteStartObject();
            foreach (JsonProperty field in config.RootElement.EnumerateObject())
                // One that is there says null.
                if (field.Name != StoredQuantization.Field) field.WriteTo(json);
            quantization.Write(json);
            json.WriteEndObject();
        });
    }

    private static void CopyFiles(string from, string to)
    {
        foreach (string file in Directory.EnumerateFiles(from))
        {
            string name = Path.GetFileName(file);
            if (name is CheckpointFolder.ConfigFile or Checkpoint.IndexFile
                || Weights.Contains(Path.GetExtension(name), StringComparer.OrdinalIgnoreCase)) continue;
            using FileStream source = RegularFile.Open(file);
            using var target = new FileStream(Path.Combine(to, name), FileMode.CreateNew, FileAccess.Write);
            source.CopyTo(target);
        }
    }

    private sealed class Reports(long total, IProgress<QuantizationProgress>? progress) : IProgress<long>
    {
        public void Report(long value) => progress?.Report(new QuantizationProgress(value, total));
    }
}
