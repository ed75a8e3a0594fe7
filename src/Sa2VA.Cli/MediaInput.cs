using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli;

/// <summary>The image or video of a command, opened and checked before a model is loaded.</summary>
internal sealed class MediaInput : IDisposable
{
    private MediaInput(string source, RgbImage? image, VideoSource? video, int frames, FrameSelection selection) =>
        (Source, Image, Video, Frames, Selection) = (source, image, video, frames, selection);

    /// <summary>The path as given.</summary>
    public string Source { get; }

    /// <summary>The image, or null.</summary>
    public RgbImage? Image { get; }

    /// <summary>The video, or null.</summary>
    public VideoSource? Video { get; }

    /// <summary>Frames to process; 1 for an image.</summary>
    public int Frames { get; }

    /// <summary>Which frames of a video the language model sees.</summary>
    public FrameSelection Selection { get; }

    /// <summary>Columns.</summary>
    public int Width => Image?.Width ?? Video!.Width;

    /// <summary>Rows.</summary>
    public int Height => Image?.Height ?? Video!.Height;

    /// <summary>Opens an image or a video.</summary>
    /// <param name="image">Image file, or null.</param>
    /// <param name="video">Folder or animation, or null.</param>
    /// <param name="frames">Choice of frames for the language model, or null.</param>
    /// <param name="maxFrames">Only so many first frames; null for all.</param>
    /// <returns>Null when neither is given.</returns>
    public static MediaInput? Open(string? image, string? video, string? frames = null, int? maxFrames = null)
    {
        if (image is not null && video is not null) throw new UsageException("Give either --image or --video, not both.");
        if (video is null && (frames is not null || maxFrames is not null)) throw new UsageException("--frames and --max-frames belong to --video.");
        if (maxFrames < 1) throw new UsageException($"--max-frames is {maxFrames}; it must be at least 1.");
        if (image is not null)
        {
            if (Directory.Exists(image)) throw new UsageException($"'{image}' is a folder; give a folder of frames with --video.");
            if (!File.Exists(image)) throw new UsageException($"There is no image '{image}'; check the path given with --image.");
            return new MediaInput(image, ImageFile.Load(image), null, 1, FrameSelection.First);
        }
        if (video is null) return null;
        if (!Directory.Exists(video) && !File.Exists(video))
            throw new UsageException($"There is no video '{video}'; --video takes a folder of frames or an animated GIF or WebP.");
        FrameSelection selection = frames is null ? FrameSelection.First : FrameSelection.Parse(frames);
        VideoSource source = VideoSource.Open(video);
        try
        {
            int count = Math.Min(maxFrames ?? int.MaxValue, source.FrameCount);
            selection.Indices(count);
            return new MediaInput(video, null, source, count, selection);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Opens a conversation about it.</summary>
    public ChatSession OpenSession(Sa2VAModel model) => Image is not null
        ? model.OpenImage(Image)
        : model.OpenVideo([.. Selection.Indices(Frames).Select(Video!.Read)]);

    /// <inheritdoc/>
    public void Dispose() => Video?.Dispose();
}
