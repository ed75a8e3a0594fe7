using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// What the mask decoder says of several objects on one picture, packed in one buffer: a row per object, into which the plans write. What
/// the host wants of it is packed by <see cref="MaskOutput"/>.
/// </summary>
internal sealed class MaskResults : IDisposable
{
    private readonly MaskColumns _columns;
    private float[] _values = [];

    /// <param name="model">Model.</param>
    /// <param name="objects">Objects.</param>
    public MaskResults(SegmentationModel model, int objects)
    {
        (_columns, Objects) = (new MaskColumns(model.Config), objects);
        // A run of the last group may write as many rows as there could be objects in it.
        int rest = objects % TrackedFrameGraph.MaxCapacity;
        int rows = objects - rest + (rest == 0 ? 0 : TrackedFrameGraph.CapacityFor(rest));
        Buffer = model.Backend.Allocate("mask results", DType.F32, new Shape(rows, _columns.Width));
    }

    /// <summary>[rows, packed width].</summary>
    public DeviceBuffer Buffer { get; }

    /// <summary>Objects: the first rows.</summary>
    public int Objects { get; }

    /// <summary>An object's results, as they were read here last.</summary>
    public MaskPrediction this[int row]
    {
        get
        {
            ReadOnlySpan<float> beside = _values.AsSpan(row * _columns.Width, _columns.Width)[_columns.LowCount..];
            return new(this, row, beside, FiniteCheck.IsFinite(Low(row)));
        }
    }

    /// <summary>Has a plan write an object's results here.</summary>
    public PlanBuffers AddTo(PlanBuffers buffers, MaskOutputs outputs, int row)
    {
        long at = (long)row * _columns.Width;
        return buffers.Add(outputs.Low, Buffer, at).Add(outputs.IouLogits, Buffer, at + _columns.IouLogits)
            .Add(outputs.Ious, Buffer, at + _columns.Ious).Add(outputs.Selected, Buffer, at + _columns.Selected)
            .Add(outputs.ObjectLogit, Buffer, at + _columns.ObjectLogit).Add(outputs.Pointer, Buffer, at + _columns.Pointer);
    }

    /// <summary>Has a plan write the results of several objects here, from a row on.</summary>
    public PlanBuffers AddTo(PlanBuffers buffers, MaskResultRows rows, int firstRow) =>
        buffers.Add(rows.Results, Buffer, (long)firstRow * _columns.Width);

    /// <summary>Has the memory encoder read an object's mask and pointer from here.</summary>
    public PlanBuffers AddTo(PlanBuffers buffers, MemoryEncoderGraph encoder, int row)
    {
        long at = (long)row * _columns.Width;
        return buffers.Add(encoder.Low, Buffer, at).Add(encoder.Pointer, Buffer, at + _columns.Pointer);
    }

    /// <summary>
    /// Has a mask that is given as the truth take the place of an object's result; <see cref="WriteGiven"/> adds the rest.
    /// </summary>
    public PlanBuffers AddTo(PlanBuffers buffers, MaskAsOutputGraph graph, int row)
    {
        long at = (long)row * _columns.Width;
        return buffers.Add(graph.Low, Buffer, at).Add(graph.Pointer, Buffer, at + _columns.Pointer);
    }

    /// <summary>Enqueues what stands beside a mask that is given as the truth: sure of it, and no candidate chosen.</summary>
    public void WriteGiven(DeviceQueue queue, int row, bool isEmpty)
    {
        Span<float> beside = stackalloc float[_columns.Pointer - _columns.IouLogits];
        beside.Clear();
        beside.Slice(_columns.Ious - _columns.IouLogits, 4).Fill(1);
        beside[_columns.ObjectLogit - _columns.IouLogits] = isEmpty ? -MaskAsOutputGraph.InsideLogit : MaskAsOutputGraph.InsideLogit;
        queue.Write<float>(Buffer, beside, (long)row * _columns.Width + _columns.IouLogits);
    }

    /// <summary>Enqueues having nothing in an object's row, where nothing was written yet.</summary>
    public void ClearRow(DeviceQueue queue, int row) => queue.Write<float>(Buffer, new float[_columns.Width], (long)row * _columns.Width);

    /// <summary>Enqueues taking over an object's row of other results.</summary>
    public void CopyRow(DeviceQueue queue, MaskResults from, int fromRow, int row) =>
        queue.Copy(from.Buffer, (long)fromRow * _columns.Width, Buffer, (long)row * _columns.Width, _columns.Width);

    /// <summary>Enqueues reading all objects' rows, logits and all.</summary>
    public Fence BeginRead(DeviceQueue queue)
    {
        if (_values.Length == 0) _values = new float[Objects * _columns.Width];
        return queue.BeginRead(Buffer, _values);
    }

    /// <summary>All that an object's row says [<see cref="MaskColumns"/>], as it was read here last.</summary>
    public ReadOnlySpan<float> Row(int row) => _values.AsSpan(row * _columns.Width, _columns.Pointer + _columns.PointerCount);

    /// <summary>Waits for an object's logits [4G, 4G].</summary>
    public float[] ReadLow(DeviceQueue queue, int row)
    {
        var low = new float[_columns.LowCount];
        queue.Read<float>(Buffer, low, (long)row * _columns.Width);
        return low;
    }

    /// <summary>Waits for all that an object's row says [<see cref="MaskColumns"/>].</summary>
    public float[] ReadRow(DeviceQueue queue, int row)
    {
        var values = new float[_columns.Pointer + _columns.PointerCount];
        queue.Read<float>(Buffer, values, (long)row * _columns.Width);
        return values;
    }

    /// <summary>Enqueues having in an object's row what another one said.</summary>
    public void WriteRow(DeviceQueue queue, int row, ReadOnlySpan<float> values) =>
        queue.Write(Buffer, values, (long)row * _columns.Width);

    public void Dispose() => Buffer.Dispose();

    internal ReadOnlySpan<float> Low(int row) => _values.AsSpan(row * _columns.Width, _columns.LowCount);

    // The rest by what stands behind the logits, wherever that was read.
    internal ReadOnlySpan<float> IouLogits(ReadOnlySpan<float> beside) => beside.Slice(_columns.IouLogits - _columns.LowCount, 4);

    internal ReadOnlySpan<float> Ious(ReadOnlySpan<float> beside) => beside.Slice(_columns.Ious - _columns.LowCount, 4);

    internal float Selected(ReadOnlySpan<float> beside) => beside[_columns.Selected - _columns.LowCount];

    internal float ObjectLogit(ReadOnlySpan<float> beside) => beside[_columns.ObjectLogit - _columns.LowCount];

    internal ReadOnlySpan<float> Pointer(ReadOnlySpan<float> beside) =>
        beside.Slice(_columns.Pointer - _columns.LowCount, _columns.PointerCount);
}
