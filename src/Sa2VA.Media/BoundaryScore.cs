namespace Sa2VA.Media;

/// <summary>
/// The counts behind the boundary measure of one pair of masks, and the measure (DAVIS 2017; docs/model/verification.md#mask-measures).
/// </summary>
/// <param name="Radius">How far apart two boundaries may be, in pixels.</param>
/// <param name="PredictionPixels">Boundary pixels of the prediction.</param>
/// <param name="TruthPixels">Boundary pixels of the ground truth.</param>
/// <param name="MatchedPrediction">Boundary pixels of the prediction within the radius of one of the ground truth.</param>
/// <param name="MatchedTruth">Boundary pixels of the ground truth within the radius of one of the prediction.</param>
public readonly record struct BoundaryScore(int Radius, long PredictionPixels, long TruthPixels, long MatchedPrediction, long MatchedTruth)
{
    /// <summary>Share of the prediction's boundary that is right; 1 if it has none, 0 if only it has one.</summary>
    public double Precision => PredictionPixels == 0 ? 1 : TruthPixels == 0 ? 0 : (double)MatchedPrediction / PredictionPixels;

    /// <summary>Share of the true boundary that was found; 1 if there is none, 0 if only there is one.</summary>
    public double Recall => TruthPixels == 0 ? 1 : PredictionPixels == 0 ? 0 : (double)MatchedTruth / TruthPixels;

    /// <summary>The harmonic mean of precision and recall, 0 if both are 0.</summary>
    public double F => Precision + Recall == 0 ? 0 : 2 * Precision * Recall / (Precision + Recall);
}
