using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// Brings pictures to the image encoder: as they are to the device, where they are resized. What that takes is made for the size that comes
/// and kept while it stays the same.
/// </summary>
internal sealed class FrameInput : IDisposable
{
    private readonly SegmentationModel _model;
    private readonly DeviceQueue _queue;
    private readonly DeviceBuffer _target;
    private (int Width, int Height) _size;
    private DeviceBuffer? _picture;
    private ExecutionPlan? _plan;
    private BoundPlan? _resize;
    private byte[] _rgb = [];

    /// <param name="model">Model.</param>
    /// <param name="target">What the image encoder reads [S, S, 3].</param>
    public FrameInput(SegmentationModel model, DeviceBuffer target)
    {
        (_model, _queue, _target) = (model, model.EncoderQueue, target);
        int side = model.Config.ImageSize;
        _size = (side, side);
    }

    /// <summary>Makes ready for pictures of a size.</summary>
    public void Prepare((int Width, int Height) size, CancellationToken cancellation)
    {
        if (size == _size) return;
        // What is left of a failure is as good as what there is for pictures of the encoder's size: nothing.
        Dispose();
        int side = _model.Config.ImageSize;
        _size = (side, side);
        if (size == _size) return;
        var g = new GraphBuilder("frame resize", _model.Weights);
        Tensor picture = g.Input("picture", DType.U8, new Shape(size.Height, size.Width, 3));
        Tensor frame = g.Output("frame", g.PillowResize(picture, side, side));
        try
        {
            _plan = _model.Backend.Compile(g.Build(), cancellation);
            _picture = _model.Backend.Allocate("picture", DType.U8, picture.Shape);
            _resize = _plan.Bind(_queue, new PlanBuffers(_plan.Graph).Add(picture, _picture).Add(frame, _target));
            _size = size;
        }
        catch
        {
            Dispose();
            throw;
        }
    }
    /// <summary>Enqueues writing and resizing a picture.</summary>
    /// <returns>Where that begins.</returns>
    public Fence Write(ImageView picture, CancellationToken cancellation)
    {
        Prepare((picture.Width, picture.Height), cancellation);
        Fence begin = _queue.Mark();
        DeviceBuffer to = _picture ?? _target;
        int row = picture.Width * 3;
        if (picture.Format == PixelFormat.Rgb24 && picture.Stride == row) _queue.Write(to, picture.Pixels);
        else
        {
            if (_rgb.Length != row * picture.Height) _rgb = new byte[row * picture.Height];
            for (int y = 0; y < picture.Height; y++) picture.CopyRow(y, _rgb.AsSpan(y * row, row));
            _queue.Write<byte>(to, _rgb);
        }
        if (_resize is not null) _queue.Run(_resize, cancellation);
        return begin;
    }

    public void Dispose()
    {
        _resize?.Dispose();
        _picture?.Dispose();
        _plan?.Dispose();
        (_resize, _picture, _plan) = (null, null, null);
    }
}
