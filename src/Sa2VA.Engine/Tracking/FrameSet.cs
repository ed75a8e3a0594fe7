using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// What a frame of a stream has while it is in work, and while it is the newest: its features, and what is found of each object on it.
/// </summary>
internal sealed class FrameSet : IDisposable
{
    private readonly FrameInput _input;

    /// <param name="model">Model.</param>
    /// <param name="report">Told how far a frame is; null for nobody.</param>
    public FrameSet(SegmentationModel model, Action<double>? report)
    {
        if (report is not null) Progress = new FrameProgress(report) { IsQuiet = true };
        Features = new FrameFeatures(model, Progress);
        _input = new FrameInput(model, Features.Image);
    }

    /// <summary>Read by every object.</summary>
    public FrameFeatures Features { get; }

    /// <summary>How far the frame is; null if nobody wants to know.</summary>
    public FrameProgress? Progress { get; }

    /// <summary>A row for each object; null as long as there is none.</summary>
    public MaskResults? Results { get; set; }

    /// <summary>True while a frame is in work here.</summary>
    public bool IsTaken { get; set; }

    /// <summary>Makes ready for pictures of a size.</summary>
    public void Prepare((int Width, int Height) size, CancellationToken cancellation) => _input.Prepare(size, cancellation);

    /// <summary>Enqueues encoding a picture of any size.</summary>
    public void Encode(ImageView picture, CancellationToken cancellation)
    {
        Progress?.Begin();
        Features.Encode(_input.Write(picture, cancellation), cancellation);
    }

    public void Dispose()
    {
        Results?.Dispose();
        _input.Dispose();
        Features.Dispose();
    }
}
