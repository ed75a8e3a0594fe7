namespace Sa2VA.Engine.Tracking;

/// <summary>An object's mask on a frame, as far as masks are compared.</summary>
/// <param name="inside">At the mask decoder's size.</param>
/// <param name="score">Predicted IoU.</param>
/// <param name="present">Probability that the object is in the picture.</param>
internal sealed class SeenMask(bool[] inside, float score, float present)
{
    private readonly bool[] _inside = inside;

    /// <summary>Takes over a prediction whose logits were read.</summary>
    public SeenMask(MaskPrediction prediction) : this(Inside(prediction.Low), prediction.Score, prediction.Present)
    {
    }

    /// <summary>Predicted IoU.</summary>
    public float Score => score;

    /// <summary>False if the object is lost or out of sight.</summary>
    public bool IsPresent => ObjectMask.IsInSight(present);

    /// <summary>True if no pixel is inside.</summary>
    public bool IsEmpty => !_inside.Contains(true);

    /// <summary>Intersection over union; 0 where both are empty.</summary>
    public double Overlap(SeenMask other)
    {
        int both = 0, any = 0;
        for (int i = 0; i < _inside.Length; i++)
        {
            if (_inside[i] & other._inside[i]) both++;
            if (_inside[i] | other._inside[i]) any++;
        }
        return any == 0 ? 0 : (double)both / any;
    }

    private static bool[] Inside(ReadOnlySpan<float> logits)
    {
        var inside = new bool[logits.Length];
        for (int i = 0; i < inside.Length; i++) inside[i] = logits[i] > 0;
        return inside;
    }
}
