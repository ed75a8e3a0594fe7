using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Verification;

namespace Sa2VA.Cli.Verifying;

/// <summary>How a predict case fared.</summary>
/// <param name="Path">Its file.</param>
/// <param name="Case">The case.</param>
/// <param name="Result">Comparison; null if it was skipped.</param>
/// <param name="SkipReason">Why it was skipped, or null.</param>
/// <param name="Seconds">How long it took, without loading the model.</param>
internal sealed record PredictRun(string Path, PredictCase Case, PredictResult? Result, string? SkipReason, double Seconds)
{
    /// <summary>The verdict.</summary>
    public StageStatus Status => Result is null ? StageStatus.Skipped : Result.Passed ? StageStatus.Passed
        : Result.IsTie ? StageStatus.Tied : StageStatus.Failed;
}

/// <summary>Runs predict cases; a model stays loaded as long as the next case needs it.</summary>
/// <param name="modelFolder">The checkpoint of all; null for each case's own.</param>
/// <param name="device">Where to compute with weights that are stored for a precision, or for any.</param>
/// <param name="notes">Told what might not be expected.</param>
/// <param name="cancellation">Stops between two ops.</param>
internal sealed class PredictRuns(string? modelFolder, Func<Precision?, Device> device, HeldNotes notes, CancellationToken cancellation)
    : IDisposable
{
    private Sa2VAModel? _model;
    private string? _folder, _skip;

    /// <summary>Runs a case.</summary>
    /// <exception cref="CheckpointException">The case or its checkpoint is missing or broken.</exception>
    public PredictRun Run(string path)
    {
        cancellation.ThrowIfCancellationRequested();
        PredictCase predict = PredictCase.Read(path);
        Open(modelFolder ?? Locate(predict));
        if (_model is null) return new PredictRun(path, predict, null, _skip, 0);
        long start = Stopwatch.GetTimestamp();
        PredictResult result;
        try
        {
            result = PredictResult.Run(predict, _model, cancellation);
        }
        catch (PromptException e)
        {
            // The recorded prompt does not fit this checkpoint: the case fails, the others still run.
            result = new PredictResult(predict, false, false, [], 0, e.Message, MaskBound.Of(_model.Precision));
        }
        return new PredictRun(path, predict, result, null, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    /// <inheritdoc/>
    public void Dispose() => _model?.Dispose();

    private void Open(string folder)
    {
        if (folder == _folder) return;
        _model?.Dispose();
        (_model, _folder, _skip) = (null, folder, null);
        // A checkpoint that was found, not named: recordings are carried without the weights where these are too large.
        if (modelFolder is null && !Directory.EnumerateFiles(folder, "*.safetensors").Any())
        {
            _skip = $"the weights of {Path.GetFileName(folder)} are not here";
            return;
        }
        _model = Sa2VAModel.Load(folder, device(Sa2VAConfig.Read(folder).Quantization?.Precision), cancellation: cancellation);
        foreach (string note in _model.Config.Notes) notes.Add(note);
    }

    private static string Locate(PredictCase predict)
    {
        if (predict.Model.IndexOfAny(['/', '\\', ':', '\0']) >= 0 || predict.Model is "" or "." or "..")
            throw new CheckpointException($"'{predict.Path}' names the model '{predict.Model}', which is no folder name.");
        for (string? at = Path.GetFullPath(predict.Root); at is not null; at = Path.GetDirectoryName(at))
            foreach (string folder in (string[])[at, Path.Combine(at, "samples")])
                if (Path.Combine(folder, "models", predict.Model) is var candidate && Directory.Exists(candidate)) return candidate;
        throw new CheckpointException($"'{predict.Path}' needs the checkpoint '{predict.Model}', and there is no folder "
            + $"models/{predict.Model} above it; name the checkpoint's folder with --model.");
    }
}
