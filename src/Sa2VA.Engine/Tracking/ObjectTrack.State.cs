using Sa2VA.Engine.State;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

internal sealed partial class ObjectTrack
{
    /// <summary>Takes up a track where another one was; <see cref="Move"/> must follow if it has a mask.</summary>
    /// <param name="model">Model.</param>
    /// <param name="state">What is known of the object.</param>
    /// <param name="newest">The newest frame's number.</param>
    /// <param name="cancellation">Stops the compilation of a prompt kind that the model has not met before.</param>
    /// <exception cref="Core.DeviceException">There is no room for what it remembers.</exception>
    public ObjectTrack(SegmentationModel model, TrackState state, long newest, CancellationToken cancellation) : this(model)
    {
        (_conditioningFrames, _conditioned, _isTracked, _newest) = (state.ConditioningFrames, state.Conditioned, state.IsTracked, newest);
        HasMask = state.Row.Length > 0;
        _points.AddRange(state.Points);
        try
        {
            _memory.Restore(state.Memories);
            if (state.Seg.Length > 0)
                _language = new PromptedFrame(model, new ObjectPrompt(model, state.Seg), memory: null, cancellation);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>What is known of the object. Waits for the device.</summary>
    /// <param name="newest">The newest frame's results; null where its features had to make room: it cannot be prompted then.</param>
    public TrackState Capture(MaskResults? newest)
    {
        float[] row = HasMask && newest is not null ? newest.ReadRow(_model.Queue, Row) : [];
        return new TrackState
        {
            ConditioningFrames = _conditioningFrames,
            Conditioned = _conditioned,
            Seg = IsConditioned ? _language!.ReadSeg() : [],
            IsTracked = _isTracked && row.Length > 0,
            Points = row.Length > 0 ? [.. _points] : [],
            Row = row,
            Memories = _memory.Capture(),
        };
    }
}
