using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;

namespace Sa2VA.Cli;

/// <summary>Loads a checkpoint with a progress line.</summary>
internal static class ModelLoader
{
    /// <summary>Loads a checkpoint.</summary>
    /// <param name="terminal">Shows the progress.</param>
    /// <param name="folder">Checkpoint.</param>
    /// <param name="device">Device's name.</param>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    public static Sa2VAModel Load(Terminal terminal, string folder, string device = "auto", int threads = 0)
    {
        var model = Sa2VAModel.Load(folder, Device(device, threads),
            progress: new Reports<LoadProgress>(p => terminal.Progress.Bytes("Loading", p.Bytes, p.TotalBytes)),
            cancellation: terminal.Cancellation);
        terminal.Progress.Clear();
        return model;
    }

    private static Device Device(string name, int threads) => name switch
    {
        "auto" or "cpu" => new CpuDevice { Threads = threads },
        _ => throw new DeviceException($"There is no device '{name}'; auto and cpu are supported."),
    };
}

/// <summary>Progress that is told at once, on the reporting thread.</summary>
internal sealed class Reports<T>(Action<T> report) : IProgress<T>
{
    /// <inheritdoc/>
    public void Report(T value) => report(value);
}
