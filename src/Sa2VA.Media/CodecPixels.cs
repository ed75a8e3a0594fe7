using System.Runtime.InteropServices;
using Sa2VA.Core;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>The pixels of a JPEG, WebP, GIF or BMP, decoded into buffers of the caller.</summary>
internal sealed class CodecPixels : IDisposable
{
    /// <summary>Rows are decoded so many bytes at a time where the format allows it.</summary>
    private const int StripBytes = 1 << 20;

    private readonly SKData _data;
    private readonly SKCodec _codec;
    private readonly SKImageInfo _info;
    private readonly Container _container;
    private readonly string _name;

    /// <summary>Reads the header.</summary>
    /// <param name="bytes">The whole file; it is copied.</param>
    /// <param name="container">What a walk through the file gave.</param>
    /// <param name="name">Begins messages.</param>
    /// <exception cref="MediaException">The header is damaged or of a rare kind.</exception>
    public CodecPixels(ReadOnlySpan<byte> bytes, Container container, string name)
    {
        (_container, _name) = (container, name);
        _data = SKData.CreateCopy(bytes);
        if (SKCodec.Create(_data) is not { } codec)
        {
            _data.Dispose();
            throw new MediaException($"{name} has a damaged header, or is of a rare kind of {container.Format.Words()}; "
                + "convert it to PNG.");
        }
        _codec = codec;
        _info = new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
    }

    public int Width => _info.Width;

    public int Height => _info.Height;

    /// <summary>Whether pixels come row by row; of other formats a whole canvas is decoded first.</summary>
    public static bool HasRows(PictureFormat format) => format is PictureFormat.Jpeg or PictureFormat.Bmp;

    /// <summary>Frames of an animation; one entry without meaning for a still picture.</summary>
    /// <exception cref="MediaException">The codec finds fewer than are stored.</exception>
    public SKCodecFrameInfo[] Frames()
    {
        SKCodecFrameInfo[] frames = _codec.FrameInfo;
        if (frames.Length == 0) frames = [new SKCodecFrameInfo { RequiredFrame = -1 }];
        return frames.Length == _container.Readable ? frames
            : throw new MediaException($"Only {frames.Length} of the {_container.Readable} frames of {_name} can be decoded; "
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
        if (result != SKCodecResult.Success) throw Failure(result, frame == 0 ? _name : $"Frame {frame} of {_name}");
    }

    /// <summary>Puts the pixels of the picture, or of the first frame.</summary>
    /// <exception cref="MediaException">The data is damaged or breaks off.</exception>
    public unsafe void Decode(UprightRgb picture)
    {
        int rows = HasRows(_container.Format) ? Math.Clamp(StripBytes / _info.RowBytes, 1, Height) : Height;
        // Native, so that large pictures one after the other do not wait for the collector.
        nuint size = (nuint)_info.RowBytes * (nuint)rows;
        byte* canvas = (byte*)NativeMemory.AllocZeroed(size);
        try
        {
            var pixels = new Span<byte>(canvas, (int)size);
            if (HasRows(_container.Format)) DecodeRows(picture, pixels, rows);
            else
            {
                Decode(pixels, 0, -1);
                picture.PutRgba(pixels, 0);
            }
        }
        finally
        {
            NativeMemory.Free(canvas);
        }
    }

    public void Dispose()
    {
        _codec.Dispose();
        _data.Dispose();
    }

    private unsafe void DecodeRows(UprightRgb picture, Span<byte> strip, int rows)
    {
        SKCodecResult result = _codec.StartScanlineDecode(_info);
        if (result != SKCodecResult.Success) throw Failure(result, _name);
        bool fromBottom = _codec.ScanlineOrder == SKCodecScanlineOrder.BottomUp;
        for (int done = 0, count; done < Height; done += count)
        {
            count = Math.Min(rows, Height - done);
            int decoded;
            fixed (byte* pixels = strip) decoded = _codec.GetScanlines((nint)pixels, count, _info.RowBytes);
            if (decoded < count) throw Failure(SKCodecResult.IncompleteInput, _name);
            // Within a strip rows lie from the top down in any case.
            picture.PutRgba(strip[..(count * _info.RowBytes)], fromBottom ? Height - done - count : done);
        }
        GC.KeepAlive(this);
    }

    private static MediaException Failure(SKCodecResult result, string what) => new(result == SKCodecResult.IncompleteInput
        ? $"{what} breaks off before its last pixel; the file is cut short."
        : $"{what} cannot be decoded; the file is damaged.");
}
