using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Frames in order, all of one size: a folder of pictures, an animated GIF or WebP, or a video file that an installed ffmpeg reads. Frames
/// are decoded when they are asked for; at most two are held. Frames may be read from several threads; one is decoded at a time.
/// </summary>
public abstract class VideoSource : IDisposable
{
    private readonly Lock _decoder = new();
    private readonly Action<string>? _onNote;
    private bool _closed;

    private protected VideoSource(string name, MediaOptions options) => (Name, _onNote) = (name, options.OnNote);

    /// <summary>The path that it was opened from.</summary>
    public string Name { get; }

    /// <summary>Columns of every frame.</summary>
    public abstract int Width { get; }

    /// <summary>Rows of every frame.</summary>
    public abstract int Height { get; }

    /// <summary>Number of frames, at least 1. Frames of a video file are counted once, by decoding them all: that takes a while.</summary>
    /// <exception cref="MediaException">The file cannot be read to its end.</exception>
    public abstract int FrameCount { get; }

    /// <summary>Frames in a second as a video file says, such as 29.97; null if it does not, and for all other videos.</summary>
    public virtual double? FramesPerSecond => null;

    /// <summary>How long a frame is shown; null for pictures of a folder.</summary>
    /// <param name="index">From 0.</param>
    public abstract TimeSpan? Duration(int index);

    /// <summary>When a frame is shown, counted from the start; null for pictures of a folder and for what was not read yet.</summary>
    /// <param name="index">From 0.</param>
    public virtual TimeSpan? Time(int index) => null;

    /// <summary>The number of frames, if they are no more than so many; those beyond are not counted.</summary>
    /// <param name="most">As many as matter, at least 1.</param>
    /// <param name="progress">Told from time to time how many were counted.</param>
    /// <param name="cancellation">Gives up counting.</param>
    /// <exception cref="MediaException">As for <see cref="FrameCount"/>.</exception>
    public virtual int CountFrames(int most, Action<int>? progress = null, CancellationToken cancellation = default) =>
        Math.Min(most, FrameCount);

    /// <summary>
    /// The file that a frame comes from, without its folder: <c>0012.png</c>; of an animation with the frame: <c>clip.gif#12</c>.
    /// </summary>
    /// <param name="index">From 0.</param>
    public string FrameName(int index)
    {
        CheckIndex(index);
        return NameOf(index);
    }

    /// <summary>
    /// Opens a folder (its PNG, JPEG, WebP, BMP and GIF files), an animation, or through ffmpeg a video file (MP4, MOV, MKV, WebM, AVI
    /// and others, known by their content) or one on a web server.
    /// </summary>
    /// <param name="path">The folder, file or address.</param>
    /// <param name="options">Choices, and who is told of them; null for the defaults: natural order, pictures as they are stored.</param>
    /// <exception cref="MediaException">It does not exist, holds no frame, is of another kind, or there is no ffmpeg for it.</exception>
    public static VideoSource Open(string path, MediaOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= MediaOptions.Default;
        if (Directory.Exists(path)) return new FrameFolder(path, options);
        if (FfmpegInput.IsAddress(path) || IsVideoFile(path))
            return FfmpegFile.OfSource(path, options);
        EncodedImage file = EncodedImage.Open(path, options.Upright);
        try
        {
            if (file.Container.Format is PictureFormat.Gif or PictureFormat.WebP) return new Animation(file, options);
            if (file.Container.Frames > 1)
            {
                file.Dispose();
                return FfmpegFile.OfSource(path, options);
            }
            throw new MediaException($"{path} is neither a folder of frames nor an animated GIF or WebP, but a still picture "
                    + $"({file.Container.Format.Words()}): give it as an image, or the folder of all frames as the video.");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// True if a file is by its first bytes a video, which <see cref="ImageFile"/> does not read; animated pictures are read by both.
    /// </summary>
    /// <param name="path">The file; what is none, or cannot be read, is no video.</param>
    public static bool IsVideoFile(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return ForeignFile.Recognise(FileContent.Start(path)) is { Kind: ForeignFile.Kind.Video };
    }

    /// <summary>Decodes one frame. In an animation, going back means decoding again from the last frame that stands alone.</summary>
    /// <param name="index">From 0.</param>
    /// <exception cref="MediaException">The frame is damaged or of another size; the message names it.</exception>
    /// <exception cref="ObjectDisposedException">The video is disposed of.</exception>
    public RgbImage Read(int index)
    {
        CheckIndex(index);
        return TryRead(index) ?? throw NoSuchFrame(index);
    }

    /// <summary>All frames in order. The next one is decoded while the caller works on the last.</summary>
    /// <param name="maxFrames">Stop after so many; null for all.</param>
    /// <param name="cancellation">Stops between two frames.</param>
    /// <exception cref="MediaException">As for <see cref="Read"/>, when that frame's turn comes.</exception>
    /// <exception cref="ObjectDisposedException">The video is disposed of.</exception>
    public async IAsyncEnumerable<RgbImage> Frames(int? maxFrames = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        int count = Math.Min(maxFrames ?? int.MaxValue, KnownCount ?? int.MaxValue);
        Task<RgbImage?>? next = null;
        try
        {
            for (int i = 0; i < count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                RgbImage? frame = await (next ?? Start(i)).ConfigureAwait(false);
                if (frame is null) break;
                ObjectDisposedException.ThrowIf(Volatile.Read(ref _closed), this);
                next = i + 1 < count ? Start(i + 1) : null;
                yield return frame;
            }
        }
        finally
        {
            // The decoder must be at rest before the caller may dispose of it; a fault of a frame that nobody will see does not matter.
            if (next != null) await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Task<RgbImage?> Start(int index) => Task.Run(() => TryRead(index), CancellationToken.None);
    }

    /// <summary>
    /// Waits for a frame that is being decoded, then closes the file. Reading ends with an error from then on; the properties remain.
    /// </summary>
    public void Dispose()
    {
        Interrupt();
        lock (_decoder)
        {
            if (_closed) return;
            Volatile.Write(ref _closed, true);
            Close();
        }
    }

    /// <summary>The number of frames if it is known without work; null if not.</summary>
    private protected virtual int? KnownCount => FrameCount;

    /// <summary>Tells who wants to know.</summary>
    private protected void Note(string note) => _onNote?.Invoke(note);

    /// <summary>Decodes a frame; no two at a time, none after <see cref="Close"/>.</summary>
    /// <param name="index">From 0; checked.</param>
    /// <param name="note">What the user should know about it, or null.</param>
    /// <returns>Null if the video has ended before; that is known only of one whose frames were not counted.</returns>
    private protected abstract RgbImage? Decode(int index, out string? note);

    private protected abstract string NameOf(int index);

    /// <summary>Makes decoding that waits for others come to an end; the video is about to be closed.</summary>
    private protected virtual void Interrupt()
    {
    }

    /// <summary>Frees what is not managed; called once.</summary>
    private protected abstract void Close();

    private RgbImage? TryRead(int index)
    {
        RgbImage? image;
        string? note;
        lock (_decoder)
        {
            ObjectDisposedException.ThrowIf(_closed, this);
            image = Decode(index, out note);
        }
        // Outside the lock: what is called may well dispose of this.
        if (note is not null) Note(note);
        return image;
    }

    private void CheckIndex(int index)
    {
        if (index < 0 || index >= (KnownCount ?? int.MaxValue)) throw NoSuchFrame(index);
    }

    private ArgumentOutOfRangeException NoSuchFrame(int index) => new(nameof(index), index,
        KnownCount is { } count ? $"{Name} has {count} frames." : $"Frames of {Name} are numbered from 0.");
}
