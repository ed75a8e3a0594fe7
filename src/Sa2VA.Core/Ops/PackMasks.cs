namespace Sa2VA.Core;

/// <summary>
/// What a host wants of objects on a picture, in one row of words per object: its mask at the picture's size as bits, whether its logits
/// are finite, and whatever else stands in its row of results. The mask is two chained bilinear resizes, L → S → height×width, and sigmoid
/// &gt; 0.5 in binary32, which is a logit above <see cref="Threshold"/> (docs/model/tracking.md#mask-at-the-pictures-size).
/// </summary>
public sealed class PackMasks : Op
{
    internal PackMasks(Tensor results, int lowSide, int imageSize, int height, int width)
    {
        Inputs = [results];
        (LowSide, ImageSize, Height, Width) = (lowSide, imageSize, height, width);
    }

    /// <summary>
    /// The largest logit whose sigmoid is ½ in binary32: e^−x of the next one is 1 − 2⁻²³, and with that 1/(1 + e^−x) rounds above ½.
    /// </summary>
    public const float Threshold = 1.5f / (1 << 24);

    /// <summary>L: side of the logits, which are the first L² columns of the results.</summary>
    public int LowSide { get; }

    /// <summary>S: side of the map in between.</summary>
    public int ImageSize { get; }

    /// <summary>Rows of the picture.</summary>
    public int Height { get; }

    /// <summary>Columns of the picture.</summary>
    public int Width { get; }

    /// <summary>Words of one row of pixels: bit i of word j is pixel 32·j + i; bits behind the last pixel are 0.</summary>
    public int WordsPerRow => WordsFor(Width);

    /// <summary>
    /// Words of the bits; the next one is 1 when all logits are finite, else 0; then the results behind the logits, bit by bit.
    /// </summary>
    public int MaskWords => Height * WordsPerRow;

    /// <summary>Words of a row of that many pixels.</summary>
    public static int WordsFor(int width) => (width + 31) / 32;
}

/// <summary>Recording of <see cref="PackMasks"/>.</summary>
public static class PackMasksExtensions
{
    /// <summary>
    /// Records the packing of results F32 [n, L² + k] → I32 [n, height·⌈width/32⌉ + 1 + k].
    /// </summary>
    public static Tensor PackMasks(this GraphBuilder g, Tensor results, int lowSide, int imageSize, int height, int width)
    {
        long words = (long)height * Core.PackMasks.WordsFor(width) + 1 + results.Shape.Last - (long)lowSide * lowSide;
        if (results.Type != DType.F32 || results.Shape.Rank != 2 || lowSide < 1 || imageSize < 1 || height < 1 || width < 1
            || results.Shape.Last < (long)lowSide * lowSide || words > int.MaxValue)
            throw g.Error(nameof(PackMasks), $"results {results} hold no {lowSide}×{lowSide} logits for a picture of {height}×{width}.");
        return g.Record(new PackMasks(results, lowSide, imageSize, height, width), DType.I32, new Shape(results.Shape[0], (int)words),
            results.Length);
    }
}
