using System.Runtime.CompilerServices;
using Sa2VA.Core;
using Sa2VA.Engine;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>
/// Frames in order, all of one size: a folder of pictures, an animated GIF or an animated WebP. Frames are decoded when they are asked for;
/// at most two are held. Frames may be read from several threads; one is decoded at a time.
/// </summary>
public abstract class VideoSource : IDisposable
{
    private readonly Lock _decoder = new();

    private protected VideoSource(string name) => Name = name;

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

    /// <summary>Opens a folder (its PNG, JPEG, WebP, BMP and GIF files by name, in the order of their characters) or an animation.</summary>
    /// <exception cref="MediaException">It does not exist, holds no frame, or is of another kind.</exception>
    public static VideoSource Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path)) return new FrameFolder(path);
        EncodedImage file = EncodedImage.Open(path);
        if (file.Format is SKEncodedImageFormat.Gif or SKEncodedImageFormat.Webp) return new Animation(file);
        file.Dispose();
        throw new MediaException($"{path} is neither a folder of frames nor an animated GIF or WebP; load it as a picture.");
    }

    /// <summary>Decodes one frame. In an animation, going back means decoding again from the last frame that stands alone.</summary>
    /// <param name="index">From 0.</param>
    /// <exception cref="MediaException">The frame is damaged or of another size; the message names it.</exception>
    public RgbImage Read(int index)
    {
        if ((uint)index >= (uint)FrameCount) throw new ArgumentOutOfRangeException(nameof(index), index, $"{Name} has {FrameCount} frames.");
        lock (_decoder) return Decode(index);
    }

    /// <summary>All frames in order. The next one is decoded while the caller works on the last.</summary>
    /// <param name="maxFrames">Stop after so many; null for all.</param>
    /// <param name="cancellation">Stops between two frames.</param>
    /// <exception cref="MediaException">As for <see cref="Read"/>, when that frame's turn comes.</exception>
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

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    private protected abstract RgbImage Decode(int index);
}
