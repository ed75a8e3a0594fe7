using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// A checkpoint beside original SAM 2 weights, whose mask decoder tracks (docs/model/checkpoint.md#tracker-weights): Sa2VA's own was
/// fine-tuned to answer words, all else of SAM 2 was frozen. The names are Meta's, without a prefix.
/// </summary>
internal sealed class TrackerWeights : IWeightSource, IDisposable
{
    private const string Stored = MaskDecoder.Name + ".", Shown = MaskDecoder.TrackerPrefix;

    private const string Convert = "python3 -c \"import torch; from safetensors.torch import save_file; "
        + "save_file({k: v.contiguous() for k, v in torch.load('sam2_hiera_large.pt', map_location='cpu', weights_only=True)"
        + "['model'].items()}, 'sam2_hiera_large.safetensors')\"";

    // What SAM 2.1 has and 2.0 has not.
    private static readonly string[] Newer = ["obj_ptr_tpos_proj.weight", "no_obj_embed_spatial"];

    private readonly IWeightSource _model;
    private readonly SafetensorsFile _tracker;

    private TrackerWeights(IWeightSource model, SafetensorsFile tracker) => (_model, _tracker) = (model, tracker);

    /// <summary>The names of the tracker's tensors, in ordinal order.</summary>
    public IEnumerable<string> TrackerNames => _tracker.Entries.Select(e => e.Name)
        .Where(n => n.StartsWith(Stored, StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(n => Shown + n[Stored.Length..]);

    /// <summary>Opens them.</summary>
    /// <param name="path">A safetensors file, or a folder with one.</param>
    /// <param name="model">The checkpoint; not owned.</param>
    /// <param name="config">Says which tensors there must be.</param>
    /// <exception cref="CheckpointException">They cannot be read, or belong to another network; the message says what to do.</exception>
    public static TrackerWeights Open(string path, IWeightSource model, Sa2VAConfig config)
    {
        string file = FileOf(path);
        if (Path.GetExtension(file).ToLowerInvariant() is ".pt" or ".pth" or ".bin" or ".ckpt" or ".pkl")
        {
            throw new CheckpointException(
                $"'{file}' is a pickled file, which can run code when read and is refused. Convert it: {Convert}");
        }
        var tracker = new SafetensorsFile(file);
        try
        {
            Check(tracker, config);
            return new TrackerWeights(model, tracker);
        }
        catch
        {
            tracker.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public bool TryDescribe(string name, out WeightInfo info)
    {
        if (!name.StartsWith(Shown, StringComparison.Ordinal)) return _model.TryDescribe(name, out info);
        if (!_tracker.TryDescribe(Stored + name[Shown.Length..], out info)) return false;
        info = info with { Name = name };
        return true;
    }

    /// <inheritdoc/>
    public WeightData Open(string name) => name.StartsWith(Shown, StringComparison.Ordinal)
        ? _tracker.Open(Stored + name[Shown.Length..]) : _model.Open(name);

    /// <inheritdoc/>
    public QuantizedData? OpenQuantized(string name) => _model.OpenQuantized(name);

    /// <inheritdoc/>
    public void Dispose() => _tracker.Dispose();

    private static string FileOf(string path)
    {
        if (!Directory.Exists(path))
        {
            return File.Exists(path) ? path : throw new CheckpointException(
                $"There are no tracker weights '{path}'; give the safetensors file of SAM 2 (sam2_hiera_large). Make it so: {Convert}");
        }
        string[] files = [.. Directory.EnumerateFiles(path, "*.safetensors").Order(StringComparer.Ordinal)];
        if (files.Length == 1) return files[0];
        if (files.Length > 1) throw new CheckpointException($"'{path}' holds {files.Length} safetensors files; give the one of SAM 2.");
        return Directory.EnumerateFiles(path, "*.pt").Order(StringComparer.Ordinal).FirstOrDefault()
            ?? throw new CheckpointException($"'{path}' holds no safetensors file. Make it so: {Convert}");
    }

    private static void Check(SafetensorsFile tracker, Sa2VAConfig config)
    {
        if (Newer.FirstOrDefault(tracker.Contains) is { } newer)
        {
            throw new CheckpointException($"'{tracker.Path}' is SAM 2.1 (it has '{newer}'); Sa2VA is built on SAM 2.0, whose features "
                + "another decoder does not know. Give sam2_hiera_large.");
        }
        if (!tracker.Entries.Any(e => e.Name.StartsWith(Stored, StringComparison.Ordinal)))
        {
            string first = tracker.Entries.Count > 0 ? tracker.Entries[0].Name : "";
            throw new CheckpointException($"'{tracker.Path}' has no tensor '{Stored}…'"
                + (tracker.Entries.Any(e => e.Name.StartsWith(CheckpointTensors.GroundingPrefix, StringComparison.Ordinal))
                    ? ": it is a Sa2VA checkpoint, whose decoder is the fine-tuned one. Give the original weights of SAM 2."
                    : tracker.Entries.Any(e => e.Name.StartsWith("mask_decoder.", StringComparison.Ordinal))
                        ? $": it has the names of Hugging Face's own classes. Convert Meta's file: {Convert}"
                        : $" (its first is '{first}'). Give the weights of SAM 2 with Meta's names. Make it so: {Convert}"));
        }
        List<string> missing = [], misshapen = [];
        const string prefix = CheckpointTensors.GroundingPrefix + ".";
        foreach ((string name, Shape shape) in CheckpointTensors.Of(config))
        {
            if (!name.StartsWith(prefix, StringComparison.Ordinal)) continue;
            string stored = name[prefix.Length..];
            if (tracker.TryDescribe(stored, out WeightInfo info))
            {
                if (!info.Type.IsFloat() || info.Shape != shape) misshapen.Add($"{stored}: stored {info.Type} {info.Shape}, needs {shape}");
            }
            else if (stored.StartsWith(Stored, StringComparison.Ordinal)) missing.Add(stored);
        }
        if (missing.Count + misshapen.Count == 0) return;
        throw new CheckpointException($"'{tracker.Path}' does not fit the checkpoint. "
            + (missing.Count > 0 ? $"Missing: {string.Join("; ", missing.Take(3))}{Rest(missing.Count)}. " : "")
            + (misshapen.Count > 0 ? $"Of another shape: {string.Join("; ", misshapen.Take(3))}{Rest(misshapen.Count)}. " : "")
            + "Give the weights of the SAM 2 that the checkpoint was made from (sam2_hiera_large for released ones).");

        static string Rest(int count) => count > 3 ? FormattableString.Invariant($" and {count - 3} more") : "";
    }
}
