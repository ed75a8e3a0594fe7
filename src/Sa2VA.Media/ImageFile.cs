using Sa2VA.Core;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>Still pictures on disk.</summary>
public static class ImageFile
{
    /// <summary>
    /// Reads a PNG, JPEG, WebP, BMP or GIF (first frame) as 8-bit RGB: grey and palette expanded, 16 bits reduced to the upper 8, alpha
    /// dropped without blending, colour profiles ignored.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="options">Choices, and who is told of them; null for the defaults, which read the picture as it is stored.</param>
    /// <exception cref="MediaException">The file cannot be read, is none of these formats, too large, damaged, or cut short.</exception>
    public static RgbImage Load(string path, MediaOptions? options = null) => Load(FileContent.Read(path).Span, path, options);

    /// <summary>
    /// Reads a picture from a stream, as <see cref="Load(string, MediaOptions)"/> does from a file: from where it stands to the picture's
    /// end, or a little further. A compressed BMP does not say where it ends: its stream is read to its own end.
    /// </summary>
    /// <param name="stream">A file, a pipe, a download; it need not be seekable, and stays open.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="options">Choices, and who is told of them; null for the defaults.</param>
    /// <exception cref="MediaException">Reading fails, or the content is none of the formats, too large, damaged, or cut short.</exception>
    public static RgbImage Load(Stream stream, string name, MediaOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(name);
        return Load(FileContent.Read(stream, name).Span, name, options);
    }

    /// <summary>Reads a picture from memory, as <see cref="Load(string, MediaOptions)"/> does from a file.</summary>
    /// <param name="content">The whole file.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="options">Choices, and who is told of them; null for the defaults.</param>
    /// <exception cref="MediaException">The content is none of the formats, too large, damaged, or cut short.</exception>
    public static RgbImage Load(ReadOnlySpan<byte> content, string name, MediaOptions? options = null)
    {
        options ??= MediaOptions.Default;
        using EncodedImage file = EncodedImage.Open(content, name, options.Upright);
        RgbImage image = file.Picture();
        if (file.StillNote is { } note) options.OnNote?.Invoke(note);
        return image;
    }

    /// <summary>Reads only the size that a picture (or an animation's canvas) has when it is loaded.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">Those of loading; nobody is told anything here.</param>
    /// <exception cref="MediaException">As for <see cref="Load(string, MediaOptions)"/>.</exception>
    public static (int Width, int Height) Size(string path, MediaOptions? options = null)
    {
        using EncodedImage file = EncodedImage.Open(path, (options ?? MediaOptions.Default).Upright);
        return (file.Width, file.Height);
    }

    /// <summary>
    /// Reads a label map: a PNG of greys or of a palette of at most 8 bits a pixel. Labels are the values that are stored: indices whatever
    /// their colours, and greys of 1, 2 or 4 bits as 0…1, 0…3 or 0…15, not spread over 0…255 as a picture's are.
    /// </summary>
    /// <returns>[Height, Width].</returns>
    /// <exception cref="MediaException">The file cannot be read, is of another kind, too large, damaged, or cut short.</exception>
    public static (int Width, int Height, byte[] Labels) LoadLabels(string path) => LabelPng.Read(FileContent.Read(path).Span, path);

    /// <summary>Writes an 8-bit RGB PNG; the file appears whole or not at all.</summary>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public static void SavePng(string path, RgbImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        PngWriter.Write(path, image.Width, image.Height, PngKind.Rgb, (y, pixels) => image.Row(y).CopyTo(pixels));
    }

    /// <summary>Encodes a picture as a JPEG in memory, such as for a browser.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="quality">1, small and rough, to 100.</param>
    /// <exception cref="MediaException">It cannot be encoded.</exception>
    public static byte[] ToJpeg(RgbImage image, int quality = 85)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        byte[] rgba = new byte[image.Width * image.Height * 4];
        ToRgba(image.Pixels, rgba);
        using SKData jpeg = Encode(rgba, image.Width, image.Height, SKColorType.Rgba8888,
            pixels => pixels.Encode(SKEncodedImageFormat.Jpeg, quality), "JPEG");
        return jpeg.ToArray();
    }

    /// <summary>Encodes pixels that lie in managed memory; <paramref name="name"/> begins the message if the codec refuses.</summary>
    internal static unsafe SKData Encode(byte[] pixels, int width, int height, SKColorType type, Func<SKPixmap, SKData?> encode,
        string name)
    {
        fixed (byte* p = pixels)
        {
            using var pixmap = new SKPixmap(new SKImageInfo(width, height, type, SKAlphaType.Opaque), (nint)p);
            return encode(pixmap) ?? throw new MediaException($"{name}: a picture of {width}×{height} could not be encoded.");
        }
    }

    /// <summary>Widens RGB to opaque RGBA.</summary>
    internal static void ToRgba(ReadOnlySpan<byte> rgb, Span<byte> rgba)
    {
        for (int from = 0, to = 0; from < rgb.Length; from += 3, to += 4)
            (rgba[to], rgba[to + 1], rgba[to + 2], rgba[to + 3]) = (rgb[from], rgb[from + 1], rgb[from + 2], 255);
    }
}
