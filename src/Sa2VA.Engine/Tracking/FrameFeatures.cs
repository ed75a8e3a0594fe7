using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// The features of the frame that a stream is at, or comes to next: encoded once, read by every object on it. Reused from frame to frame.
/// </summary>
internal sealed class FrameFeatures : IDisposable
{
    /// <summary>What makes features, for messages.</summary>
    public const string Stage = "The image encoder";

    private readonly SegmentationModel _model;
    private readonly BoundPlan _plan;
    private readonly FrameProgress.Part? _progress;
    private readonly DeviceBuffer? _trackerS0, _trackerS1;

    /// <param name="model">Model.</param>
    /// <param name="progress">Told how far a frame is; null for nobody.</param>
    public FrameFeatures(SegmentationModel model, FrameProgress? progress = null)
    {
        _model = model;
        if (progress is not null) _progress = new FrameProgress.Part(progress);
        ImageEncoderGraph graph = model.ImageEncoder.Graph;
        try
        {
            Image = model.Backend.Allocate("frame", graph.Image.Type, graph.Image.Shape);
            F = model.Backend.Allocate("frame features", DType.F32, graph.F.Shape);
            S0 = model.Backend.Allocate("frame features /4", DType.F32, graph.High.S0.Shape);
            S1 = model.Backend.Allocate("frame features /8", DType.F32, graph.High.S1.Shape);
            PlanBuffers buffers = new PlanBuffers(graph.Graph).Add(graph.Image, Image).Add(graph.F, F).Add(graph.High.S0, S0)
                .Add(graph.High.S1, S1);
            if (graph.TrackerHigh is { } high)
            {
                _trackerS0 = model.Backend.Allocate("frame features /4 of the tracker", DType.F32, high.S0.Shape);
                _trackerS1 = model.Backend.Allocate("frame features /8 of the tracker", DType.F32, high.S1.Shape);
                buffers.Add(high.S0, _trackerS0).Add(high.S1, _trackerS1);
            }
            _plan = model.ImageEncoder.Plan.Bind(model.EncoderQueue, buffers);
        }
        catch
        {
            Image?.Dispose();
            F?.Dispose();
            S0?.Dispose();
            S1?.Dispose();
            _trackerS0?.Dispose();
            _trackerS1?.Dispose();
            throw;
        }
    }

    /// <summary>What is encoded: 8-bit levels [S, S, 3].</summary>
    public DeviceBuffer Image { get; }

    /// <summary>Tokens [G², D].</summary>
    public DeviceBuffer F { get; }

    /// <summary>[4G, 4G, D/8].</summary>
    public DeviceBuffer S0 { get; }

    /// <summary>[2G, 2G, D/4].</summary>
    public DeviceBuffer S1 { get; }

    /// <summary>When the latest features are there: whoever reads them on another queue waits for that.</summary>
    public Fence Encoded { get; private set; }

    /// <summary>How often the image encoder ran.</summary>
    public long EncoderRuns { get; private set; }

    /// <summary>Enqueues encoding the next frame.</summary>
    /// <param name="image">8-bit levels [S, S, 3].</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Encode(ReadOnlySpan<byte> image, CancellationToken cancellation = default)
    {
        int side = _model.Config.ImageSize;
        if (image.Length != side * side * 3)
            throw new MediaException($"A frame for the image encoder has {side}×{side}×3 values, not {image.Length}; resize it first.");
        Fence begin = _model.EncoderQueue.Mark();
        _model.EncoderQueue.Write(Image, image);
        Encode(begin, cancellation);
    }

    /// <summary>Enqueues encoding what is in <see cref="Image"/>.</summary>
    /// <param name="begin">Where bringing it there begins.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    /// <param name="progress">Told the share that is done, where no frame's progress is told; null for nobody.</param>
    public void Encode(Fence begin, CancellationToken cancellation, Action<double>? progress = null)
    {
        if (_progress is null) _plan.Progress = progress;
        else _progress.Enqueue(_plan);
        _model.EncoderQueue.Run(_plan, cancellation);
        _plan.Progress = null;
        Encoded = _model.EncoderQueue.Mark().Since(begin);
        EncoderRuns++;
    }

    /// <summary>False if a feature is NaN or infinite. Reads everything from the device: only to explain a failure.</summary>
    public bool IsFinite() => FiniteCheck.IsFinite(_model.Queue, F) && FiniteCheck.IsFinite(_model.Queue, S0)
        && FiniteCheck.IsFinite(_model.Queue, S1) && (_trackerS0 is null || FiniteCheck.IsFinite(_model.Queue, _trackerS0))
        && (_trackerS1 is null || FiniteCheck.IsFinite(_model.Queue, _trackerS1));

    /// <inheritdoc/>
    public void Dispose()
    {
        _plan.Dispose();
        Image.Dispose();
        F.Dispose();
        S0.Dispose();
        S1.Dispose();
        _trackerS0?.Dispose();
        _trackerS1?.Dispose();
    }

    /// <summary>Has a plan read the features.</summary>
    /// <param name="buffers">The plan's.</param>
    /// <param name="inputs">What it reads.</param>
    /// <param name="f">Tokens to be read instead, which know of an object's past; null for the frame's own.</param>
    internal void AddTo(PlanBuffers buffers, FrameInputs inputs, DeviceBuffer? f = null) =>
        buffers.Add(inputs.F, f ?? F).Add(inputs.High.S0, S0).Add(inputs.High.S1, S1);

    /// <summary>Has a plan of the decoder that tracks read the features.</summary>
    internal void AddToTracker(PlanBuffers buffers, FrameInputs inputs) =>
        buffers.Add(inputs.F, F).Add(inputs.High.S0, _trackerS0 ?? S0).Add(inputs.High.S1, _trackerS1 ?? S1);
}
