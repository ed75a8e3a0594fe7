using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>Turns and mirrors a picture as the EXIF orientation says.</summary>
internal static class Orientation
{
    public static bool IsStoredUpright(SKEncodedOrigin origin) => origin is SKEncodedOrigin.TopLeft or SKEncodedOrigin.Default;

    /// <summary>Whether rows become columns.</summary>
    public static bool Turns(SKEncodedOrigin origin) =>
        origin is SKEncodedOrigin.LeftTop or SKEncodedOrigin.RightTop or SKEncodedOrigin.RightBottom or SKEncodedOrigin.LeftBottom;

    public static RgbImage Apply(RgbImage image, SKEncodedOrigin origin)
    {
        if (IsStoredUpright(origin)) return image;
        (int w, int h) = (image.Width, image.Height);
        (int width, int height) = Turns(origin) ? (h, w) : (w, h);
        ReadOnlySpan<byte> from = image.Pixels;
        var to = new byte[from.Length];
        for (int y = 0; y < height; y++)
        {
            for (int x = 0; x < width; x++)
            {
                // The name says where row 0 and column 0 of the stored picture are to be seen.
                (int sx, int sy) = origin switch
                {
                    SKEncodedOrigin.TopRight => (w - 1 - x, y),
                    SKEncodedOrigin.BottomRight => (w - 1 - x, h - 1 - y),
                    SKEncodedOrigin.BottomLeft => (x, h - 1 - y),
                    SKEncodedOrigin.LeftTop => (y, x),
                    SKEncodedOrigin.RightTop => (y, h - 1 - x),
                    SKEncodedOrigin.RightBottom => (w - 1 - y, h - 1 - x),
                    _ => (w - 1 - y, x),
                };
                from.Slice((sy * w + sx) * 3, 3).CopyTo(to.AsSpan((y * width + x) * 3));
            }
        }
        return new RgbImage(width, height, to);
    }
}
