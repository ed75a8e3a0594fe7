using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>A weight source that tells how much of it has been read.</summary>
internal sealed class ReportingWeights(IWeightSource source, long totalBytes, IProgress<LoadProgress>? progress) : IWeightSource
{
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private long _bytes;
    private string _stage = "";
    private IProgress<LoadProgress>? _progress = progress;

    /// <summary>Names what is being prepared.</summary>
    public void Begin(string stage)
    {
        _stage = stage;
        Report();
    }

    /// <summary>The model is loaded: plans that a long conversation needs later read weights again, which is no longer told.</summary>
    public void End()
    {
        Begin("ready");
        _progress = null;
    }

    /// <inheritdoc/>
    public bool TryDescribe(string name, out WeightInfo info) => source.TryDescribe(name, out info);

    /// <inheritdoc/>
    public WeightData Open(string name)
    {
        WeightData data = source.Open(name);
        Read(name, data.Info.Bytes);
        return data;
    }

    /// <inheritdoc/>
    public QuantizedData? OpenQuantized(string name)
    {
        QuantizedData? data = source.OpenQuantized(name);
        if (data is not null) Read(name, data.Bytes);
        return data;
    }

    private void Read(string name, long bytes)
    {
        if (_progress is null) return;
        lock (_read)
        {
            if (_read.Add(name)) _bytes += bytes;
        }
        Report();
    }

    private void Report() => _progress?.Report(new LoadProgress(_stage, _bytes, Math.Max(_bytes, totalBytes)));
}
