using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// What a frame of a stream has while it is in work, and while it is the newest: its features, and what is found of each object on it.
/// </summary>
internal sealed class FrameSet : IDisposable
{
    private readonly FrameInput _input;

    public FrameSet(SegmentationModel model)
    {
        Features = new FrameFeatures(model);
        _input = new FrameInput(model, Features.Image);
    }

    /// <summary>Read by every object.</summary>
    public FrameFeatures Features { get; }

    /// <summary>A row for each object; null as long as there is none.</summary>
    public MaskResults? Results { get; set; }

    /// <summary>True while a frame is in work here.</summary>
    public bool IsTaken { get; set; }

    /// <summary>Makes ready for pictures of a size.</summary>
    public void Prepare((int Width, int Height) size, CancellationToken cancellation) => _input.Prepare(size, cancellation);

    /// <summary>Enqueues encoding a picture of any size.</summary>
    public void Encode(ImageView picture, CancellationToken cancellation) =>
        Features.Encode(_input.Write(picture, cancellation), cancellation);

    public void Dispose()
    {
        Results?.Dispose();
        _input.Dispose();
        Features.Dispose();
    }
}
