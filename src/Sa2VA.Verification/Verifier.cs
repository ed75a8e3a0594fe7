using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Verification.Stages;

namespace Sa2VA.Verification;

/// <summary>
/// Recomputes what golden files record and compares. Opened checkpoints are kept until <see cref="Dispose"/>. Not for two threads at a
/// time.
/// </summary>
public sealed class Verifier : IDisposable
{
    private readonly VerifierOptions _options;
    private readonly Dictionary<string, ModelSource> _models = new(StringComparer.Ordinal);
    private IBackend? _backend;
    private string? _backendKey;

    /// <summary>Creates a verifier; nothing is opened yet.</summary>
    public Verifier(VerifierOptions? options = null) => _options = options ?? new VerifierOptions();

    /// <summary>Lists the golden files that paths stand for.</summary>
    /// <param name="paths">Golden files, and folders that are searched for them, in order; other files of a folder are passed over.</param>
    /// <exception cref="CheckpointException">A path does not exist, or a safetensors file of a folder is broken.</exception>
    public static IReadOnlyList<string> Expand(IEnumerable<string> paths)
    {
        var files = new List<string>();
        foreach (string path in paths)
        {
            if (File.Exists(path)) files.Add(path);
            else if (Directory.Exists(path))
                files.AddRange(Directory.EnumerateFiles(path, "*.safetensors", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
                    .Where(GoldenFile.IsGolden));
            else throw new CheckpointException($"There is no file or folder '{path}'; give golden files or folders of them.");
        }
        return files;
    }

    /// <summary>Verifies golden files, each when the result before it has been taken.</summary>
    /// <param name="paths">Golden files, and folders that are searched for them.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="CheckpointException">A file or a checkpoint is missing, broken, or lacks what a stage reads.</exception>
    /// <exception cref="DeviceMemoryException">The device's memory does not suffice.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public IEnumerable<StageResult> Run(IEnumerable<string> paths, CancellationToken cancellation = default)
    {
        foreach (string path in Expand(paths)) yield return Verify(path, cancellation);
    }

    /// <summary>Verifies one golden file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <exception cref="CheckpointException">The file or its checkpoint is missing, broken, or lacks what the stage reads.</exception>
    /// <exception cref="DeviceMemoryException">The device's memory does not suffice.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public StageResult Verify(string path, CancellationToken cancellation = default)
    {
        cancellation.ThrowIfCancellationRequested();
        long start = Stopwatch.GetTimestamp();
        using var golden = new GoldenFile(path);
        var result = new StageResult { Path = path, Stage = golden.Stage, Model = golden.Model };
        if (StageCatalog.SkipReason(golden) is { } reason) return result with { SkipReason = reason };

        IReadOnlyList<TensorCheck> checks;
        try
        {
            (StageOutputs outputs, Precision precision) = Compute(golden, cancellation);
            checks = outputs.Compare(golden, precision, precision == Precision.Float32 ? RecordedErrors.None : RecordedErrors.Near(path));
        }
        catch (GraphException e)
        {
            // The engine could not record or run what upstream did: that is a failure of the stage, not of the file.
            checks = [TensorCheck.Failed(golden.Stage, e.Message)];
        }
        return result with { Checks = checks, Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _backend?.Dispose();
        _backend = null;
        foreach (ModelSource model in _models.Values) model.Dispose();
        _models.Clear();
    }

    private (StageOutputs Outputs, Precision Precision) Compute(GoldenFile golden, CancellationToken cancellation)
    {
        string? key = ModelSource.Locate(golden, _options.ModelFolder);
        Func<StageContext, StageOutputs> stage = StageCatalog.Find(golden.Stage)!;
        if (key is null)
        {
            using IBackend backend = _options.CreateBackend(null);
            return (stage(new StageContext(golden, () => golden.Weights, null, backend, cancellation)), backend.Precision);
        }
        if (!_models.TryGetValue(key, out ModelSource? model))
        {
            _models.Add(key, model = ModelSource.Open(key));
            foreach (string note in model.Config.Notes) _options.OnNote?.Invoke(note);
        }
        if (_backendKey != key)
        {
            _backend?.Dispose();
            (_backend, _backendKey) = (null, null);
            (_backend, _backendKey) = (_options.CreateBackend(model.Config.Quantization?.Precision), key);
        }
        return (stage(new StageContext(golden, () => model.Weights, model.Config, _backend!, cancellation)), _backend!.Precision);
    }
}
