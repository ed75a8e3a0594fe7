using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// What the mask decoder says of several objects on one picture, packed in one buffer: a row per object, into which the plans write. The
/// host reads all of it at once.
/// </summary>
internal sealed class MaskResults : IDisposable
{
    private readonly MaskOutputs _outputs;
    private readonly long _iouLogits, _ious, _selected, _objectLogit, _pointer;
    private readonly int _width;
    private readonly float[] _values;

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
        _values = new float[Buffer.Shape.Count];
    }

    /// <summary>[rows, packed width].</summary>
    public DeviceBuffer Buffer { get; }

    /// <summary>Objects.</summary>
    public int Rows => Buffer.Shape[0];

    /// <summary>An object's results, as they were read last.</summary>
    public MaskPrediction this[int row] => new(this, row);

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

    /// <summary>Enqueues reading all rows.</summary>
    public Fence BeginRead(DeviceQueue queue) => queue.BeginRead(Buffer, _values);

    public void Dispose() => Buffer.Dispose();

    internal ReadOnlySpan<float> Low(int row) => Part(row, 0, (int)_iouLogits);

    internal ReadOnlySpan<float> IouLogits(int row) => Part(row, _iouLogits, (int)(_ious - _iouLogits));

    internal ReadOnlySpan<float> Ious(int row) => Part(row, _ious, (int)(_selected - _ious));

    internal float Selected(int row) => Part(row, _selected, 1)[0];

    internal float ObjectLogit(int row) => Part(row, _objectLogit, 1)[0];

    internal ReadOnlySpan<float> Pointer(int row) => Part(row, _pointer, _outputs.Pointer.Shape.Last);

    private ReadOnlySpan<float> Part(int row, long offset, int length) => _values.AsSpan(row * _width + (int)offset, length);
}
