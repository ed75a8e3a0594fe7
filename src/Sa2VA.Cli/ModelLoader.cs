using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Cli;

/// <summary>Loads a checkpoint with a progress line.</summary>
internal static class ModelLoader
{
    /// <summary>Loads a checkpoint.</summary>
    /// <param name="terminal">Shows the progress.</param>
    /// <param name="choice">Checkpoint.</param>
    /// <param name="device">Where to compute.</param>
    public static Sa2VAModel Load(Terminal terminal, ModelChoice choice, Device device)
    {
        var model = Sa2VAModel.Load(choice.Folder(), device, new ModelOptions { TrackerWeights = choice.TrackerWeights },
            progress: new Reports<LoadProgress>(p => terminal.Progress.Bytes("Loading", p.Bytes, p.TotalBytes)),
            cancellation: terminal.Cancellation);
        terminal.Progress.Clear();
        return model;
    }
}

/// <summary>Progress that is told at once, on the reporting thread.</summary>
internal sealed class Reports<T>(Action<T> report) : IProgress<T>
{
    /// <inheritdoc/>
    public void Report(T value) => report(value);
}
