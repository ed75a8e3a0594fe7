namespace Sa2VA.Media;

/// <summary>How the files of a folder follow one another.</summary>
public enum FrameOrder
{
    /// <summary>Digits (0 to 9 alone) compare as numbers: 2.png comes before 10.png. Everything else compares by its characters.</summary>
    Natural,

    /// <summary>Names compare by their characters alone, as the reference sorts them: 10.png comes before 2.png.</summary>
    Name,
}

/// <summary>How pictures and videos are read where a file leaves a choice.</summary>
public sealed record MediaOptions
{
    /// <summary>
    /// Turn pictures as their EXIF orientation says, so that they are seen as any viewer shows them. False, the default, reads them as they
    /// are stored, as the reference does, with a note where one would be turned. An orientation in XMP, or in a PNG's text chunk "Raw
    /// profile type exif", is not looked for. Videos that ffmpeg reads are always turned as the file says.
    /// </summary>
    public bool Upright { get; init; }

    /// <summary>The order of a folder's frames.</summary>
    public FrameOrder Order { get; init; } = FrameOrder.Natural;

    /// <summary>
    /// The ffmpeg that reads video files, streams and cameras; null for the one that the environment variable SA2VA_FFMPEG names, else the
    /// first on the path.
    /// </summary>
    public string? Ffmpeg { get; init; }

    /// <summary>
    /// How long ffmpeg may keep a reader waiting for the next frame; null for two minutes with files and 20 seconds with all else.
    /// </summary>
    public TimeSpan? Patience { get; init; }

    /// <summary>
    /// Is told, in a sentence for the user, what was done with the input that might not be expected: pictures turned or left on their side,
    /// an order other than the reference's, files of a folder left out. Called while opening or reading, on the thread that reads; what it
    /// throws ends that call.
    /// </summary>
    public Action<string>? OnNote { get; init; }

    /// <summary>
    /// Ends waiting for the ffmpeg that reads a <see cref="VideoSource"/>, at once and for good: it is stopped, and opening, counting or
    /// reading ends with an <see cref="OperationCanceledException"/>. The calls of <see cref="FfmpegVideo"/> take tokens of their own.
    /// </summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>The defaults.</summary>
    internal static MediaOptions Default { get; } = new();
}
