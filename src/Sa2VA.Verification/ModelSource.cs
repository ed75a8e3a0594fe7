using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification;

/// <summary>The checkpoint that golden files name: a folder beside the goldens, or a formula.</summary>
internal sealed class ModelSource : IDisposable
{
    private const string SyntheticPrefix = "synthetic:";
    private readonly Checkpoint? _checkpoint;

    private ModelSource(string key, IWeightSource weights, Sa2VAConfig config)
    {
        (Key, Weights, Config) = (key, weights, config);
        _checkpoint = weights as Checkpoint;
    }

    /// <summary>Tells models apart: the folder, or the formula's name.</summary>
    public string Key { get; }

    /// <summary>Weights.</summary>
    public IWeightSource Weights { get; }

    /// <summary>Sizes.</summary>
    public Sa2VAConfig Config { get; }

    /// <summary>Where a golden file's model is, as <see cref="Open"/> takes it; null when the weights are inside.</summary>
    /// <exception cref="CheckpointException">There is no such folder.</exception>
    public static string? Locate(GoldenFile golden, string? folder)
    {
        if (golden.Model.Length == 0) return null;
        if (golden.Model.StartsWith(SyntheticPrefix, StringComparison.Ordinal)) return golden.Model;
        if (folder is not null) return folder;
        if (golden.Model.IndexOfAny(['/', '\\', ':', '\0']) >= 0 || golden.Model is "." or "..")
            throw golden.Bad($"names the model '{golden.Model}', which is no folder name");
        for (string? at = Path.GetDirectoryName(Path.GetFullPath(golden.Path)); at is not null; at = Path.GetDirectoryName(at))
        {
            foreach (string candidate in (string[])[Path.Combine(at, "models"), Path.Combine(at, "samples", "models")])
                if (Directory.Exists(Path.Combine(candidate, golden.Model))) return Path.Combine(candidate, golden.Model);
        }
        throw new CheckpointException(
            $"'{golden.Path}' needs the checkpoint '{golden.Model}', and there is no folder models/{golden.Model} or "
            + $"samples/models/{golden.Model} above it; name the checkpoint's folder.");
    }

    /// <summary>Opens a checkpoint; a formula's weights are computed when they are read.</summary>
    public static ModelSource Open(string key)
    {
        if (key.StartsWith(SyntheticPrefix, StringComparison.Ordinal))
        {
            Sa2VAConfig preset = SyntheticPresets.Get(key[SyntheticPrefix.Length..]);
            return new ModelSource(key, new SyntheticWeights(preset), preset);
        }
        Sa2VAConfig config = Sa2VAConfig.Read(key);
        return new ModelSource(key, Checkpoint.Open(key), config);
    }

    /// <inheritdoc/>
    public void Dispose() => _checkpoint?.Dispose();
}
