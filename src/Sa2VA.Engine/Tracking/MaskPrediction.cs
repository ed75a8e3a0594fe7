namespace Sa2VA.Engine.Tracking;

/// <summary>What the mask decoder says of one object on one picture, as read last. Overwritten by the next read.</summary>
internal readonly struct MaskPrediction(MaskResults results, int row)
{
    /// <summary>Mask logits [4G, 4G].</summary>
    public ReadOnlySpan<float> Low => results.Low(row);

    /// <summary>Predicted IoU of the four candidates, 0…1.</summary>
    public ReadOnlySpan<float> Ious => results.Ious(row);

    /// <summary>Object pointer [D].</summary>
    public ReadOnlySpan<float> Pointer => results.Pointer(row);

    /// <summary>Which candidate was chosen, 0…3.</summary>
    public int Selected => (int)results.Selected(row);

    /// <summary>Predicted IoU of the chosen mask, 0…1.</summary>
    public float Score => Ious[Selected];

    /// <summary>Above 0 when the object is in the picture.</summary>
    public float ObjectLogit => results.ObjectLogit(row);

    /// <summary>Probability that the object is in the picture, 0…1.</summary>
    public float Present => 1 / (1 + MathF.Exp(-ObjectLogit));

    /// <summary>False if some of it is NaN or infinite; nothing of it may then be used.</summary>
    public bool IsFinite() => FiniteCheck.IsFinite(Low) && FiniteCheck.IsFinite(results.IouLogits(row)) && FiniteCheck.IsFinite(Pointer)
        && float.IsFinite(ObjectLogit);
}
