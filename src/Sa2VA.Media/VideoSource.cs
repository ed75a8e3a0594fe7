using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Frames in order, all of one size: a folder of pictures, an animated GIF or an animated WebP. Frames are decoded when they are asked for;
/// at most two are held. Frames may be read from several threads; one is decoded at a time.
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

    /// <summary>Number of frames, at least 1.</summary>
    public abstract int FrameCount { get; }

    /// <summary>How long a frame is shown; null for pictures of a folder.</summary>
    /// <param name="index">From 0.</param>
    public abstract TimeSpan? Duration(int index);

    /// <summary>
    /// The file that a frame comes from, without its folder: <c>0012.png</c>; of an animation with the frame: <c>clip.gif#12</c>.
    /// </summary>
    /// <param name="index">From 0.</param>
    public string FrameName(int index)
    {
        CheckIndex(index);
        return NameOf(index);
    }

    /// <summary>Opens a folder (its PNG, JPEG, WebP, BMP and GIF files) or an animation.</summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="options">Choices, and who is told of them; null for the defaults: natural order, pictures turned upright.</param>
    /// <exception cref="MediaException">It does not exist, holds no frame, or is of another kind.</exception>
    public static VideoSource Open(string path, MediaOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= MediaOptions.Default;
        if (Directory.Exists(path)) return new FrameFolder(path, options);
        EncodedImage file = EncodedImage.Open(path, options.Upright);
        try
        {
            if (file.Container.Format is PictureFormat.Gif or PictureFormat.WebP) return new Animation(file, options);
            throw new MediaException(file.Container.Frames > 1
                ? ForeignFile.Refusal(ForeignFile.Kind.Video, "an animated PNG", path)
                : $"{path} is neither a folder of frames nor an animated GIF or WebP, but a still picture "
                    + $"({file.Container.Format.Words()}): load it as a picture, or give the folder of all frames.");
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Decodes one frame. In an animation, going back means decoding again from the last frame that stands alone.</summary>
    /// <param name="index">From 0.</param>
    /// <exception cref="MediaException">The frame is damaged or of another size; the message names it.</exception>
    /// <exception cref="ObjectDisposedException">The video is disposed of.</exception>
    public RgbImage Read(int index)
    {
        CheckIndex(index);
        RgbImage image;
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

    /// <summary>All frames in order. The next one is decoded while the caller works on the last.</summary>
    /// <param name="maxFrames">Stop after so many; null for all.</param>
    /// <param name="cancellation">Stops between two frames.</param>
    /// <exception cref="MediaException">As for <see cref="Read"/>, when that frame's turn comes.</exception>
    /// <exception cref="ObjectDisposedException">The video is disposed of.</exception>
    public async IAsyncEnumerable<RgbImage> Frames(int? maxFrames = null, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        int count = Math.Min(maxFrames ?? int.MaxValue, FrameCount);
        Task<RgbImage>? next = null;
        try
        {
            for (int i = 0; i < count; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                RgbImage frame = await (next ?? Start(i)).ConfigureAwait(false);
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

        Task<RgbImage> Start(int index) => Task.Run(() => Read(index), CancellationToken.None);
    }

    /// <summary>
    /// Waits for a frame that is being decoded, then closes the file. Reading ends with an error from then on; the properties remain.
    /// </summary>
    public void Dispose()
    {
        lock (_decoder)
        {
            if (_closed) return;
            Volatile.Write(ref _closed, true);
            Close();
        }
    }

    /// <summary>Tells who wants to know.</summary>
    private protected void Note(string note) => _onNote?.Invoke(note);

    /// <summary>Decodes a frame; no two at a time, none after <see cref="Close"/>.</summary>
    /// <param name="index">From 0; checked.</param>
    /// <param name="note">What the user should know about it, or null.</param>
    private protected abstract RgbImage Decode(int index, out string? note);

    private protected abstract string NameOf(int index);

    /// <summary>Frees what is not managed; called once.</summary>
    private protected abstract void Close();

    private void CheckIndex(int index)
    {
        if ((uint)index >= (uint)FrameCount)
            throw new ArgumentOutOfRangeException(nameof(index), index, $"{Name} has {FrameCount} frames.");
    }
}
