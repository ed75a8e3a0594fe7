using System.Globalization;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// A video file, on disk or on a web server, read through ffmpeg. It is read in order; going back means starting anew.
/// </summary>
internal sealed class FfmpegFile : VideoSource
{
    private const int ProgressStep = 16;

    private readonly FfmpegProgram _program;
    private readonly FfmpegInput _input;
    private readonly MediaOptions _options;
    private readonly VideoFrame _frame = new();
    private readonly List<TimeSpan?> _times = [];
    private readonly HashSet<string> _notes = [];
    private readonly CancellationTokenSource _closing;
    private FfmpegVideo? _video;
    private int _next;

    /// <summary>Frames in all, once they were counted or the last one was read.</summary>
    private int? _count;

    public FfmpegFile(FfmpegProgram program, FfmpegInput input, MediaOptions options) : base(input.Name, options)
    {
        // Every start of ffmpeg tells the same.
        (_program, _input, _options) = (program, input, options with { OnNote = NoteOnce });
        _closing = CancellationTokenSource.CreateLinkedTokenSource(options.Cancellation);
        _video = FfmpegVideo.Open(_program, _input, _options, _closing.Token);
        (Width, Height, FramesPerSecond) = (_video.Width, _video.Height, _video.FramesPerSecond);
        if (!_video.IsLive) return;
        _video.Dispose();
        throw Live(input.Name);
    }

    public override int Width { get; }

    public override int Height { get; }

    public override int FrameCount => CountFrames(int.MaxValue);

    public override double? FramesPerSecond { get; }

    private protected override int? KnownCount => _count;

    /// <summary>Opens a file or an address.</summary>
    public static FfmpegFile OfSource(string source, MediaOptions options)
    {
        FfmpegInput input = FfmpegInput.Of(source);
        if (input.IsLive) throw Live(input.Name);
        return new FfmpegFile(FfmpegProgram.Find(options.Ffmpeg, input), input, options);
    }

    public override TimeSpan? Duration(int index) => FramesPerSecond is { } rate ? TimeSpan.FromSeconds(1 / rate) : null;

    public override TimeSpan? Time(int index) => index < _times.Count ? _times[index] : null;

    /// <summary>
    /// Counts by decoding: what a container claims is often not what is shown. Of each frame only one pixel is handed over.
    /// </summary>
    public override int CountFrames(int most, Action<int>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        if (_count is { } known) return Math.Min(known, most);
        cancellation.ThrowIfCancellationRequested();
        using FfmpegProcess process = FfmpegProcess.Start(_program, _input, _options,
            ["-map", "0:V:0", "-vf", "crop=1:1:0:0:exact=1,format=gray", .. _program.EveryFrameOnce,
                "-frames:v", most.ToString(CultureInfo.InvariantCulture), "-flush_packets", "1", "-f", "rawvideo", "pipe:1"]);
        using CancellationTokenRegistration stop = cancellation.UnsafeRegister(static p => ((FfmpegProcess)p!).Kill(), process),
            close = _closing.Token.UnsafeRegister(static p => ((FfmpegProcess)p!).Kill(), process);
        int count = 0;
        for (Span<byte> pixel = stackalloc byte[1]; process.Read(pixel) == 1;)
            if (++count % ProgressStep == 0) progress?.Invoke(count);
        cancellation.ThrowIfCancellationRequested();
        _options.Cancellation.ThrowIfCancellationRequested();
        ObjectDisposedException.ThrowIf(_closing.IsCancellationRequested, this);
        process.Finish(count);
        if (count < most) _count = count;
        return count;
    }

    private protected override RgbImage? Decode(int index, out string? note)
    {
        note = null;
        try
        {
            return Decode(index);
        }
        catch (OperationCanceledException e)
        {
            _options.Cancellation.ThrowIfCancellationRequested();
            throw new ObjectDisposedException(Name, e);
        }
    }

    private protected override string NameOf(int index) => string.Create(CultureInfo.InvariantCulture, $"{_input.ShortName}#{index}");

    private protected override void Interrupt() => _closing.Cancel();

    private protected override void Close() => _video?.Dispose();

    private RgbImage? Decode(int index)
    {
        if (_video is null || index < _next)
        {
            _video?.Dispose();
            (_video, _next) = (null, 0);
            _video = FfmpegVideo.Open(_program, _input, _options, _closing.Token);
        }
        while (_video.Read(_frame, _closing.Token))
        {
            if (_frame.Width != Width || _frame.Height != Height)
                throw new MediaException($"{Name} changes its size at frame {_next} from {Width}×{Height} to "
                    + $"{_frame.Width}×{_frame.Height} pixels; all frames of a video must have one size.");
            if (_times.Count == _next) _times.Add(_frame.Time);
            if (_next++ == index) return _frame.Take();
        }
        _count = _next;
        return null;
    }

    private void NoteOnce(string note)
    {
        lock (_notes)
            if (!_notes.Add(note)) return;
        Note(note);
    }

    private static MediaException Live(string name) =>
        new($"{name} is a live stream, which has no end and cannot be read twice; `sa2va track` follows it as it comes, a program "
            + "with FfmpegVideo.");
}
