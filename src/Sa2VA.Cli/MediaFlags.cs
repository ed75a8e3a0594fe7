using System.CommandLine;
using System.Globalization;
using Sa2VA.Cli.Arguments;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli;

/// <summary>The options that choose images or a video; a command makes its own.</summary>
internal sealed class MediaFlags
{
    private readonly bool _several;

    /// <param name="several">True for a command that takes several images, and folders of them.</param>
    public MediaFlags(bool several = false)
    {
        _several = several;
        Image = new("--image", several ? "FILE|DIR" : "FILE", "Image: PNG, JPEG, WebP, BMP or GIF (first frame); - is standard input."
            + (several ? " Several may be given, such as *.png; a folder stands for its pictures." : ""))
        {
            // What a shell makes of "*.png".
            AllowMultipleArgumentsPerToken = several,
        };
        Order = new("--order", (several ? "Frames or pictures of a folder" : "Frames of a folder")
            + " by their numbers (2.png before 10.png), or by their names as the reference sorts them.", "natural", "name");
    }

    /// <summary>The images.</summary>
    public TextListOption Image { get; }

    /// <summary>The video.</summary>
    public TextOption Video { get; } = new("--video", "DIR|FILE",
        "Video: a folder of frames, an animated GIF or WebP, or through ffmpeg an mp4, mov, mkv, webm or https://… .");

    /// <summary>What the language model sees of a video.</summary>
    public TextOption Frames { get; } = new("--frames", "first|uniform|last|LIST",
        "Frames that the language model sees: first (five), uniform (five), last (five), or numbers from 0 such as 0,10,20.");

    /// <summary>How much of a video.</summary>
    public NumberOption MaxFrames { get; } = MaxFramesOption();

    /// <summary>The order of a folder's frames.</summary>
    public ChoiceOption Order { get; }

    /// <summary>How photos are turned.</summary>
    public Flag Upright { get; } = new("--upright",
        "Turn photos as their EXIF orientation says; the reference, and so the default, reads them as they are stored.");

    /// <summary>What reads video files.</summary>
    public TextOption Ffmpeg { get; } = new("--ffmpeg", "FILE",
        "The ffmpeg that reads video files; without it the one that SA2VA_FFMPEG names, else the first on the path.");

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All => [Image, Video, Frames, MaxFrames, Order, Upright, Ffmpeg];

    /// <summary>How much of a video, for a command that chooses the video itself.</summary>
    public static NumberOption MaxFramesOption() => new("--max-frames", "Only the first N frames.", 1, int.MaxValue);

    /// <summary>How much of a video; null for all of it.</summary>
    public static int? Count(ParseResult values, NumberOption maxFrames) =>
        values.GetValue(maxFrames) is > 0 and int count ? count : null;

    /// <summary>Finds what was chosen, or says that nothing was.</summary>
    /// <param name="terminal">Its signals end waiting.</param>
    /// <param name="values">The command line.</param>
    /// <param name="usual">What the language model sees of a video unless it is said; null for the first frames.</param>
    public MediaList Open(Terminal terminal, ParseResult values, FrameSelection? usual = null)
    {
        string[] images = values.GetValue(Image) ?? [];
        if (images.Length == 0 || values.GetValue(Video) is not null)
            return new MediaList(TryOpen(terminal, values, usual)
                ?? throw new UsageException("Give a picture with --image FILE, or a video with --video DIR|FILE."));
        CheckVideoOptions(values, isFolder: Array.Exists(images, Directory.Exists));
        return MediaList.OfPictures(terminal, images, Options(values));
    }

    /// <summary>Opens the one image or video that was chosen; null if nothing was.</summary>
    public MediaInput? TryOpen(Terminal terminal, ParseResult values, FrameSelection? usual = null)
    {
        string[] images = values.GetValue(Image) ?? [];
        string? video = values.GetValue(Video), frames = values.GetValue(Frames);
        if (images.Length > 0 && video is not null) throw new UsageException("Give either --image or --video, not both.");
        if (images.Length > 1) throw new UsageException("--image is given twice; give it once.");
        if (video is null) CheckVideoOptions(values, isFolder: false);
        if (video is null && images.Length == 0 && values.GetValue(Upright))
            throw new UsageException("--upright belongs to --image or --video.");
        if (File.Exists(video) && ArgumentReader.Has(values, Order))
            throw new UsageException($"--order belongs to a folder of frames; {Quoted.Of(video)} is one file.");
        MediaOptions options = Options(values);
        if (images is [{ } image]) return MediaInput.OpenImage(terminal, image, options);
        if (video is null) return null;
        FrameSelection selection = frames is null ? usual ?? FrameSelection.First : FrameSelection.Parse(frames);
        if (frames?.Contains(',') == true
            && frames.Split(',').CountBy(f => int.Parse(f, CultureInfo.InvariantCulture)).FirstOrDefault(f => f.Value > 1)
                is { Value: > 1 } twice)
            throw new UsageException(FormattableString.Invariant($"--frames names frame {twice.Key} twice; name each frame once."));
        return MediaInput.OpenVideo(terminal, video, selection, Count(values, MaxFrames), options);
    }

    private void CheckVideoOptions(ParseResult values, bool isFolder)
    {
        if (values.GetValue(Frames) is not null || Count(values, MaxFrames) is not null)
            throw new UsageException("--frames and --max-frames belong to --video.");
        if (ArgumentReader.Has(values, Ffmpeg)) throw new UsageException("--ffmpeg belongs to --video.");
        if (ArgumentReader.Has(values, Order) && !isFolder)
            throw new UsageException($"--order belongs to --video{(_several ? " and to a folder of pictures" : "")}.");
    }

    /// <summary>How files are read.</summary>
    public MediaOptions Options(ParseResult values) => new()
    {
        Upright = values.GetValue(Upright),
        Order = values.GetValue(Order) is "name" ? FrameOrder.Name : FrameOrder.Natural,
        Ffmpeg = values.GetValue(Ffmpeg),
    };
}
