namespace Sa2VA.Engine.Tracking;

/// <summary>What the mask decoder says of one object on one picture, as read last.</summary>
/// <param name="results">Knows where everything stands.</param>
/// <param name="row">The object's row.</param>
/// <param name="beside">Its row behind the logits.</param>
/// <param name="finiteLogits">True if all logits are finite.</param>
internal readonly ref struct MaskPrediction(MaskResults results, int row, ReadOnlySpan<float> beside, bool finiteLogits)
{
    private readonly ReadOnlySpan<float> _beside = beside;

    /// <summary>Mask logits [4G, 4G]; only where <see cref="MaskResults"/> was read itself.</summary>
    public ReadOnlySpan<float> Low => results.Low(row);

    /// <summary>Predicted IoU of the four candidates, 0…1.</summary>
    public ReadOnlySpan<float> Ious => results.Ious(_beside);

    /// <summary>Object pointer [D].</summary>
    public ReadOnlySpan<float> Pointer => results.Pointer(_beside);

    /// <summary>Which candidate was chosen, 0…3.</summary>
    public int Selected => (int)results.Selected(_beside);

    /// <summary>Predicted IoU of the chosen mask, 0…1.</summary>
    public float Score => Ious[Selected];

    /// <summary>Above 0 when the object is in the picture.</summary>
    public float ObjectLogit => results.ObjectLogit(_beside);

    /// <summary>Probability that the object is in the picture, 0…1.</summary>
    public float Present => 1 / (1 + MathF.Exp(-ObjectLogit));

    /// <summary>False if some of it is NaN or infinite; nothing of it may then be used.</summary>
    public bool IsFinite() => finiteLogits && FiniteCheck.IsFinite(results.IouLogits(_beside)) && FiniteCheck.IsFinite(Pointer)
        && float.IsFinite(ObjectLogit);
}
