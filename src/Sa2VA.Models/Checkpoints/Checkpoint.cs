using System.Text.Json;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The weights of a Hugging Face folder: <c>model.safetensors</c>, or <c>model.safetensors.index.json</c> with its shards. Files stay mapped
/// until <see cref="Dispose"/>.
/// </summary>
public sealed class Checkpoint : IWeightSource, IDisposable
{
    private const string SingleFile = "model.safetensors", IndexFile = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsFile> _byName = new(StringComparer.Ordinal);

    private Checkpoint(string folder) => Folder = folder;

    /// <summary>The folder as given.</summary>
    public string Folder { get; }

    /// <summary>Names of all tensors, in ordinal order.</summary>
    public IReadOnlyList<string> Names { get; private set; } = [];

    /// <summary>Bytes of all tensors as stored.</summary>
    public long Bytes { get; private set; }

    /// <summary>Files that hold tensors.</summary>
    public IReadOnlyList<string> Files => [.. _files.Select(f => f.Path)];

    /// <summary>Opens a folder and checks every header.</summary>
    /// <exception cref="CheckpointException">No weights in a readable format, a broken file, shards outside the folder, LoRA-wrapped names.</exception>
    public static Checkpoint Open(string folder)
    {
        if (!Directory.Exists(folder)) throw new CheckpointException($"There is no folder '{folder}'; give the folder of a downloaded checkpoint.");
        var checkpoint = new Checkpoint(folder);
        try
        {
            if (File.Exists(Path.Combine(folder, SingleFile))) checkpoint.AddFile(SingleFile);
            else if (File.Exists(Path.Combine(folder, IndexFile))) checkpoint.AddShards();
            else throw NoWeights(folder);
            checkpoint.Names = [.. checkpoint._byName.Keys.Order(StringComparer.Ordinal)];
            foreach (string name in checkpoint.Names)
                if (name.Contains("lora_", StringComparison.Ordinal) || name.StartsWith("base_model.", StringComparison.Ordinal))
                    throw new CheckpointException(
                        $"'{folder}' holds LoRA-wrapped tensors such as '{name}'; merge the adapter into the model (PEFT's merge_and_unload) and save it again.");
            return checkpoint;
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>True if a tensor of that name is stored, whatever its type.</summary>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <inheritdoc/>
    public bool TryDescribe(string name, out WeightInfo info)
    {
        info = default;
        return _byName.TryGetValue(name, out SafetensorsFile? file) && file.TryDescribe(name, out info);
    }

    /// <inheritdoc/>
    WeightData IWeightSource.Open(string name) => _byName.TryGetValue(name, out SafetensorsFile? file)
        ? file.Open(name)
        : throw new CheckpointException($"The checkpoint in '{Folder}' has no tensor '{name}'.");

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files) file.Dispose();
        _files.Clear();
        _byName.Clear();
    }

    private SafetensorsFile AddFile(string name)
    {
        var file = new SafetensorsFile(Path.Combine(Folder, name));
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
        if (!document.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object || map.GetPropertyCount() == 0)
            throw new CheckpointException($"'{index}' has no weight_map, or an empty one; download it again.");
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        var placed = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach (JsonProperty p in map.EnumerateObject())
        {
            string? shard = p.Value.ValueKind == JsonValueKind.String ? p.Value.GetString() : null;
            if (string.IsNullOrEmpty(shard) || shard.IndexOfAny(['/', '\\', ':', '\0']) >= 0 || shard is "." or "..")
                throw new CheckpointException($"'{index}' places tensor '{p.Name}' in '{shard}'; shards must be files of the same folder.");
            if (!shards.TryGetValue(shard, out SafetensorsFile? file)) shards.Add(shard, file = AddFile(shard));
            if (!file.Contains(p.Name))
                throw new CheckpointException($"'{index}' places tensor '{p.Name}' in '{shard}', which does not hold it; download both again.");
            if (!placed.TryAdd(p.Name, file)) throw new CheckpointException($"'{index}' lists tensor '{p.Name}' twice.");
        }
        foreach ((string name, SafetensorsFile file) in placed) _byName[name] = file;
    }

    private static CheckpointException NoWeights(string folder)
    {
        if (Directory.EnumerateFiles(folder, "*.bin").Any() || Directory.EnumerateFiles(folder, "*.pt*").Any())
            return new CheckpointException($"'{folder}' holds pickled weights (.bin), which can run code when read and are refused; "
                + "save the model again with safe_serialization=True.");
        if (File.Exists(Path.Combine(folder, "adapter_config.json")))
            return new CheckpointException($"'{folder}' holds a LoRA adapter alone; merge it into its base model and save that.");
        return new CheckpointException($"'{folder}' holds neither {SingleFile} nor {IndexFile}; give the folder of a downloaded checkpoint.");
    }
}
