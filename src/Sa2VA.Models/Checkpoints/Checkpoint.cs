using System.Text.Json;
using System.Text.RegularExpressions;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The weights of a Hugging Face folder: <c>model.safetensors</c>, or <c>model.safetensors.index.json</c> with its shards. Files stay
/// mapped until <see cref="Dispose"/>.
/// </summary>
public sealed partial class Checkpoint : IWeightSource, IDisposable
{
    internal const string IndexFile = "model.safetensors.index.json";
    private const string SingleFile = "model.safetensors";

    private readonly List<SafetensorsFile> _files = [];
    // What a wrapper's loader puts in front of the names of what it wraps; some writers leave it out.
    private const string Wrapper = "model.";
    private static readonly string[] Unwrapped = ["model.language_model.", "model.visual.", "lm_head."];

    // Sa2VA-i keeps SAM 2's own decoder under its name, for tracking, and Sa2VA's beside it.
    private const string OwnDecoder = CheckpointTensors.GroundingPrefix + "." + MaskDecoder.Name + ".",
        TunedDecoder = CheckpointTensors.GroundingPrefix + ".sam_mask_decoder_modified.";

    private readonly Dictionary<string, SafetensorsFile> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _storedName = new(StringComparer.Ordinal);

    private Dictionary<string, QuantizedTensor> _quantized = [];

    private Checkpoint(string folder) => Folder = folder;

    /// <summary>The folder as given.</summary>
    public string Folder { get; }

    /// <summary>Its name: that of its folder, and of one in the cache of Hugging Face the model's.</summary>
    public string Name => HubSnapshot.Of(Folder)?.Model ?? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Folder)));

    /// <summary>Names of all tensors, in ordinal order.</summary>
    public IReadOnlyList<string> Names { get; private set; } = [];

    /// <summary>Bytes of all tensors as stored.</summary>
    public long Bytes { get; private set; }

    /// <summary>Files that hold tensors.</summary>
    public IReadOnlyList<string> Files => [.. _files.Select(f => f.Path)];

    /// <summary>Opens a folder and checks every header.</summary>
    /// <exception cref="CheckpointException">
    /// No weights in a readable format, a broken file, shards outside the folder, LoRA-wrapped names.
    /// </exception>
    public static Checkpoint Open(string folder)
    {
        CheckpointFolder.Check(folder);
        var checkpoint = new Checkpoint(folder);
        try
        {
            if (File.Exists(Path.Combine(folder, SingleFile))) checkpoint.AddFile(SingleFile);
            else if (File.Exists(Path.Combine(folder, IndexFile))) checkpoint.AddShards();
            else throw NoWeights(folder);
            checkpoint.AddWrapper();
            checkpoint.NameDecoders();
            checkpoint.Names = [.. checkpoint._byName.Keys.Order(StringComparer.Ordinal)];
            checkpoint._quantized = QuantizedTensors.Of(checkpoint.Names, checkpoint);
            foreach (string name in checkpoint.Names)
                if (name.Contains("lora_", StringComparison.Ordinal) || name.StartsWith("base_model.", StringComparison.Ordinal))
                    throw new CheckpointException(
                        $"'{folder}' holds LoRA-wrapped tensors such as '{name}'; merge the adapter into the model (PEFT's "
                            + "merge_and_unload) and save it again.");
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>True if a tensor of that name is stored, whatever its type, or its codes are.</summary>
    public bool Contains(string name) => _byName.ContainsKey(name) || _quantized.ContainsKey(name);

    /// <inheritdoc/>
    public bool TryDescribe(string name, out WeightInfo info)
    {
        info = default;
        if (_byName.TryGetValue(name, out SafetensorsFile? file))
        {
            if (!file.TryDescribe(Stored(name), out info)) return false;
            info = info with { Name = name };
            return true;
        }
        if (!_quantized.TryGetValue(name, out QuantizedTensor codes)) return false;
        // What codes stand for.
        info = new WeightInfo(name, DType.BF16, codes.Shape);
        return true;
    }

    /// <inheritdoc/>
    WeightData IWeightSource.Open(string name)
    {
        if (_byName.TryGetValue(name, out SafetensorsFile? file)) return file.Open(Stored(name)); // which refuses to once it is closed
        throw new CheckpointException(_quantized.ContainsKey(name)
            ? $"The checkpoint in '{Folder}' stores '{name}' in few bits and runs in that precision alone: leave out --precision, or give "
                + "the checkpoint that it was made from."
            : $"The checkpoint in '{Folder}' has no tensor '{name}'.");
    }

    /// <inheritdoc/>
    public QuantizedData? OpenQuantized(string name)
    {
        if (!_quantized.TryGetValue(name, out QuantizedTensor found)) return null;
        WeightData codes = ((IWeightSource)this).Open(QuantizedTensors.Codes(name, found.Bits));
        WeightData? scales = null;
        try
        {
            scales = ((IWeightSource)this).Open(QuantizedTensors.Scales(name));
            return new QuantizedData(name, found.Bits, codes, scales);
        }
        catch
        {
            codes.Dispose();
            scales?.Dispose();
            throw;
        }
    }

    /// <summary>The matrices that are stored in codes.</summary>
    internal IReadOnlyDictionary<string, QuantizedTensor> Quantized => _quantized;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files) file.Dispose();
    }

    /// <summary>True if another mask decoder is stored for tracking, as in Sa2VA-i (docs/model/checkpoint.md#tracker-weights).</summary>
    public bool HasTracker { get; private set; }

    /// <summary>The name under which a tensor is stored, or would be.</summary>
    internal string NameInFile(string name)
    {
        if (!HasTracker) return Stored(name);
        if (name.StartsWith(OwnDecoder, StringComparison.Ordinal)) return TunedDecoder + name[OwnDecoder.Length..];
        return name.StartsWith(MaskDecoder.TrackerPrefix, StringComparison.Ordinal)
            ? OwnDecoder + name[MaskDecoder.TrackerPrefix.Length..] : Stored(name);
    }

    private string Stored(string name) => _storedName.GetValueOrDefault(name, name);

    /// <summary>Gives tensors of a Qwen-VL kind the names that they have with their wrapper (docs/model/qwen-vl.md#tensors).</summary>
    private void AddWrapper()
    {
        if (!_byName.Keys.Any(n => n.StartsWith(Unwrapped[0], StringComparison.Ordinal))) return;
        foreach (string name in (string[])[.. _byName.Keys])
        {
            bool wrapped = Unwrapped.Any(u => name.StartsWith(u, StringComparison.Ordinal));
            if (!wrapped || !_byName.TryAdd(Wrapper + name, _byName[name])) continue;
            _byName.Remove(name);
            _storedName.Add(Wrapper + name, name);
        }
    }

    /// <summary>Gives the decoders of Sa2VA-i their names: what answers words has that of the only one of others.</summary>
    private void NameDecoders()
    {
        string[] names = [.. _byName.Keys];
        HasTracker = names.Any(n => n.StartsWith(TunedDecoder, StringComparison.Ordinal));
        if (!HasTracker) return;
        foreach ((string from, string to) in ((string, string)[])[(OwnDecoder, MaskDecoder.TrackerPrefix), (TunedDecoder, OwnDecoder)])
        {
            foreach (string name in names.Where(n => n.StartsWith(from, StringComparison.Ordinal)))
            {
                string shown = to + name[from.Length..];
                _byName.Remove(name, out SafetensorsFile? file);
                _byName.Add(shown, file!);
                _storedName.Add(shown, name);
            }
        }
    }

    private SafetensorsFile AddFile(string name)
    {
        string path = Path.Combine(Folder, name);
        // This one keeps the file at full length while it is incomplete, so nothing else would tell.
        if (File.Exists(path + ".aria2"))
            throw new CheckpointException(
                $"'{path}.aria2' shows that the download of '{path}' has not finished; download it again to the end.");
        var file = new SafetensorsFile(path);
        _files.Add(file);
        foreach (SafetensorsEntry e in file.Entries)
        {
            _byName.TryAdd(e.Name, file);
            Bytes += e.End - e.Begin;
        }
        return file;
    }

    private void AddShards()
    {
        string index = Path.Combine(Folder, IndexFile);
        using JsonDocument document = JsonFile.Read(index);
        if (!document.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object
            || map.GetPropertyCount() == 0)
            throw new CheckpointException($"'{index}' has no weight_map, or an empty one; download it again.");
        var placed = new List<(string Tensor, string Shard)>();
        foreach (JsonProperty p in map.EnumerateObject())
        {
            string? shard = p.Value.ValueKind == JsonValueKind.String ? p.Value.GetString() : null;
            if (string.IsNullOrEmpty(shard) || shard.IndexOfAny(['/', '\\', ':', '\0']) >= 0 || shard is "." or "..")
                throw new CheckpointException($"'{index}' places tensor '{p.Name}' in '{shard}'; shards must be files of the same folder.");
            placed.Add((p.Name, shard));
        }
        string[] shards = [.. placed.Select(p => p.Shard).Distinct(StringComparer.Ordinal)];
        CheckShards(index, shards);
        Dictionary<string, SafetensorsFile> files = shards.ToDictionary(s => s, AddFile, StringComparer.Ordinal);
        foreach ((string tensor, string shard) in placed)
        {
            SafetensorsFile file = files[shard];
            if (!file.Contains(tensor))
                throw new CheckpointException(
                    $"'{index}' places tensor '{tensor}' in '{shard}', which does not hold it; download both again.");
            _byName[tensor] = file;
        }
    }

    private void CheckShards(string index, string[] shards)
    {
        string[] missing = [.. shards.Where(s => !File.Exists(Path.Combine(Folder, s)))];
        if (missing.Length == 1) throw ForeignFile.Missing(Path.Combine(Folder, missing[0]));
        if (missing.Length > 1)
            throw new CheckpointException(
                $"{missing.Length} of the {shards.Length} files that '{index}' lists are missing, "
                    + $"'{Path.Combine(Folder, missing[0])}' first; "
                + (HubSnapshot.Of(Folder)?.Completion ?? "download them into the same folder."));
        // A shard of the same set that the index does not know holds tensors that nobody would read.
        string? stray = Directory.EnumerateFiles(Folder, "*.safetensors").Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)
            .FirstOrDefault(f => ShardName().IsMatch(f) && !shards.Contains(f, StringComparer.Ordinal));
        if (stray is not null)
            throw new CheckpointException($"'{index}' does not list '{stray}', which stands beside it: the two are of different downloads. "
                + "Download the index again, or remove the file if it does not belong here.");
    }

    /// <summary>The error that a folder has no weights that are read, with what it has instead.</summary>
    internal static CheckpointException NoWeights(string folder)
    {
        if (ForeignFile.UnfinishedDownload(Path.Combine(folder, SingleFile)) is not null)
            return ForeignFile.Missing(Path.Combine(folder, SingleFile));
        if (ForeignFile.UnfinishedDownload(Path.Combine(folder, IndexFile)) is not null)
            return ForeignFile.Missing(Path.Combine(folder, IndexFile));
        const string Convert = "convert them to safetensors: load the model in Python and save_pretrained(…, safe_serialization=True)";
        string[] names = [.. Directory.EnumerateFiles(folder).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];
        if (names.FirstOrDefault(n => ShardName().IsMatch(n)) is { } shard)
            return new CheckpointException($"'{folder}' holds shards such as '{shard}' without their {IndexFile}; download that too.");
        if (names.Contains("adapter_config.json"))
            return new CheckpointException(
                $"'{folder}' holds a LoRA adapter alone; merge it into its base model (PEFT's merge_and_unload) and save that.");
        if (Has(".bin", ".pt", ".pth", ".ckpt", ".pkl") is { } pickled)
            return new CheckpointException(
                $"'{folder}' holds pickled weights ('{pickled}'), which can run code when read and are refused; {Convert}.");
        if (Has(".gguf", ".ggml") is { } gguf)
            return new CheckpointException(
                $"'{folder}' holds GGUF weights of llama.cpp ('{gguf}'), which are not read; get the checkpoint as safetensors.");
        if (Has(".onnx", ".onnx_data") is { } onnx)
            return new CheckpointException(
                $"'{folder}' holds an ONNX export ('{onnx}'), which is not read; get the checkpoint as safetensors.");
        if (Has(".h5", ".msgpack", ".pb", ".tflite", ".npz") is { } other)
            return new CheckpointException($"'{folder}' holds weights of another framework ('{other}'), which are not read; {Convert}.");
        if (Has(".safetensors") is { } named)
            return new CheckpointException(
                $"'{folder}' holds '{named}', but neither {SingleFile} nor {IndexFile}, the names that a checkpoint's weights have.");
        if (Has(".zip", ".tar", ".gz", ".7z", ".rar", ".zst") is { } archive)
            return new CheckpointException($"'{folder}' holds neither {SingleFile} nor {IndexFile}; unpack '{archive}' first.");
        if (HubSnapshot.Of(folder) is { } snapshot)
            return new CheckpointException($"'{folder}' holds neither {SingleFile} nor {IndexFile}; {snapshot.Completion}");
        return new CheckpointException(
            $"'{folder}' holds neither {SingleFile} nor {IndexFile}; give the folder of a downloaded checkpoint.");

        string? Has(params string[] extensions) => names.FirstOrDefault(n => extensions.Contains(Path.GetExtension(n).ToLowerInvariant()));
    }

    [GeneratedRegex(@"^model-\d{5}-of-\d{5}\.safetensors$", RegexOptions.CultureInvariant)]
    private static partial Regex ShardName();
}
