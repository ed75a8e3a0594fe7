using Sa2VA.Cli.Live;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>The image or video of a command, opened and checked before a model is loaded.</summary>
internal sealed class MediaInput : IDisposable
{
    private readonly (int Width, int Height) _size;

    private MediaInput(string source, HeldNotes notes) => (Source, Notes) = (source, notes);

    /// <summary>What is followed as it comes: only its name and size are known.</summary>
    public MediaInput(LiveSource source, HeldNotes notes) : this(source.Name, notes) => _size = (source.Width, source.Height);

    /// <summary>The path as given.</summary>
    public string Source { get; }

    /// <summary>What was done with it that might not be expected.</summary>
    public HeldNotes Notes { get; }

    /// <summary>The image, or null.</summary>
    public RgbImage? Image { get; private init; }

    /// <summary>The video, or null.</summary>
    public VideoSource? Video { get; private init; }

    /// <summary>Frames to process; 1 for an image.</summary>
    public int Frames { get; private init; } = 1;

    /// <summary>Which frames of a video the language model sees.</summary>
    public FrameSelection Selection { get; private init; } = FrameSelection.First;

    /// <summary>Columns.</summary>
    public int Width => Image?.Width ?? Video?.Width ?? _size.Width;

    /// <summary>Rows.</summary>
    public int Height => Image?.Height ?? Video?.Height ?? _size.Height;

    /// <summary>Name of the file that a frame came from, without its folder.</summary>
    /// <param name="index">From 0.</param>
    public string FrameName(int index) => Video?.FrameName(index) ?? NameOf(Source);

    /// <summary>Name of an image's file, without its folder.</summary>
    /// <param name="source">Its path, or - for standard input.</param>
    public static string NameOf(string source) => source == "-" ? "stdin" : Path.GetFileName(source);

    /// <summary>Refuses what is no file.</summary>
    /// <param name="terminal">Says whether standard input can be read.</param>
    /// <param name="path">File, or - for standard input.</param>
    /// <param name="given">With what it was given.</param>
    public static void CheckImage(Terminal terminal, string path, string given = "--image")
    {
        if (!(path == "-" && terminal.Bytes is not null) && !File.Exists(path))
            throw new UsageException($"There is no image {Quoted.Of(path)}; "
                + (path.Contains("://", StringComparison.Ordinal) ? $"{given} takes a file: download the picture first."
                    : $"check the path given with {given}."));
    }

    /// <summary>Opens an image; a pipe will do.</summary>
    /// <param name="terminal">Its signals end waiting for a pipe.</param>
    /// <param name="path">File, or - for standard input.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="notes">Receives what is to be said of it; null for notes of its own.</param>
    /// <param name="given">With what it was given.</param>
    /// <param name="forVideos">With what a video is given.</param>
    public static MediaInput OpenImage(Terminal terminal, string path, MediaOptions options, HeldNotes? notes = null,
        string given = "--image", string forVideos = "--video")
    {
        if (Directory.Exists(path)) throw new UsageException($"{Quoted.Of(path)} is a folder; give a folder of frames with {forVideos}.");
        CheckImage(terminal, path, given);
        if (VideoSource.IsVideoFile(path))
            throw new MediaException($"{Quoted.Of(path)} is a video, not a picture; give it with {forVideos} in place of {given}.");
        notes ??= new HeldNotes(terminal);
        options = options with { OnNote = notes.Add };
        return new MediaInput(path, notes)
        {
            Image = Interruptible(terminal, () => path == "-"
                ? ImageFile.Load(terminal.Bytes!, "Standard input", options)
                : ImageFile.Load(path, options)),
        };
    }

    /// <summary>Opens a video.</summary>
    /// <param name="terminal">Its signals end waiting for a pipe.</param>
    /// <param name="path">Folder, file or address.</param>
    /// <param name="selection">Frames for the language model.</param>
    /// <param name="maxFrames">Only so many first frames; null for all.</param>
    /// <param name="options">How it is read.</param>
    /// <param name="given">With what it was given.</param>
    public static MediaInput OpenVideo(Terminal terminal, string path, FrameSelection selection, int? maxFrames, MediaOptions options,
        string given = "--video")
    {
        if (!FfmpegVideo.IsAddress(path) && !Directory.Exists(path) && !File.Exists(path))
            throw new UsageException($"There is no video {Quoted.Of(path)}; {given} takes a folder of frames, a video file, "
                + "an animated GIF or WebP, or an address such as https://….");
        var notes = new HeldNotes(terminal);
        VideoSource source = Interruptible(terminal, () => VideoSource.Open(path,
            options with { OnNote = notes.Add, Cancellation = terminal.Cancellation }));
        int count = 0;
        try
        {
            count = source.CountFrames(maxFrames ?? int.MaxValue, n => terminal.Progress.Count("Counting frames", "frames", n, 0),
                terminal.Cancellation);
            terminal.Progress.Clear();
            selection.Indices(count);
            return new MediaInput(path, notes) { Video = source, Frames = count, Selection = selection };
        }
        catch (Exception e)
        {
            source.Dispose();
            terminal.Progress.Clear();
            if (e is PromptException && maxFrames == count)
                throw new UsageException(FormattableString.Invariant($"{e.Message.TrimEnd('.')} with --max-frames {maxFrames}."), e);
            throw;
        }
    }

    /// <summary>Opens a conversation about it.</summary>
    /// <param name="model">Who answers.</param>
    /// <param name="logits">Keep the logits of objects that are shown on a video.</param>
    /// <param name="progress">Told how far a frame of a video is; null for nobody.</param>
    public ChatSession OpenSession(Sa2VAModel model, bool logits = false, IProgress<double>? progress = null) => Image is not null
        ? model.OpenImage(Image)
        : model.OpenVideo(Selection.Indices(Frames).Select(i => Video!.Read(i)),
            new VideoOptions { Logits = logits, Progress = progress });

    /// <summary>Shows it in a conversation, which goes on in the session that is returned; the other stays as it is.</summary>
    public ChatSession OpenSession(ChatSession conversation) => Image is not null
        ? conversation.ForkWithImage(Image)
        : conversation.ForkWithVideo(Selection.Indices(Frames).Select(i => Video!.Read(i)));

    /// <inheritdoc/>
    public void Dispose() => Video?.Dispose();

    // Reading a pipe that nobody writes to cannot be cancelled, waiting for it can.
    public static T Interruptible<T>(Terminal terminal, Func<T> read) =>
        Task.Run(read).WaitAsync(terminal.Cancellation).GetAwaiter().GetResult();
}
