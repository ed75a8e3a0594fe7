using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification;

/// <summary>The checkpoint that golden files name: a folder beside the goldens, or a formula.</summary>
internal sealed class ModelSource : IDisposable
{
    private const string SyntheticPrefix = "synthetic:";
    private readonly Lazy<IWeightSource> _weights;

    private ModelSource(string key, Sa2VAConfig config, Func<IWeightSource> open)
    {
        (Key, Config) = (key, config);
        _weights = new Lazy<IWeightSource>(open);
    }

    /// <summary>Tells models apart: the folder, or the formula's name.</summary>
    public string Key { get; }

    /// <summary>Weights, opened when they are first asked for: some stages are rules that read none.</summary>
    public IWeightSource Weights => _weights.Value;

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
            return new ModelSource(key, preset, () => new SyntheticWeights(preset));
        }
        return new ModelSource(key, Sa2VAConfig.Read(key), () => Checkpoint.Open(key));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_weights.IsValueCreated) (_weights.Value as Checkpoint)?.Dispose();
    }
}
