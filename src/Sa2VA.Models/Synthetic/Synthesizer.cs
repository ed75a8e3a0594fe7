using System.Runtime.InteropServices;
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
        Write(SyntheticPresets.Get(preset), outFolder, tokenizerFolder, ShardWriter.ShardBytes, progress, cancellation);

    internal static void Write(
        Sa2VAConfig config, string outFolder, string? tokenizerFolder, long shardBytes, IProgress<SynthesisProgress>? progress,
        CancellationToken cancellation)
    {
        IReadOnlyList<WeightInfo> tensors = new SyntheticWeights(config).Tensors;
        long total = tensors.Sum(t => t.Bytes);
        NewFolder.Write(outFolder, folder =>
        {
            // What can be refused is refused before gigabytes are written.
            if (tokenizerFolder is not null) SyntheticTokenizerFiles.Write(config, tokenizerFolder, folder);
            ShardWriter.WriteJson(folder, CheckpointFolder.ConfigFile, json => SyntheticConfigFile.Write(json, config));
            ShardWriter.WriteJson(folder, "generation_config.json", json =>
            {
                json.WriteStartObject();
                json.WriteBoolean("_from_model_config", true);
                json.WriteEndObject();
            });
            ShardWriter.Write(folder, tensors, Fill, shardBytes, new Reports(total, progress), cancellation);
        });
    }

    private static unsafe void Fill(WeightInfo tensor, long start, Span<byte> target)
    {
        Span<BFloat16> values = MemoryMarshal.Cast<byte, BFloat16>(target);
        fixed (BFloat16* at = values) SyntheticWeights.FillParallel(tensor, start, at, values.Length);
    }

    private sealed class Reports(long total, IProgress<SynthesisProgress>? progress) : IProgress<long>
    {
        public void Report(long value) => progress?.Report(new SynthesisProgress(value, total));
    }
}
