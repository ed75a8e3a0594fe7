using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>Brings pictures of one size to the image encoder: as they are to the device, where they are resized.</summary>
internal sealed class FrameInput : IDisposable
{
    private readonly DeviceQueue _queue;
    private readonly DeviceBuffer _target;
    private readonly DeviceBuffer? _picture;
    private readonly ExecutionPlan? _plan;
    private readonly BoundPlan? _resize;
    private byte[] _rgb = [];

    /// <param name="model">Model.</param>
    /// <param name="target">What the image encoder reads [S, S, 3].</param>
    /// <param name="width">Columns of the pictures.</param>
    /// <param name="height">Rows of the pictures.</param>
    public FrameInput(SegmentationModel model, DeviceBuffer target, int width, int height)
    {
        (_queue, _target) = (model.EncoderQueue, target);
        int side = model.Config.ImageSize;
        if ((width, height) == (side, side)) return;
        var g = new GraphBuilder("frame resize", model.Weights);
        Tensor picture = g.Input("picture", DType.U8, new Shape(height, width, 3));
        Tensor frame = g.Output("frame", g.PillowResize(picture, side, side));
        _plan = model.Backend.Compile(g.Build());
        try
        {
            _picture = model.Backend.Allocate("picture", DType.U8, picture.Shape);
            _resize = _plan.Bind(_queue, new PlanBuffers(_plan.Graph).Add(picture, _picture).Add(frame, target));
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
        Fence begin = _queue.Mark();
        DeviceBuffer to = _picture ?? _target;
        int row = picture.Width * 3;
        if (picture.Format == PixelFormat.Rgb24 && picture.Stride == row) _queue.Write(to, picture.Pixels);
        else
        {
            if (_rgb.Length == 0) _rgb = new byte[row * picture.Height];
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
    }
}
