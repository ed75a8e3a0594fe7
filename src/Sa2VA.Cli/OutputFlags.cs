using System.CommandLine;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Results;
using Sa2VA.Media;

namespace Sa2VA.Cli;

/// <summary>Where results go and how they are named.</summary>
/// <param name="Folder">The folder; null for none.</param>
/// <param name="Overwrite">True to take the place of the run that it holds.</param>
/// <param name="NamesOfSource">True to name files after those that they belong to.</param>
/// <param name="Content">What is written of each frame.</param>
internal sealed record OutputChoice(string? Folder, bool Overwrite, bool NamesOfSource, ResultContent Content);

/// <summary>The options that say where results go; a command makes its own.</summary>
/// <param name="description">What is put there.</param>
/// <param name="ffmpeg">The option that names the ffmpeg for animations; null for a command that writes none.</param>
/// <param name="isLive">True where a video is followed as it comes, and may go on for hours: an animation must be asked for.</param>
internal sealed class OutputFlags(string description, TextOption? ffmpeg = null, bool isLive = false)
{
    private const string YouTubeVos = "youtube-vos";

    private static readonly (string Word, ResultFormats Format)[] Formats =
    [
        ("png", ResultFormats.Png), ("davis", ResultFormats.Davis), ("soft", ResultFormats.Soft), ("cutout", ResultFormats.Cutout),
        ("coco", ResultFormats.Coco), (YouTubeVos, ResultFormats.YouTubeVos), ("polygons", ResultFormats.Polygons),
        ("none", ResultFormats.None),
    ];

    private readonly Flag _overwrite = new("--overwrite",
        "Take the place of the files of the run that --out holds; without it, a new run goes beside it, into DIR-2, DIR-3, …");

    private readonly ChoiceOption _names = new("--names",
        "Names of mask and overlay files: index (frame-00000.png, …), or source (00012.png from 00012.jpg).", "index", "source");

    private readonly WordListOption _formats = new("--format",
        "What masks are written as, one or several: png (the default), davis (all objects in one palette PNG), soft (probabilities, "
        + "16 bits), cutout (the object alone, with alpha), coco, youtube-vos (videos), polygons (JSON files), or none.",
        [.. Formats.Select(f => f.Word)]);

    private readonly OverlayOption _overlay = new("--overlay");

    private readonly TextOption _font = new("--font", "FILE",
        "A font (TTF, OTF) for labels in letters other than Latin, Greek and Cyrillic.");

    private readonly ChoiceOption _animation = new("--animation",
        "What a video's overlays are put together as: an animated WebP, through ffmpeg an mp4 or webm, or nothing.",
        isLive ? ["none", "webp", "mp4", "webm"] : ["webp", "mp4", "webm", "none"]);

    private readonly DecimalOption _fps = new("--fps",
        isLive ? "Frames in a second of an mp4 or webm; 24 without it. What was tracked is shown at the pace at which it came."
            : "Frames in a second of the animation; without it as many as in the video, and 24 for a folder of frames.", 0.01f, 1000);

    /// <summary>The folder.</summary>
    public TextOption Folder { get; } = new("--out", "DIR", description);

    /// <summary>All of them.</summary>
    public IReadOnlyList<Option> All =>
        [Folder, _overwrite, _names, _formats, _overlay, _font, .. ffmpeg is null ? (Option[])[] : [_animation, _fps]];

    /// <summary>Refuses choices about files that are not written.</summary>
    /// <param name="values">The command line.</param>
    /// <param name="isVideo">True if there is a video.</param>
    public void Check(ParseResult values, bool isVideo)
    {
        string[] formats = values.GetValue(_formats) ?? [];
        if (formats.Length > 1 && formats.Contains("none")) throw new UsageException("--format none goes with no other format.");
        if (!isVideo && formats.Contains(YouTubeVos))
            throw new UsageException("--format youtube-vos is about the frames of a --video; pictures have --format coco.");
        if (values.GetValue(_font) is { } font)
        {
            if (Style(values) is not { Labels: true } style) throw new UsageException("--font belongs to overlays with labels.");
            if (!File.Exists(font)) throw new UsageException($"There is no font {Quoted.Of(font)}; --font takes a TTF or OTF file.");
            // What is no font is refused before any work.
            new OverlayPainter(1, 1, style).Dispose();
        }
        if (ffmpeg is not null) CheckAnimation(values, isVideo, ffmpeg);
        if (values.GetValue(Folder) is not null) return;
        if (All.Where(o => o != Folder).FirstOrDefault(o => ArgumentReader.Has(values, o)) is { } needless)
            throw new UsageException($"{needless.Name} belongs to --out: without a folder there are no files.");
    }

    /// <summary>True if something is written of how sure masks are.</summary>
    public bool WantsLogits(ParseResult values) => Content(values).Has(ResultFormats.Soft);

    /// <summary>What was chosen.</summary>
    public OutputChoice Of(ParseResult values) =>
        new(values.GetValue(Folder), values.GetValue(_overwrite), values.GetValue(_names) is "source", Content(values));

    private ResultContent Content(ParseResult values)
    {
        string[]? words = values.GetValue(_formats);
        return new ResultContent
        {
            Formats = words is not { Length: > 0 } ? ResultContent.Default.Formats
                : Formats.Where(f => words.Contains(f.Word)).Aggregate(ResultFormats.None, (all, f) => all | f.Format),
            Overlay = Style(values),
            Animation = ffmpeg is null ? AnimationKind.None : Enum.Parse<AnimationKind>(values.GetValue(_animation)!, ignoreCase: true),
            FramesPerSecond = ffmpeg is not null && values.GetValue(_fps) is > 0 and var rate ? Math.Round((double)rate, 4) : null,
            Ffmpeg = ffmpeg is null ? null : values.GetValue(ffmpeg),
        };
    }

    private void CheckAnimation(ParseResult values, bool isVideo, TextOption ffmpeg)
    {
        foreach (Option option in (Option[])[_animation, _fps])
            if (!isVideo && ArgumentReader.Has(values, option)) throw new UsageException($"{option.Name} belongs to --video.");
        string kind = values.GetValue(_animation)!;
        if (ArgumentReader.Has(values, _fps) && (Style(values) is null || kind == "none"))
            throw new UsageException("--fps is about an animation, and there is none.");
        if (isLive && kind == "webp" && ArgumentReader.Has(values, _fps))
            throw new UsageException("--fps is about an mp4 or webm: an animated WebP shows each frame as long as it lasted.");
        if (kind is not ("mp4" or "webm")) return;
        if (Style(values) is null) throw new UsageException($"--animation {kind} is made of overlays, and --overlay none has none.");
        if (values.GetValue(Folder) is not null) VideoFile.Check($"overlay.{kind}", values.GetValue(ffmpeg));
    }

    private OverlayStyle? Style(ParseResult values)
    {
        OverlayStyle? style = values.GetValue(_overlay) is { } choice ? choice.Style : OverlayStyle.Default;
        return style is null ? null : style with { FontFile = values.GetValue(_font) };
    }
}
