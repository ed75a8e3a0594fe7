using System.Buffers.Binary;
using Sa2VA.Core;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>
/// Writes an animated WebP frame by frame: the file grows with each, nothing else is held, and it appears in its place only when it is
/// finished. Container: RIFF with VP8X, ANIM and one ANMF per frame. Calls from several threads wait for each other; none writes after
/// <see cref="Finish"/> or <see cref="Dispose"/>.
/// </summary>
public sealed class AnimatedWebP : IDisposable
{
    private const int MaxSide = 16_383, MaxDuration = (1 << 24) - 1;
    private const byte AnimationFlag = 2, DoNotBlend = 2;

    private readonly AtomicFile _file;
    private readonly string _path;
    private readonly int _width, _height, _milliseconds;
    private readonly SKWebpEncoderOptions _options;
    private readonly byte[] _row, _rgba;
    private readonly Lock _writer = new();
    private long _durationAt;

    /// <summary>Begins the file.</summary>
    /// <param name="path">Where it will be; its folder must exist.</param>
    /// <param name="width">Columns of every frame, at most 16,383.</param>
    /// <param name="height">Rows of every frame, at most 16,383.</param>
    /// <param name="frameDuration">How long each frame is shown; whole milliseconds, below 4.6 hours.</param>
    /// <param name="quality">0…100; null for lossless.</param>
    /// <exception cref="MediaException">The size is too large for the format, or the file cannot be written.</exception>
    public AnimatedWebP(string path, int width, int height, TimeSpan frameDuration, float? quality = 85)
    {
        PixelSize.Check(width, height, path);
        if (width > MaxSide || height > MaxSide)
            throw new MediaException($"{path}: WebP holds at most {MaxSide} pixels a side, not {width}×{height}; shrink the frames.");
        (_path, _width, _height, _milliseconds) = (path, width, height, Milliseconds(frameDuration));
        _options = quality is { } q
            ? new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossy, q)
            : new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 30);
        (_row, _rgba) = (new byte[width * 3], new byte[width * height * 4]);
        _file = new AtomicFile(path);
        Write([.. "RIFF\0\0\0\0WEBPVP8X"u8, 10, 0, 0, 0, AnimationFlag, 0, 0, 0, .. Int24(width - 1), .. Int24(height - 1)]);
        Write([.. "ANIM"u8, 6, 0, 0, 0, 0, 0, 0, 255, 0, 0]);
    }

    /// <summary>Frames written so far.</summary>
    public int FrameCount { get; private set; }

    /// <summary>Appends a frame.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="duration">How long it is shown; null for the duration of all.</param>
    /// <exception cref="MediaException">It has another size, or the file cannot be written or grew beyond 4 GiB.</exception>
    /// <exception cref="ObjectDisposedException">The animation is finished or disposed of.</exception>
    public void Add(RgbImage frame, TimeSpan? duration = null)
    {
        ArgumentNullException.ThrowIfNull(frame);
        Add(frame.Width, frame.Height, duration, (y, pixels) => frame.Row(y).CopyTo(pixels));
    }

    /// <summary>Appends what a painter shows.</summary>
    /// <param name="overlay">The painter.</param>
    /// <param name="duration">As for a frame.</param>
    /// <exception cref="MediaException">As for a frame.</exception>
    /// <exception cref="ObjectDisposedException">As for a frame.</exception>
    public void Add(OverlayPainter overlay, TimeSpan? duration = null)
    {
        ArgumentNullException.ThrowIfNull(overlay);
        Add(overlay.Width, overlay.Height, duration, overlay.CopyRow);
    }

    private void Add(int width, int height, TimeSpan? duration, PixelRow row)
    {
        int milliseconds = duration is { } own ? Milliseconds(own) : _milliseconds;
        if (width != _width || height != _height)
            throw new MediaException($"{_path}: frame {FrameCount} has {width}×{height} pixels, the animation {_width}×{_height}.");
        lock (_writer)
        {
            Stream file = _file.Stream;
            for (int y = 0; y < height; y++)
            {
                row(y, _row);
                ImageFile.ToRgba(_row, _rgba.AsSpan(4 * width * y));
            }
            using SKData still = ImageFile.Encode(_rgba, _width, _height, SKColorType.Rgba8888, pixels => pixels.Encode(_options), _path);
            ReadOnlySpan<byte> picture = PictureChunks(still.AsSpan());
            int size = 16 + picture.Length;
            if (file.Length + size > uint.MaxValue - 16)
                throw new MediaException($"{_path} would grow beyond 4 GiB, the limit of WebP; write fewer frames.");
            _durationAt = file.Length + 20;
            Write([.. "ANMF"u8, .. Int32(size), 0, 0, 0, 0, 0, 0, .. Int24(_width - 1), .. Int24(_height - 1), .. Int24(milliseconds),
                DoNotBlend]);
            Write(picture);
            FrameCount++;
        }
    }

    /// <summary>
    /// Says how long the latest frame is shown: of a stream that is known when the next one comes. Nothing before the first frame.
    /// </summary>
    /// <exception cref="MediaException">The file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The animation is finished or disposed of.</exception>
    public void SetDuration(TimeSpan duration)
    {
        int milliseconds = Milliseconds(duration);
        lock (_writer)
        {
            // Refused once it is closed, with or without a frame.
            _ = _file.Stream;
            if (FrameCount > 0) Write(Int24(milliseconds), at: _durationAt);
        }
    }

    /// <summary>Completes the file and puts it in its place.</summary>
    /// <exception cref="MediaException">There is no frame, or the file cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The animation is finished or disposed of.</exception>
    public void Finish()
    {
        lock (_writer)
        {
            Stream file = _file.Stream;
            if (FrameCount == 0) throw new MediaException($"{_path}: an animation needs a frame.");
            uint riffSize = (uint)(file.Length - 8);
            Write(Int32((int)riffSize), at: 4);
            _file.Commit();
        }
    }

    /// <summary>Deletes the file unless it was finished.</summary>
    public void Dispose()
    {
        lock (_writer) _file.Dispose();
    }

    /// <summary>Of a still WebP only the chunks that a frame may hold: its picture and its alpha.</summary>
    private ReadOnlySpan<byte> PictureChunks(ReadOnlySpan<byte> still)
    {
        // The encoder writes a bare picture when there is neither alpha nor a colour profile: RIFF, size, WEBP, then one chunk.
        for (int at = 12; at + 8 <= still.Length;)
        {
            long length = BinaryPrimitives.ReadUInt32LittleEndian(still[(at + 4)..]);
            long padded = 8 + length + length % 2;
            if (at + padded > still.Length) break;
            if (still[at..].StartsWith("VP8 "u8) || still[at..].StartsWith("VP8L"u8)) return still.Slice(at, (int)padded);
            at += (int)padded;
        }
        throw new MediaException($"{_path}: the encoder gave no picture for frame {FrameCount}.");
    }

    private void Write(ReadOnlySpan<byte> bytes, long? at = null)
    {
        try
        {
            // Moving writes what is held back.
            if (at is { } position) _file.Stream.Position = position;
            _file.Stream.Write(bytes);
            if (at is not null) _file.Stream.Position = _file.Stream.Length;
        }
        catch (IOException e)
        {
            throw AtomicFile.CannotWrite(_path, e);
        }
    }

    private static int Milliseconds(TimeSpan duration) => Math.Round(duration.TotalMilliseconds) is var rounded and >= 0 and <= MaxDuration
        ? (int)rounded
        : throw new ArgumentOutOfRangeException(nameof(duration), duration, "Outside 0 to 16,777,215 ms.");

    private static byte[] Int24(int value) => [(byte)value, (byte)(value >> 8), (byte)(value >> 16)];

    private static byte[] Int32(int value) => [(byte)value, (byte)(value >> 8), (byte)(value >> 16), (byte)(value >> 24)];
}
