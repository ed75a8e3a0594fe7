using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// The sizes of pictures that the engine takes: wide enough for any camera, small enough that no file can ask for absurd memory.
/// </summary>
public static class PixelSize
{
    /// <summary>The longest side, in pixels.</summary>
    public const int MaxSide = 65_535;

    /// <summary>The most pixels of one picture.</summary>
    public const long MaxPixels = 200_000_000;

    /// <summary>True if a size is within the limits.</summary>
    internal static bool IsWithin(long width, long height) =>
        width is >= 1 and <= MaxSide && height is >= 1 and <= MaxSide && width * height <= MaxPixels;

    /// <summary>Refuses a size outside the limits.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="what">What has this size; begins the message.</param>
    /// <exception cref="MediaException">A side is not 1…65,535, or the area is above 200 million pixels.</exception>
    public static void Check(long width, long height, string what)
    {
        if (width is < 1 or > MaxSide || height is < 1 or > MaxSide)
            throw new MediaException($"{what} has {width}×{height} pixels; each side must be 1 to {MaxSide}.");
        if (width * height > MaxPixels)
            throw new MediaException($"{what} has {width}×{height} pixels, more than the {MaxPixels} that are accepted; shrink it first.");
    }
}
