using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>What the mask decoder says of one object on one picture. Overwritten by the next run that is bound to it.</summary>
internal sealed class MaskPrediction : IDisposable
{
    private readonly DeviceBuffer _iouLogits, _ious, _selected, _objectLogit;
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly float[] _low, _iouLogitValues, _iouValues, _pointer;

    public MaskPrediction(SegmentationModel model)
    {
        MaskOutputs outputs = model.TrackedFrame.Graph.Outputs;
        try
        {
            LowBuffer = Allocate("mask logits", outputs.Low);
            _iouLogits = Allocate("IoU logits", outputs.IouLogits);
            _ious = Allocate("IoUs", outputs.Ious);
            _selected = Allocate("selected mask", outputs.Selected);
            _objectLogit = Allocate("object logit", outputs.ObjectLogit);
            PointerBuffer = Allocate("object pointer", outputs.Pointer);
        }
        catch
        {
            Dispose();
            throw;
        }
        _low = new float[outputs.Low.Shape.Count];
        _iouLogitValues = new float[outputs.IouLogits.Shape.Count];
        _iouValues = new float[outputs.Ious.Shape.Count];
        _pointer = new float[outputs.Pointer.Shape.Count];

        DeviceBuffer Allocate(string name, Tensor tensor)
        {
            DeviceBuffer buffer = model.Backend.Allocate(name, tensor.Type, tensor.Shape);
            _buffers.Add(buffer);
            return buffer;
        }
    }

    /// <summary>Mask logits on the device [4G, 4G].</summary>
    public DeviceBuffer LowBuffer { get; }

    /// <summary>Object pointer on the device [1, D].</summary>
    public DeviceBuffer PointerBuffer { get; }

    /// <summary>Mask logits [4G, 4G].</summary>
    public ReadOnlySpan<float> Low => _low;

    /// <summary>Predicted IoU of the four candidates, 0…1.</summary>
    public ReadOnlySpan<float> Ious => _iouValues;

    /// <summary>Object pointer [D].</summary>
    public ReadOnlySpan<float> Pointer => _pointer;

    /// <summary>Which candidate was chosen, 0…3.</summary>
    public int Selected { get; private set; }

    /// <summary>Predicted IoU of the chosen mask, 0…1.</summary>
    public float Score => _iouValues[Selected];

    /// <summary>Above 0 when the object is in the picture.</summary>
    public float ObjectLogit { get; private set; }

    /// <summary>Probability that the object is in the picture, 0…1.</summary>
    public float Present => 1 / (1 + MathF.Exp(-ObjectLogit));

    /// <summary>Makes a plan write here.</summary>
    public void BindTo(PlanBindings bindings, MaskOutputs outputs) => bindings.Bind(outputs.Low, LowBuffer)
        .Bind(outputs.IouLogits, _iouLogits).Bind(outputs.Ious, _ious).Bind(outputs.Selected, _selected)
        .Bind(outputs.ObjectLogit, _objectLogit).Bind(outputs.Pointer, PointerBuffer);

    /// <summary>Fetches what the last run wrote.</summary>
    /// <returns>False if some of it is not finite; nothing of it may then be used.</returns>
    public bool Read()
    {
        LowBuffer.Read<float>(_low);
        _iouLogits.Read<float>(_iouLogitValues);
        _ious.Read<float>(_iouValues);
        PointerBuffer.Read<float>(_pointer);
        Span<int> selected = stackalloc int[1];
        _selected.Read(selected);
        Selected = selected[0];
        Span<float> logit = stackalloc float[1];
        _objectLogit.Read(logit);
        ObjectLogit = logit[0];
        return FiniteCheck.IsFinite(_low) && FiniteCheck.IsFinite(_iouLogitValues) && FiniteCheck.IsFinite(_pointer)
            && float.IsFinite(ObjectLogit);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers) buffer.Dispose();
        _buffers.Clear();
    }
}
