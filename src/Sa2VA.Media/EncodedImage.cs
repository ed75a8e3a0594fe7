using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>
/// A picture or animation whose header has been read and found acceptable; pixels are decoded into buffers of the caller.
/// </summary>
internal sealed class EncodedImage : IDisposable
{
    /// <summary>An animation keeps its canvas while its frames are in use: twice the pixels of 4K video.</summary>
    public const long MaxAnimationPixels = 1 << 24;

    /// <summary>What a blank page in black and white takes after deflate; above that size less is hostile.</summary>
    private const long MaxPixelsPerByte = 8 * LabelPng.MaxDeflation;

    private const int LargePicture = 1 << 25;

    private readonly SKData _data;
    private readonly SKCodec _codec;
    private readonly SKImageInfo _info;
    private readonly bool _upright;

    private EncodedImage(SKData data, SKCodec codec, Container container, string name, bool upright)
    {
        (_data, _codec, Container, Name, _upright) = (data, codec, container, name, upright);
        _info = new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
    }

    public string Name { get; }

    /// <summary>Columns of what is delivered.</summary>
    public int Width => Turns ? _info.Height : _info.Width;

    /// <summary>Rows of what is delivered.</summary>
    public int Height => Turns ? _info.Width : _info.Height;

    /// <summary>What a user should know about the picture's orientation; null if it is stored as it is seen.</summary>
    public string? OrientationNote => Orientation.IsStoredUpright(Container.Origin) ? null
        : _upright ? $"{Name} was turned upright as its EXIF orientation says."
        : $"{Name} was read as it is stored, though its EXIF orientation says to turn it.";

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

    /// <param name="path">The file.</param>
    /// <param name="upright">Deliver pictures turned as their EXIF orientation says.</param>
    /// <param name="member">True for a file of a folder, which must be a regular one.</param>
    public static EncodedImage Open(string path, bool upright, bool member = false) =>
        Open(FileContent.Read(path, member).Span, path, upright);

    /// <summary>Walks the container and reads the header.</summary>
    /// <param name="bytes">The whole file; it is copied.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="upright">Deliver pictures turned as their EXIF orientation says.</param>
    /// <exception cref="MediaException">It is none of the formats, too large, damaged, or cut short.</exception>
    public static EncodedImage Open(ReadOnlySpan<byte> bytes, string name, bool upright)
    {
        Container container = Container.Walk(bytes, name);
        SKData data = SKData.CreateCopy(bytes);
        SKCodec? codec = null;
        try
        {
            codec = SKCodec.Create(data)
                ?? throw new MediaException($"{name} has a damaged header, or is of a rare kind of "
                    + $"{container.Format.Words()}; convert it to PNG.");
            CheckSize(codec.Info.Width, codec.Info.Height, bytes.Length, container, name);
            return new EncodedImage(data, codec, container, name, upright);
        }
        catch
        {
            codec?.Dispose();
            data.Dispose();
            throw;
        }
    }

    /// <summary>Refuses sizes that cost more memory than the file can be worth.</summary>
    private static void CheckSize(int width, int height, int bytes, Container container, string name)
    {
        PixelSize.Check(width, height, name);
        long pixels = (long)width * height;
        // One pixel takes a bit at least, before deflate.
        if (container.Format == PictureFormat.Png) LabelPng.CheckDeflated(pixels / 8, bytes, name);
        if (pixels <= MaxAnimationPixels) return;
        if (container.Readable > 1 || container.Format == PictureFormat.Gif)
            throw new MediaException($"{name} has frames of {width}×{height} pixels, more than the {MaxAnimationPixels} "
                + "of an animation that are accepted; shrink it, or give its frames as a folder of pictures.");
        if (pixels / MaxPixelsPerByte > bytes)
            throw new MediaException($"{name} claims {width}×{height} pixels, but has only {bytes} bytes; "
                + "the file is damaged, or shows nothing.");
    }

    /// <summary>Frames of an animation; one entry without meaning for a still picture.</summary>
    /// <exception cref="MediaException">The codec finds fewer than are stored.</exception>
    public SKCodecFrameInfo[] Frames()
    {
        SKCodecFrameInfo[] frames = _codec.FrameInfo;
        if (frames.Length == 0) frames = [new SKCodecFrameInfo { RequiredFrame = -1 }];
        return frames.Length == Container.Readable ? frames
            : throw new MediaException($"Only {frames.Length} of the {Container.Readable} frames of {Name} can be decoded; "
                + "the file is damaged.");
    }

    /// <summary>A buffer for one frame.</summary>
    public byte[] NewCanvas() => new byte[_info.BytesSize];

    /// <summary>Decodes one frame over what the canvas holds.</summary>
    /// <param name="canvas">RGBA not premultiplied.</param>
    /// <param name="frame">Index of the frame.</param>
    /// <param name="prior">Index of the frame that the canvas holds, −1 for none.</param>
    /// <exception cref="MediaException">The data is damaged or breaks off.</exception>
    public unsafe void Decode(Span<byte> canvas, int frame, int prior)
    {
        SKCodecResult result;
        fixed (byte* pixels = canvas) result = _codec.GetPixels(_info, (nint)pixels, _info.RowBytes, new SKCodecOptions(frame, prior));
        GC.KeepAlive(this);
        if (result == SKCodecResult.Success) return;
        string where = frame == 0 ? Name : $"Frame {frame} of {Name}";
        throw new MediaException(result == SKCodecResult.IncompleteInput
            ? $"{where} breaks off before its last pixel; the file is cut short."
            : $"{where} cannot be decoded; the file is damaged.");
    }

    /// <summary>
    /// The canvas without alpha, as a picture of its own, turned if that is wanted. Colours under alpha stay as they are.
    /// </summary>
    public RgbImage ToRgb(ReadOnlySpan<byte> canvas)
    {
        // Pictures as large as this pile up until the collector happens to run.
        int size = _info.Width * _info.Height * 3;
        if (size >= LargePicture) GC.Collect();
        var rgb = new byte[size];
        ReadOnlySpan<uint> from = MemoryMarshal.Cast<byte, uint>(canvas);
        for (int i = 0, to = 0; i < from.Length; i++, to += 3)
        {
            uint pixel = from[i];
            rgb[to] = (byte)pixel;
            rgb[to + 1] = (byte)(pixel >> 8);
            rgb[to + 2] = (byte)(pixel >> 16);
        }
        var image = new RgbImage(_info.Width, _info.Height, rgb);
        return _upright ? Orientation.Apply(image, Container.Origin) : image;
    }

    /// <summary>The picture, or the first frame.</summary>
    public unsafe RgbImage Picture()
    {
        // Native, so that large pictures one after the other do not wait for the collector.
        byte* canvas = (byte*)NativeMemory.AllocZeroed((nuint)_info.BytesSize64);
        try
        {
            var pixels = new Span<byte>(canvas, _info.BytesSize);
            Decode(pixels, 0, -1);
            return ToRgb(pixels);
        }
        finally
        {
            NativeMemory.Free(canvas);
        }
    }

    private bool Turns => _upright && Orientation.Turns(Container.Origin);

    public void Dispose()
    {
        _codec.Dispose();
        _data.Dispose();
    }
}
