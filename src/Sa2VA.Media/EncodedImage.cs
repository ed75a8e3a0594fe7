using Sa2VA.Core;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>A picture or animation whose header has been read and found acceptable.</summary>
internal sealed class EncodedImage : IDisposable
{
    /// <summary>An animation keeps its canvas while its frames are in use: twice the pixels of 4K video.</summary>
    public const long MaxAnimationPixels = 1 << 24;

    /// <summary>The most bytes that decoding takes besides the pixels that it gives, whatever the size of the file.</summary>
    private const long FreeBytes = 8 * MaxAnimationPixels;

    /// <summary>Bytes that decoding may take for each of the file: a photograph's ratio with room to spare.</summary>
    private const long BytesPerByte = 64;

    /// <summary>What a blank page in black and white takes after deflate; above that size less is hostile.</summary>
    private const long MaxPixelsPerByte = 8 * PngPixels.MaxDeflation;

    private readonly PngPixels? _png;
    private readonly CodecPixels? _coded;
    private readonly bool _upright;

    private EncodedImage(PngPixels? png, CodecPixels? coded, Container container, string name, bool upright) =>
        (_png, _coded, Container, Name, _upright) = (png, coded, container, name, upright);

    public string Name { get; }

    /// <summary>Columns of what is delivered.</summary>
    public int Width => Turns ? StoredHeight : StoredWidth;

    /// <summary>Rows of what is delivered.</summary>
    public int Height => Turns ? StoredWidth : StoredHeight;

    /// <summary>What a user should know about the picture's orientation; null if it is stored as it is seen.</summary>
    public string? OrientationNote => Orientation.IsStoredUpright(Container.Origin) ? null
        : _upright ? $"{Name} was turned upright as its EXIF orientation says."
        : $"{Name} was read as it is stored, though its EXIF orientation says to turn it; --upright (MediaOptions.Upright) turns it.";

    public Container Container { get; }

    /// <summary>What a user should know who takes the file for a still picture; null if it is one, and stored as it is seen.</summary>
    public string? StillNote
    {
        get
        {
            if (Container.Frames == 1) return OrientationNote;
            string frames = $"{Name} is an animation of {Container.Frames} frames; only the first is read as a picture.";
            return OrientationNote is { } note ? $"{frames} {note}" : frames;
        }
    }

    /// <summary>The frames of a GIF or WebP.</summary>
    public CodecPixels Animated => _coded ?? throw new InvalidOperationException("A PNG has no frames.");

    /// <param name="path">The file.</param>
    /// <param name="upright">Deliver pictures turned as their EXIF orientation says.</param>
    /// <param name="member">True for a file of a folder, which must be a regular one.</param>
    public static EncodedImage Open(string path, bool upright, bool member = false) =>
        Open(FileContent.Read(path, member).Span, path, upright);

    /// <summary>Walks the container and reads the header.</summary>
    /// <param name="bytes">The whole file; what is needed of it is copied.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="upright">Deliver pictures turned as their EXIF orientation says.</param>
    /// <exception cref="MediaException">It is none of the formats, too large, damaged, or cut short.</exception>
    public static EncodedImage Open(ReadOnlySpan<byte> bytes, string name, bool upright)
    {
        Container container = Container.Walk(bytes, name);
        if (container.Format == PictureFormat.Png) return new EncodedImage(PngPixels.Read(bytes, name), null, container, name, upright);
        var coded = new CodecPixels(bytes, container, name);
        try
        {
            CheckSize(coded.Width, coded.Height, bytes.Length, container, name);
            return new EncodedImage(null, coded, container, name, upright);
        }
        catch
        {
            coded.Dispose();
            throw;
        }
    }

    /// <summary>The picture, or the first frame, without alpha; turned if that is wanted. Colours under alpha stay as they are.</summary>
    /// <exception cref="MediaException">The data is damaged or breaks off.</exception>
    public RgbImage Picture()
    {
        UprightRgb picture = NewPicture();
        _png?.Decode(picture);
        _coded?.Decode(picture);
        return picture.Image;
    }

    /// <summary>What a canvas holds as a picture of its own, as <see cref="Picture()"/> gives it.</summary>
    public RgbImage Picture(ReadOnlySpan<byte> canvas)
    {
        UprightRgb picture = NewPicture();
        picture.PutRgba(canvas, 0);
        return picture.Image;
    }

    public void Dispose() => _coded?.Dispose();

    private int StoredWidth => _png?.Width ?? _coded!.Width;

    private int StoredHeight => _png?.Height ?? _coded!.Height;

    private bool Turns => _upright && Orientation.Turns(Container.Origin);

    private UprightRgb NewPicture() => new(StoredWidth, StoredHeight, _upright ? Container.Origin : SKEncodedOrigin.Default);

    /// <summary>Refuses sizes that cost more memory than the file can be worth.</summary>
    private static void CheckSize(int width, int height, int bytes, Container container, string name)
    {
        PixelSize.Check(width, height, name);
        long pixels = (long)width * height;
        if (pixels <= MaxAnimationPixels) return;
        if (container.Readable > 1 || container.Format == PictureFormat.Gif)
            throw new MediaException($"{name} has frames of {width}×{height} pixels, more than the {MaxAnimationPixels} "
                + "of an animation that are accepted; shrink it, or give its frames as a folder of pictures.");
        if (pixels / MaxPixelsPerByte > bytes)
            throw new MediaException($"{name} claims {width}×{height} pixels, but has only {bytes} bytes; "
                + "the file is damaged, or shows nothing.");
        // Lossless pixels are decoded beside the canvas.
        if (container.Format == PictureFormat.WebP) CheckWork(pixels * (container.Lossless ? 8 : 4), bytes, name);
    }

    /// <summary>Refuses files that are small for what decoding them takes besides their pixels.</summary>
    /// <param name="work">Bytes that decoding takes.</param>
    /// <param name="bytes">Bytes of the file.</param>
    /// <param name="name">Begins the message.</param>
    /// <exception cref="MediaException">It takes too many.</exception>
    public static void CheckWork(long work, int bytes, string name)
    {
        if (work > Math.Max(FreeBytes, bytes * BytesPerByte))
            throw new MediaException($"{name} has only {bytes} bytes, but takes {work >> 20} MiB to decode; shrink it, or convert it "
                + "to PNG or to a JPEG that is not progressive, which are decoded row by row.");
    }
}
