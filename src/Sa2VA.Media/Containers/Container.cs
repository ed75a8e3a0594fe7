using Sa2VA.Core;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>
/// What the framing of a file says, without its pixels. The codec takes files that break off for shorter or blurred ones in several
/// formats, so the framing is walked to its end first.
/// </summary>
/// <param name="Format">The format, by content.</param>
/// <param name="Frames">Number of frames that are stored.</param>
/// <param name="Readable">Number of frames that are read of them.</param>
/// <param name="Origin">How the stored picture is to be turned.</param>
/// <param name="Lossless">True for a lossless WebP.</param>
internal readonly record struct Container(PictureFormat Format, int Frames, int Readable, SKEncodedOrigin Origin = SKEncodedOrigin.Default,
    bool Lossless = false)
{
    /// <summary>
    /// Frames of one animation. Which frame each depends on is found by looking back, so time grows with the square of their number;
    /// these are eleven minutes of video.
    /// </summary>
    public const int MaxFrames = 1 << 14;

    /// <summary>Walks a file to its end.</summary>
    /// <param name="bytes">The whole file; what comes after its end does not matter.</param>
    /// <param name="name">Begins messages.</param>
    /// <exception cref="MediaException">It is none of the formats, damaged, or breaks off.</exception>
    public static Container Walk(ReadOnlySpan<byte> bytes, string name) => FormatOf(bytes) switch
    {
        PictureFormat.Png => PngContainer.Walk(bytes, name),
        PictureFormat.Jpeg => JpegContainer.Walk(bytes, name),
        PictureFormat.WebP => WebPContainer.Walk(bytes, name),
        PictureFormat.Gif => GifContainer.Walk(bytes, name),
        PictureFormat.Bmp => BmpContainer.Walk(bytes, name),
        _ => throw new MediaException(ForeignFile.Refusal(bytes, name)),
    };

    /// <summary>Whether a stream holds all of its picture, or is seen to be damaged; more need not be read then.</summary>
    /// <param name="bytes">What was read of it so far, from its start.</param>
    /// <param name="at">0 at first, then what the last call left: how far the framing is known.</param>
    public static bool Ends(ReadOnlySpan<byte> bytes, ref long at) => FormatOf(bytes) switch
    {
        PictureFormat.Png => PngContainer.Ends(bytes, ref at),
        PictureFormat.Jpeg => JpegContainer.Ends(bytes, ref at),
        PictureFormat.WebP => WebPContainer.Bytes(bytes) <= bytes.Length,
        PictureFormat.Gif => GifContainer.Ends(bytes, ref at),
        PictureFormat.Bmp => BmpContainer.Bytes(bytes) <= bytes.Length,
        _ => false,
    };

    /// <summary>The format of a file; null for one that is not read.</summary>
    /// <param name="start">At least its first 16 bytes, or all of it.</param>
    public static PictureFormat? FormatOf(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith(PngContainer.Signature)) return PictureFormat.Png;
        if (start.StartsWith((ReadOnlySpan<byte>)[0xff, 0xd8, 0xff])) return PictureFormat.Jpeg;
        if (start.StartsWith("RIFF"u8) && start.Length >= 12 && start[8..].StartsWith("WEBP"u8)) return PictureFormat.WebP;
        if (start.StartsWith("GIF87a"u8) || start.StartsWith("GIF89a"u8)) return PictureFormat.Gif;
        if (BmpContainer.IsBmp(start)) return PictureFormat.Bmp;
        return null;
    }

    /// <summary>The error of a file with more frames than are read.</summary>
    public static MediaException TooManyFrames(string name) =>
        new($"{name} has more than the {MaxFrames} frames that are accepted; cut it into parts.");

    /// <summary>The error of a file that ends too early.</summary>
    public static MediaException CutShort(string name, string where) =>
        new($"{name} breaks off {where}: the file is cut short; copy or download it again.");
}
