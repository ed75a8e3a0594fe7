using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Sa2VA.Cli.Results;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Live;

/// <summary>A frame of a live source.</summary>
/// <param name="Picture">Its pixels; they never change.</param>
/// <param name="Index">Its number among all that the source gave, from 0.</param>
/// <param name="Name">What it came from: a file of a folder, or such as <c>camera#12</c>.</param>
/// <param name="Time">When it is shown, or was taken, counted from the source's start.</param>
internal sealed record SourceFrame(RgbImage Picture, int Index, string Name, TimeSpan Time);

/// <summary>
/// Frames as they come: of a camera or a stream, or of a file or folder that is played. Opened, and so checked, before a model is loaded.
/// </summary>
internal sealed class LiveSource : IDisposable
{
    /// <summary>Frames in a second of pictures that have no times of their own.</summary>
    private const int FolderRate = 24;

    private readonly FfmpegVideo? _stream;
    private readonly VideoSource? _video;
    private readonly int? _rate, _most;
    private int _passed;

    private LiveSource(string given, FfmpegVideo? stream, VideoSource? video, int? rate, int? most)
    {
        (_stream, _video, _rate, _most) = (stream, video, rate, most);
        Name = stream?.Name ?? given;
    }

    /// <summary>As it was given, but for a password.</summary>
    public string Name { get; }

    /// <summary>Columns of the first frame.</summary>
    public int Width => _stream?.Width ?? _video!.Width;

    /// <summary>Rows of the first frame.</summary>
    public int Height => _stream?.Height ?? _video!.Height;

    /// <summary>True if frames come as they happen; false for a recorded video, which is played.</summary>
    public bool IsLive => _stream?.IsLive == true;

    /// <summary>Names of files that belong to a frame.</summary>
    public FrameNames Names => FrameNames.BySource(_video is not null && Directory.Exists(_video.Name) ? _video.FrameCount : 0, NameOf);

    /// <summary>Opens it and waits for its first frame.</summary>
    /// <param name="terminal">Its signals end the waiting.</param>
    /// <param name="input">Camera, address, file or folder.</param>
    /// <param name="rate">Frames in a second of what is played; null for its own.</param>
    /// <param name="most">Only so many first frames, those that passed not counted; null for all.</param>
    /// <param name="options">How it is read.</param>
    /// <exception cref="UsageException">There is no such thing, or it has a pace of its own.</exception>
    public static LiveSource Open(Terminal terminal, string input, int? rate, int? most, MediaOptions options)
    {
        bool isAddress = FfmpegVideo.IsAddress(input);
        if (!isAddress && !Directory.Exists(input) && !File.Exists(input))
            throw new UsageException($"There is no {Quoted.Of(input)}; give a camera (camera, camera:1), an address (rtsp://…, https://…), "
                + "a video file or a folder of frames.");
        LiveSource source = MediaInput.Interruptible(terminal, () => isAddress
            ? new LiveSource(input, FfmpegVideo.Open(input, options, terminal.Cancellation), null, rate, most)
            : new LiveSource(input, null, VideoSource.Open(input, options with { Cancellation = terminal.Cancellation }), rate,
                most));
        if (!source.IsLive || rate is null) return source;
        source.Dispose();
        throw new UsageException($"--rate is the pace of files and folders; {Quoted.Of(source.Name)} has its own.");
    }

    /// <summary>The frames, once, in order, as fast as they are asked for.</summary>
    /// <param name="cancellation">Ends the source.</param>
    public IAsyncEnumerable<SourceFrame> FramesAsync(CancellationToken cancellation) =>
        _stream is not null ? OfStreamAsync(_stream, cancellation) : OfVideoAsync(_video!, cancellation);

    /// <summary>The latest frame of a stream came while nobody could look at it: it is none of those that were asked for.</summary>
    public void LetPass() => _passed++;

    /// <inheritdoc/>
    public void Dispose()
    {
        _stream?.Dispose();
        _video?.Dispose();
    }

    private async IAsyncEnumerable<SourceFrame> OfStreamAsync(FfmpegVideo stream, [EnumeratorCancellation] CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        var frame = new VideoFrame();
        for (int i = 0; i - _passed != _most && await Task.Run(() => stream.Read(frame, cancellation), CancellationToken.None)
            .ConfigureAwait(false); i++)
        {
            TimeSpan time = Paced(i) ?? frame.Time ?? Stopwatch.GetElapsedTime(start);
            yield return new SourceFrame(frame.ToImage(), i, NameOf(i), time);
        }
    }

    private async IAsyncEnumerable<SourceFrame> OfVideoAsync(VideoSource video, [EnumeratorCancellation] CancellationToken cancellation)
    {
        // A frame that does not come is not waited for: closing the video ends the reading.
        using CancellationTokenRegistration stop = cancellation.UnsafeRegister(static v => Task.Run(((VideoSource)v!).Dispose), video);
        await using IAsyncEnumerator<RgbImage> pictures = video.Frames(_most, cancellation).GetAsyncEnumerator(CancellationToken.None);
        for (int i = 0; await NextAsync(pictures, cancellation).ConfigureAwait(false); i++)
        {
            TimeSpan time = Paced(i) ?? video.Time(i) ?? TimeSpan.FromSeconds((double)i / FolderRate);
            yield return new SourceFrame(pictures.Current, i, video.FrameName(i), time);
        }
    }

    private static async ValueTask<bool> NextAsync(IAsyncEnumerator<RgbImage> pictures, CancellationToken cancellation)
    {
        try
        {
            return await pictures.MoveNextAsync().ConfigureAwait(false);
        }
        catch (ObjectDisposedException e) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(null, e, cancellation);
        }
    }

    private TimeSpan? Paced(int index) => _rate is { } rate ? TimeSpan.FromSeconds((double)index / rate) : null;

    private string NameOf(int index) => _video?.FrameName(index)
        ?? string.Create(CultureInfo.InvariantCulture, $"{ShortName}#{index}");

    private string ShortName => Name.Contains('/', StringComparison.Ordinal) && Name.TrimEnd('/') is { } name
        ? name[(name.LastIndexOf('/') + 1)..] : Name;
}
