using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// What the image encoder makes of a picture: once, when first needed, for all sessions that have the picture from one another.
/// </summary>
/// <param name="model">Model.</param>
/// <param name="image">The picture.</param>
internal sealed class PictureFeatures(SegmentationModel model, RgbImage image) : IDisposable
{
    private readonly SemaphoreSlim _encoding = new(1);
    private FrameFeatures? _features;
    private int _holders = 1;

    /// <summary>The picture.</summary>
    public RgbImage Image => image;

    /// <summary>How often the image encoder has run: at most once.</summary>
    public long EncoderRuns => Volatile.Read(ref _features)?.EncoderRuns ?? 0;

    /// <summary>Has one more holder; each disposes it once.</summary>
    public PictureFeatures Share()
    {
        Interlocked.Increment(ref _holders);
        return this;
    }

    /// <summary>The features, encoded the first time.</summary>
    /// <param name="progress">Told the share that is done, when they are encoded; null for nobody.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public async Task<FrameFeatures> GetAsync(Action<double>? progress, CancellationToken cancellation)
    {
        if (Volatile.Read(ref _features) is { } known) return known;
        await _encoding.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (_features is not null) return _features;
            var features = new FrameFeatures(model);
            try
            {
                using var input = new FrameInput(model, features.Image);
                features.Encode(input.Write(image.View, cancellation), cancellation, progress);
                await features.Encoded.WhenReached().ConfigureAwait(false);
                cancellation.ThrowIfCancellationRequested();
            }
            catch
            {
                features.Dispose();
                throw;
            }
            progress?.Invoke(1);
            Volatile.Write(ref _features, features);
            return features;
        }
        finally
        {
            _encoding.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Decrement(ref _holders) == 0) _features?.Dispose();
    }
}
