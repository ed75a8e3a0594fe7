using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// How good predicted masks are, as the evaluation code of the reference defines it (docs/model/verification.md#mask-measures).
/// </summary>
public static class SegmentationMetrics
{
    /// <summary>Pixels inside both and inside either mask.</summary>
    /// <exception cref="MediaException">The sizes differ.</exception>
    public static (long Intersection, long Union) Overlap(Mask prediction, Mask truth)
    {
        CheckSizes(prediction, truth);
        ReadOnlySpan<byte> a = prediction.Pixels, b = truth.Pixels;
        long both = 0;
        for (int i = 0; i < a.Length; i++) both += a[i] & b[i];
        return (both, prediction.Area + truth.Area - both);
    }

    /// <summary>IoU as gIoU averages it: I / (U + 1e-5), 1 if both masks are empty.</summary>
    /// <exception cref="MediaException">The sizes differ.</exception>
    public static double Iou(Mask prediction, Mask truth)
    {
        (long intersection, long union) = Overlap(prediction, truth);
        return union == 0 ? 1 : intersection / (union + 1e-5);
    }

    /// <summary>J, the region measure of videos: I / U, 1 if both masks are empty.</summary>
    /// <exception cref="MediaException">The sizes differ.</exception>
    public static double Jaccard(Mask prediction, Mask truth)
    {
        (long intersection, long union) = Overlap(prediction, truth);
        return union == 0 ? 1 : (double)intersection / union;
    }

    /// <summary>cIoU of a whole split: ΣI / (ΣU + 1e-10).</summary>
    /// <param name="overlaps">Intersection and union of every pair.</param>
    public static double CumulativeIou(IEnumerable<(long Intersection, long Union)> overlaps)
    {
        ArgumentNullException.ThrowIfNull(overlaps);
        long intersection = 0, union = 0;
        foreach ((long i, long u) in overlaps) (intersection, union) = (intersection + i, union + u);
        return intersection / (union + 1e-10);
    }

    /// <summary>F, the boundary measure of videos.</summary>
    /// <exception cref="MediaException">The sizes differ.</exception>
    public static BoundaryScore Boundary(Mask prediction, Mask truth)
    {
        CheckSizes(prediction, truth);
        double width = prediction.Width, height = prediction.Height;
        int radius = (int)Math.Ceiling(0.008 * Math.Sqrt(height * height + width * width));
        BoundaryPixels predicted = new(prediction), actual = new(truth);
        return new BoundaryScore(radius, predicted.Count, actual.Count, predicted.CountNear(actual, radius),
            actual.CountNear(predicted, radius));
    }

    private static void CheckSizes(Mask prediction, Mask truth)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        if (prediction.Width != truth.Width || prediction.Height != truth.Height)
            throw new MediaException($"A mask of {prediction.Width}×{prediction.Height} cannot be compared with one of "
                + $"{truth.Width}×{truth.Height}; resize it first.");
    }
}
