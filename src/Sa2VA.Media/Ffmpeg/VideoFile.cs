using System.Diagnostics;
using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Writes an MP4 or WebM frame by frame through an installed ffmpeg, which runs as a process of its own and is waited for when it is
/// slower. The file appears in its place only when it is finished. Without <see cref="Finish"/>, or should this process die, ffmpeg ends
/// too. One thread adds; any may dispose.
/// </summary>
public sealed class VideoFile : IDisposable
{
    /// <summary>A frame that takes longer to be encoded is given up, and so is a file that takes longer to be completed.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    // H.264 and VP9 at a quality at which hardly a difference is seen; a file that begins to play before all of it is there.
    private static readonly Dictionary<string, string[]> Formats = new(StringComparer.OrdinalIgnoreCase)
    {
        [".mp4"] = ["-crf", "18", "-movflags", "+faststart", "-f", "mp4"],
        [".webm"] = ["-crf", "24", "-b:v", "0", "-deadline", "good", "-cpu-used", "4", "-row-mt", "1", "-f", "webm"],
    };

    private readonly string _path, _part;
    private readonly int _width, _height;
    private readonly byte[] _frame;
    private readonly Process _process;
    private readonly Stream _input;
    private readonly FfmpegLog _log;
    private readonly Timer _watchdog;
    private readonly Lock _end = new();
    private volatile bool _stalled, _closed;

    /// <summary>Starts ffmpeg.</summary>
    /// <param name="path">Where the file will be, .mp4 or .webm; its folder must exist.</param>
    /// <param name="width">Columns of every frame; a video of an odd number has one more.</param>
    /// <param name="height">Rows of every frame, likewise.</param>
    /// <param name="framesPerSecond">Above 0, at most 1000.</param>
    /// <param name="ffmpeg">The program; null as in <see cref="MediaOptions.Ffmpeg"/>.</param>
    /// <exception cref="MediaException">There is no ffmpeg, the path has another ending, or it cannot be written.</exception>
    public VideoFile(string path, int width, int height, double framesPerSecond, string? ffmpeg = null)
    {
        PixelSize.Check(width, height, path);
        if (!(framesPerSecond > 0 && framesPerSecond <= 1000))
            throw new ArgumentOutOfRangeException(nameof(framesPerSecond), framesPerSecond, "A rate is above 0 and at most 1000.");
        string[] format = Formats.GetValueOrDefault(Path.GetExtension(path))
            ?? throw new MediaException($"{path} ends neither in .mp4 nor in .webm; videos are written as these two.");
        FfmpegProgram program = FfmpegProgram.FindWriter(ffmpeg, path);
        // Says at once whether it can be written.
        using (var file = new AtomicFile(path)) (_path, _part) = (file.Path, file.PartPath);
        (_width, _height, _frame) = (width, height, new byte[3 * width * height]);
        _process = FfmpegProcess.Run(program, path,
        [
            "-hide_banner", "-nostats", "-loglevel", "level+error", "-f", "rawvideo", "-pix_fmt", "rgb24",
            "-video_size", string.Create(CultureInfo.InvariantCulture, $"{width}x{height}"),
            "-framerate", framesPerSecond.ToString("R", CultureInfo.InvariantCulture), "-i", "pipe:0", "-an",
            // Half of the rows and columns have a colour of their own, so their numbers must be even.
            "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p",
            "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
            .. format, "-y", "file:" + _part,
        ], fed: true);
        _input = _process.StandardInput.BaseStream;
        _log = new FfmpegLog(_process.StandardError.BaseStream, null);
        _watchdog = new Timer(_ =>
        {
            _stalled = true;
            Kill();
        });
    }

    /// <summary>Frames handed over so far.</summary>
    public int FrameCount { get; private set; }

    /// <summary>Refuses what could not be written for want of ffmpeg, before any work.</summary>
    /// <param name="path">The file that is to be written.</param>
    /// <param name="ffmpeg">As for the constructor.</param>
    /// <exception cref="MediaException">There is no ffmpeg; the message has the command that installs it.</exception>
    public static void Check(string path, string? ffmpeg = null)
    {
        ArgumentNullException.ThrowIfNull(path);
        FfmpegProgram.FindWriter(ffmpeg, path);
    }

    /// <summary>Appends a frame.</summary>
    /// <exception cref="MediaException">It has another size, or ffmpeg failed; the message has its words.</exception>
    /// <exception cref="ObjectDisposedException">The file is finished or disposed of.</exception>
    public void Add(RgbImage frame)
    {
        ArgumentNullException.ThrowIfNull(frame);
        if (frame.Pixels.Length == _frame.Length) frame.Pixels.CopyTo(_frame);
        Add(frame.Width, frame.Height, frame.Pixels);
    }

    /// <summary>Appends what a painter shows.</summary>
    /// <exception cref="MediaException">As for <see cref="Add(RgbImage)"/>.</exception>
    /// <exception cref="ObjectDisposedException">As for <see cref="Add(RgbImage)"/>.</exception>
    public void Add(OverlayPainter overlay)
    {
        ArgumentNullException.ThrowIfNull(overlay);
        if (overlay.Width == _width && overlay.Height == _height)
            for (int y = 0; y < _height; y++) overlay.CopyRow(y, _frame.AsSpan(3 * _width * y, 3 * _width));
        Add(overlay.Width, overlay.Height, _frame);
    }

    /// <summary>Appends the latest frame once more.</summary>
    /// <exception cref="InvalidOperationException">There is none yet.</exception>
    /// <exception cref="MediaException">As for <see cref="Add(RgbImage)"/>.</exception>
    /// <exception cref="ObjectDisposedException">As for <see cref="Add(RgbImage)"/>.</exception>
    public void Repeat()
    {
        if (FrameCount == 0) throw new InvalidOperationException("There is no frame yet that could be shown once more.");
        Add(_width, _height, _frame);
    }

    /// <summary>Waits until ffmpeg has written all, and puts the file in its place.</summary>
    /// <exception cref="MediaException">There is no frame, ffmpeg failed, or the file cannot be moved; nothing is left behind.</exception>
    /// <exception cref="ObjectDisposedException">The file is finished or disposed of.</exception>
    public void Finish()
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        try
        {
            if (FrameCount == 0) throw new MediaException($"{_path}: a video needs a frame.");
            try
            {
                _input.Close();
            }
            catch (IOException)
            {
                // It has ended; why, it says itself.
            }
            if (!_process.WaitForExit(Patience)) throw Failed("was not completed within two minutes");
            _log.Join(Patience);
            if (_process.ExitCode != 0 || !File.Exists(_part)) throw Failed("could not be completed");
            lock (_end)
            {
                ObjectDisposedException.ThrowIf(_closed, this);
                File.Move(_part, _path, overwrite: true);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw AtomicFile.CannotWrite(_path, e);
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>Ends ffmpeg, and deletes the file unless it was finished.</summary>
    public void Dispose()
    {
        lock (_end)
        {
            if (_closed) return;
            _closed = true;
            Kill();
            _process.WaitForExit(Patience);
            _log.Join(Patience);
            _watchdog.Dispose();
            _process.Dispose();
            try
            {
                File.Delete(_part);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Nothing more can be done from here.
            }
        }
    }

    private void Add(int width, int height, ReadOnlySpan<byte> pixels)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (width != _width || height != _height)
            throw new MediaException($"{_path}: frame {FrameCount} has {width}×{height} pixels, the video {_width}×{_height}.");
        _watchdog.Change(Patience, Timeout.InfiniteTimeSpan);
        try
        {
            _input.Write(pixels);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            _log.Join(Patience);
            throw Failed($"breaks off after {FrameCount} frames");
        }
        _watchdog.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        FrameCount++;
    }

    private MediaException Failed(string what) => new($"{_path} {what}: ffmpeg "
        + (_stalled ? "took nothing for two minutes" : _log.Errors is { } errors ? $"says: {errors}" : "ended without a word")
        + "; make room for it, or write an animated WebP.");

    private void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (FfmpegProcess.HasEnded(e))
        {
            // It has ended by itself.
        }
    }
}
