using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>What the EXIF orientation of a picture means.</summary>
internal static class Orientation
{
    public static bool IsStoredUpright(SKEncodedOrigin origin) => origin is SKEncodedOrigin.TopLeft or SKEncodedOrigin.Default;

    /// <summary>Whether rows become columns.</summary>
    public static bool Turns(SKEncodedOrigin origin) =>
        origin is SKEncodedOrigin.LeftTop or SKEncodedOrigin.RightTop or SKEncodedOrigin.RightBottom or SKEncodedOrigin.LeftBottom;
}
