using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Engine;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>A picture or animation whose header has been read and found acceptable; pixels are decoded into buffers of the caller.</summary>
internal sealed class EncodedImage : IDisposable
{
    private const long MaxFileBytes = 1 << 30;

    private readonly SKData _data;
    private readonly SKCodec _codec;
    private readonly SKImageInfo _info;
    private readonly bool _upright;

    private EncodedImage(SKData data, SKCodec codec, string name, bool upright)
    {
        (_data, _codec, Name, _upright) = (data, codec, name, upright);
        _info = new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
    }

    public string Name { get; }

    /// <summary>Columns of what is delivered.</summary>
    public int Width => Turns ? _info.Height : _info.Width;

    /// <summary>Rows of what is delivered.</summary>
    public int Height => Turns ? _info.Width : _info.Height;

    /// <summary>What a user should know about the picture's orientation; null if it is stored as it is seen.</summary>
    public string? OrientationNote => Orientation.IsStoredUpright(_codec.EncodedOrigin) ? null
        : _upright ? $"{Name} was turned upright as its EXIF orientation says."
        : $"{Name} was read as it is stored, though its EXIF orientation says to turn it.";

    public SKEncodedImageFormat Format => _codec.EncodedFormat;

    /// <summary>Reads a whole file, of which the length is known and accepted beforehand.</summary>
    public static byte[] ReadFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
            if (stream.Length > MaxFileBytes) throw new MediaException($"{path} has {stream.Length} bytes, more than the {MaxFileBytes} that are accepted.");
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new MediaException($"{path} cannot be read: {e.Message}", e);
        }
    }

    public static EncodedImage Open(string path, bool upright) => Open(ReadFile(path), path, upright);

    /// <summary>Reads the header.</summary>
    /// <param name="bytes">The whole file; it is copied.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="upright">Deliver pictures turned as their EXIF orientation says.</param>
    public static EncodedImage Open(ReadOnlySpan<byte> bytes, string name, bool upright)
    {
        SKData data = SKData.CreateCopy(bytes);
        SKCodec? codec = null;
        try
        {
            codec = SKCodec.Create(data);
            if (codec is null || codec.EncodedFormat is not (SKEncodedImageFormat.Png or SKEncodedImageFormat.Jpeg or SKEncodedImageFormat.Webp
                or SKEncodedImageFormat.Gif or SKEncodedImageFormat.Bmp))
                throw new MediaException($"{name} is not a PNG, JPEG, WebP, GIF or BMP image, or its header is damaged.");
            PixelSize.Check(codec.Info.Width, codec.Info.Height, name);
            if (codec.EncodedFormat == SKEncodedImageFormat.Png) LabelPng.CheckDeflated((long)codec.Info.Width * codec.Info.Height / 8, bytes.Length, name);
            // The codec takes an animation that breaks off between two frames for a shorter one; the container knows better.
            if (codec.EncodedFormat == SKEncodedImageFormat.Webp && BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]) > bytes.Length - 8)
                throw new MediaException($"{name} breaks off before its end; the file is cut short.");
            return new EncodedImage(data, codec, name, upright);
        }
        catch
        {
            codec?.Dispose();
            data.Dispose();
            throw;
        }
    }

    /// <summary>Frames of an animation; one entry without meaning for a still picture.</summary>
    public SKCodecFrameInfo[] Frames()
    {
        SKCodecFrameInfo[] frames = _codec.FrameInfo;
        return frames.Length == 0 ? [new SKCodecFrameInfo { RequiredFrame = -1 }] : frames;
    }

    /// <summary>A buffer for one frame.</summary>
    public byte[] NewCanvas() => new byte[(long)_info.Width * _info.Height * 4];

    /// <summary>Decodes one frame over what the canvas holds.</summary>
    /// <param name="canvas">RGBA not premultiplied.</param>
    /// <param name="frame">Index of the frame.</param>
    /// <param name="prior">Index of the frame that the canvas holds, −1 for none.</param>
    /// <exception cref="MediaException">The data is damaged or breaks off.</exception>
    public unsafe void Decode(byte[] canvas, int frame, int prior)
    {
        SKCodecResult result;
        fixed (byte* pixels = canvas) result = _codec.GetPixels(_info, (nint)pixels, _info.RowBytes, new SKCodecOptions(frame, prior));
        if (result == SKCodecResult.Success) return;
        string where = frame == 0 ? Name : $"Frame {frame} of {Name}";
        throw new MediaException(result == SKCodecResult.IncompleteInput
            ? $"{where} breaks off before its last pixel; the file is cut short."
            : $"{where} cannot be decoded ({result}); the file is damaged.");
    }

    /// <summary>The canvas without alpha, as a picture of its own, turned if that is wanted. Colours under alpha stay as they are.</summary>
    public RgbImage ToRgb(byte[] canvas)
    {
        var rgb = new byte[_info.Width * _info.Height * 3];
        ReadOnlySpan<uint> from = MemoryMarshal.Cast<byte, uint>(canvas);
        for (int i = 0, to = 0; i < from.Length; i++, to += 3)
        {
            uint pixel = from[i];
            rgb[to] = (byte)pixel;
            rgb[to + 1] = (byte)(pixel >> 8);
            rgb[to + 2] = (byte)(pixel >> 16);
        }
        var image = new RgbImage(_info.Width, _info.Height, rgb);
        return _upright ? Orientation.Apply(image, _codec.EncodedOrigin) : image;
    }

    /// <summary>The picture, or the first frame.</summary>
    public RgbImage Picture()
    {
        byte[] canvas = NewCanvas();
        Decode(canvas, 0, -1);
        return ToRgb(canvas);
    }

    private bool Turns => _upright && Orientation.Turns(_codec.EncodedOrigin);

    public void Dispose()
    {
        _codec.Dispose();
        _data.Dispose();
    }
}
