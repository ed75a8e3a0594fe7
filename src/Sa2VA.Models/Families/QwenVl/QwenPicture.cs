using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// How a picture comes to its size (docs/model/qwen-vl.md#two-resizes): sides that are multiples of a token, area within limits.
/// </summary>
internal static class QwenPicture
{
    /// <summary>Least and most pixels of a picture as the tower sees it.</summary>
    public const long MinPixels = 512 * 28 * 28, MaxPixels = 2048 * 28 * 28;

    /// <summary>The first resize takes patches of 14 pixels for granted, whatever the model has.</summary>
    private const int FirstFactor = 28;

    private const long FirstMinPixels = 4 * 784, FirstMaxPixels = 16384 * 784;
    private const int MaxAspect = 200;

    /// <summary>The size that a picture has after each resize.</summary>
    /// <param name="width">Columns of the picture.</param>
    /// <param name="height">Rows of the picture.</param>
    /// <param name="config">Side of a token, and whether there are two resizes.</param>
    /// <param name="minPixels">Least pixels of the result.</param>
    /// <param name="maxPixels">Most pixels of the result.</param>
    /// <exception cref="MediaException">The longer side is more than 200 times the shorter.</exception>
    public static ((int Width, int Height) First, (int Width, int Height) Last) Sizes(int width, int height, QwenVisionConfig config,
        long minPixels = MinPixels, long maxPixels = MaxPixels)
    {
        PixelSize.Check(width, height, "The image");
        (int Width, int Height) first = config.SingleResize ? (width, height)
            : Size(width, height, FirstFactor, FirstMinPixels, FirstMaxPixels);
        return (first, Size(first.Width, first.Height, config.TokenSide, minPixels, maxPixels));
    }

    /// <summary>Resizes a picture.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="config">Side of a token, and whether there are two resizes.</param>
    /// <param name="minPixels">Least pixels of the result.</param>
    /// <param name="maxPixels">Most pixels of the result.</param>
    /// <returns>The picture after each resize.</returns>
    /// <exception cref="MediaException">The longer side is more than 200 times the shorter.</exception>
    public static (RgbImage First, RgbImage Last) Resize(RgbImage image, QwenVisionConfig config, long minPixels = MinPixels,
        long maxPixels = MaxPixels)
    {
        var (first, last) = Sizes(image.Width, image.Height, config, minPixels, maxPixels);
        RgbImage resized = PillowBicubic.Resize(image, first.Width, first.Height);
        return (resized, TorchBicubic.Resize(resized, last.Width, last.Height));
    }

    /// <summary>Sides that are multiples of a factor, with an area within limits and nearly the same ratio.</summary>
    internal static (int Width, int Height) Size(int width, int height, int factor, long minPixels, long maxPixels)
    {
        if (Math.Max(width, height) > (long)MaxAspect * Math.Min(width, height))
        {
            throw new MediaException($"The image has {width}×{height} pixels; this model sees images whose longer side is at most "
                + $"{MaxAspect} times the shorter. Cut it into parts.");
        }
        double area = (double)width * height;
        (int w, int h) = (Nearest(width), Nearest(height));
        if ((long)w * h > maxPixels)
        {
            double shrink = Math.Sqrt(area / maxPixels);
            (w, h) = (Below(width / shrink), Below(height / shrink));
        }
        else if ((long)w * h < minPixels)
        {
            double grow = Math.Sqrt(minPixels / area);
            (w, h) = (Above(width * grow), Above(height * grow));
        }
        return (w, h);

        int Nearest(int side) => Math.Max(factor, (int)Math.Round((double)side / factor, MidpointRounding.ToEven) * factor);
        int Below(double side) => Math.Max(factor, (int)Math.Floor(side / factor) * factor);
        int Above(double side) => (int)Math.Ceiling(side / factor) * factor;
    }
}
