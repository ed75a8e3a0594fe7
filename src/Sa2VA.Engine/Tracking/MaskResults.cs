using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// What the mask decoder says of several objects on one picture, packed in one buffer: a row per object, into which the plans write. What
/// the host wants of it is packed by <see cref="MaskOutput"/>.
/// </summary>
internal sealed class MaskResults : IDisposable
{
    private readonly MaskOutputs _outputs;
    private readonly long _iouLogits, _ious, _selected, _objectLogit, _pointer;
    private readonly int _width;
    private float[] _values = [];

    /// <param name="model">Model.</param>
    /// <param name="rows">Objects.</param>
    public MaskResults(SegmentationModel model, int rows)
    {
        _outputs = model.TrackedFrame.Graph.Outputs;
        long end = _outputs.Low.Shape.Count;
        (_iouLogits, end) = (end, end + _outputs.IouLogits.Shape.Count);
        (_ious, end) = (end, end + _outputs.Ious.Shape.Count);
        (_selected, end) = (end, end + _outputs.Selected.Shape.Count);
        (_objectLogit, end) = (end, end + _outputs.ObjectLogit.Shape.Count);
        (_pointer, end) = (end, end + _outputs.Pointer.Shape.Count);
        // Rows begin on cache lines of their own.
        _width = (int)(end + 15) & ~15;
        Buffer = model.Backend.Allocate("mask results", DType.F32, new Shape(rows, _width));
    }

    /// <summary>[rows, packed width].</summary>
    public DeviceBuffer Buffer { get; }

    /// <summary>Objects.</summary>
    public int Rows => Buffer.Shape[0];

    /// <summary>An object's results, as they were read here last.</summary>
    public MaskPrediction this[int row]
    {
        get
        {
            ReadOnlySpan<float> beside = _values.AsSpan(row * _width + (int)_iouLogits, _width - (int)_iouLogits);
            return new(this, row, beside, FiniteCheck.IsFinite(Low(row)));
        }
    }

    /// <summary>Has a plan write an object's results here.</summary>
    public PlanBuffers AddTo(PlanBuffers buffers, MaskOutputs outputs, int row)
    {
        long at = (long)row * _width;
        return buffers.Add(outputs.Low, Buffer, at).Add(outputs.IouLogits, Buffer, at + _iouLogits).Add(outputs.Ious, Buffer, at + _ious)
            .Add(outputs.Selected, Buffer, at + _selected).Add(outputs.ObjectLogit, Buffer, at + _objectLogit)
            .Add(outputs.Pointer, Buffer, at + _pointer);
    }

    /// <summary>Has the memory encoder read an object's mask and pointer from here.</summary>
    public PlanBuffers AddTo(PlanBuffers buffers, MemoryEncoderGraph encoder, int row)
    {
        long at = (long)row * _width;
        return buffers.Add(encoder.Low, Buffer, at).Add(encoder.Pointer, Buffer, at + _pointer);
    }

    /// <summary>Enqueues reading all rows, logits and all.</summary>
    public Fence BeginRead(DeviceQueue queue)
    {
        if (_values.Length == 0) _values = new float[Buffer.Shape.Count];
        return queue.BeginRead(Buffer, _values);
    }

    public void Dispose() => Buffer.Dispose();

    internal ReadOnlySpan<float> Low(int row) => _values.AsSpan(row * _width, (int)_iouLogits);

    // The rest by what stands behind the logits, wherever that was read.
    internal ReadOnlySpan<float> IouLogits(ReadOnlySpan<float> beside) => beside[..(int)(_ious - _iouLogits)];

    internal ReadOnlySpan<float> Ious(ReadOnlySpan<float> beside) => beside[(int)(_ious - _iouLogits)..(int)(_selected - _iouLogits)];

    internal float Selected(ReadOnlySpan<float> beside) => beside[(int)(_selected - _iouLogits)];

    internal float ObjectLogit(ReadOnlySpan<float> beside) => beside[(int)(_objectLogit - _iouLogits)];

    internal ReadOnlySpan<float> Pointer(ReadOnlySpan<float> beside) =>
        beside.Slice((int)(_pointer - _iouLogits), _outputs.Pointer.Shape.Last);
}
