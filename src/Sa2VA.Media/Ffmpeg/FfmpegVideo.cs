using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// A video file, a camera or a stream from a server, read in order through an installed ffmpeg, which runs as a process of its own. No
/// more than a frame is held here, and ffmpeg waits when it is not read. Frames come as 8-bit RGB, the same as
/// <c>ffmpeg -i FILE %05d.png</c> writes. One thread reads at a time; any may dispose.
/// </summary>
public sealed class FfmpegVideo : IDisposable
{
    private const int LongestHeader = 64;

    private readonly Lock _reader = new();
    private readonly FfmpegInput _input;
    private readonly FfmpegProcess _process;
    private readonly Action<string>? _onNote;
    private readonly byte[] _byte = new byte[1];
    private readonly VideoFrame _first = new();
    private bool _hasFirst, _closed, _ended;
    private int _frames;

    private FfmpegVideo(FfmpegProgram program, FfmpegInput input, MediaOptions options)
    {
        (_input, _onNote) = (input, options.OnNote);
        // Before version 5 the sums of the pixels, which nobody reads, cannot be switched off.
        string tell = program.Major >= 5 ? "showinfo=checksum=0" : "showinfo";
        _process = FfmpegProcess.Start(program, input, options,
            ["-map", "0:V:0", "-vf", tell, .. program.EveryFrameOnce, "-pix_fmt", "rgb24", "-c:v", "ppm", "-flush_packets", "1",
                "-f", "image2pipe", "pipe:1"]);
    }

    /// <summary>What it was opened from, without a password.</summary>
    public string Name => _input.Name;

    /// <summary>Columns of the first frame.</summary>
    public int Width => _first.Width;

    /// <summary>Rows of the first frame.</summary>
    public int Height => _first.Height;

    /// <summary>Frames in a second as the stream says, such as 29.97; null if it does not. Frames need not come evenly.</summary>
    public double? FramesPerSecond => _process.Log.FramesPerSecond;

    /// <summary>Whether frames come as they happen: a camera, a stream, a file without an end.</summary>
    public bool IsLive => _input.IsLive || (_input.Kind == FfmpegInput.Source.Web && _process.Log.IsEndless);

    /// <summary>Whether a text names an address (rtsp://…, https://…) or a camera (camera, camera:1), and no file.</summary>
    public static bool IsAddress(string source)
    {
        ArgumentNullException.ThrowIfNull(source);
        return FfmpegInput.IsAddress(source);
    }

    /// <summary>Starts ffmpeg and waits for the first frame.</summary>
    /// <param name="source">
    /// A video file; an address that begins with http, https, rtsp, rtsps, rtmp, rtmps, srt, udp, rtp or tcp; or <c>camera</c> with
    /// a number (<c>camera:1</c>), a device (<c>camera:/dev/video2</c>) or, on Windows, a name.
    /// </param>
    /// <param name="options">Which ffmpeg, how long to wait, who is told of surprises; null for the defaults.</param>
    /// <param name="cancellation">Gives up waiting.</param>
    /// <exception cref="MediaException">There is no ffmpeg, or it cannot read this; the message has its words.</exception>
    public static FfmpegVideo Open(string source, MediaOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= MediaOptions.Default;
        FfmpegInput input = FfmpegInput.Of(source);
        return Open(FfmpegProgram.Find(options.Ffmpeg, input), input, options, cancellation);
    }

    /// <summary>Reads the next frame.</summary>
    /// <param name="frame">Gets it; its memory is used again unless the frames have grown.</param>
    /// <param name="cancellation">Ends the stream: ffmpeg is stopped, and nothing can be read any more.</param>
    /// <returns>False at the end of the video.</returns>
    /// <exception cref="MediaException">ffmpeg failed, or gave nothing for too long.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed of.</exception>
    public bool Read(VideoFrame frame, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(frame);
        lock (_reader)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            if (_hasFirst)
            {
                _hasFirst = false;
                frame.Resize(_first.Width, _first.Height);
                _first.Pixels.CopyTo(frame.Writable);
                (frame.Index, frame.Time) = (_first.Index, _first.Time);
                _first.Take();
                return true;
            }
            return ReadNext(frame, cancellation);
        }
    }

    /// <summary>The frames that are left, in order, each a picture of its own.</summary>
    /// <param name="cancellation">As for <see cref="Read"/>.</param>
    /// <exception cref="MediaException">As for <see cref="Read"/>.</exception>
    public async IAsyncEnumerable<RgbImage> Frames([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        var frame = new VideoFrame();
        while (await Task.Run(() => Read(frame, cancellation), CancellationToken.None).ConfigureAwait(false)) yield return frame.Take();
    }

    /// <summary>Ends ffmpeg; who is reading gets an <see cref="ObjectDisposedException"/>.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _closed, true)) return;
        // Who reads lets go of the lock when ffmpeg is gone.
        _process.Kill();
        lock (_reader) _process.Dispose();
    }

    /// <summary>Opens what was looked at before.</summary>
    internal static FfmpegVideo Open(FfmpegProgram program, FfmpegInput input, MediaOptions options, CancellationToken cancellation)
    {
        var video = new FfmpegVideo(program, input, options);
        try
        {
            if (!video.ReadNext(video._first, cancellation)) throw new MediaException($"{input.Name} holds no frame.");
            video._hasFirst = true;
            if (video._process.Log.IsTurned) options.OnNote?.Invoke($"{input.Name} was turned upright as the file says.");
            return video;
        }
        catch
        {
            video.Dispose();
            throw;
        }
    }

    private bool ReadNext(VideoFrame frame, CancellationToken cancellation)
    {
        if (_ended) return false;
        cancellation.ThrowIfCancellationRequested();
        using (cancellation.UnsafeRegister(static p => ((FfmpegProcess)p!).Kill(), _process))
        {
            if (ReadHeader() is { } size)
            {
                frame.Resize(size.Width, size.Height);
                if (_process.Read(frame.Writable) == frame.Writable.Length)
                {
                    (frame.Index, frame.Time) = (_frames++, _process.Log.TakeTime());
                    return true;
                }
            }
        }
        _ended = true;
        cancellation.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _closed), this);
        _process.Finish(_frames);
        if (_process.Log.ErrorCount > 0)
            _onNote?.Invoke($"{Name}: ffmpeg met errors, so frames may be damaged or missing: {_process.Log.Errors}.");
        return false;
    }

    /// <summary>Reads "P6\n64 48\n255\n"; null at the end of the output.</summary>
    private (int Width, int Height)? ReadHeader()
    {
        Span<int> numbers = stackalloc int[3];
        int found = 0, length = 0;
        bool inNumber = false, any = false;
        while (_process.Read(_byte) == 1)
        {
            any = true;
            byte b = _byte[0];
            bool digit = b is >= (byte)'0' and <= (byte)'9' && length >= 2;
            if (length < 2 ? b != "P6"u8[length] : (!digit && b is not ((byte)' ' or (byte)'\n')) || length == LongestHeader) break;
            length++;
            if (digit) numbers[found] = Math.Min(numbers[found], PixelSize.MaxSide) * 10 + b - '0';
            else if (inNumber && ++found == numbers.Length)
            {
                PixelSize.Check(numbers[0], numbers[1], $"A frame of {Name}");
                return numbers[2] == byte.MaxValue ? (numbers[0], numbers[1]) : throw NoFrame();
            }
            inNumber = digit;
        }
        return any ? throw NoFrame() : null;
    }

    private MediaException NoFrame() => new($"{Name}: ffmpeg gave something else than a frame after {_frames}; try another ffmpeg.");
}
