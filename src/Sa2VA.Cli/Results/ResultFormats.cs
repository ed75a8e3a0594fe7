using Sa2VA.Media;

namespace Sa2VA.Cli.Results;

/// <summary>What masks are written as.</summary>
[Flags]
internal enum ResultFormats
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary><c>masks/object-K/NAME.png</c>: 255 inside, 0 outside.</summary>
    Png = 1,

    /// <summary><c>davis/NAME.png</c>: all objects of a frame in the palette of DAVIS.</summary>
    Davis = 2,

    /// <summary><c>soft/object-K/NAME.png</c>: probabilities of 16 bits.</summary>
    Soft = 4,

    /// <summary><c>cutouts/object-K/NAME.png</c>: the object alone, transparent around it.</summary>
    Cutout = 8,

    /// <summary><c>coco.json</c> for pycocotools.</summary>
    Coco = 16,

    /// <summary><c>youtube-vos.json</c> of a video.</summary>
    YouTubeVos = 32,

    /// <summary><c>polygons.json</c>: exact outlines.</summary>
    Polygons = 64,
}

/// <summary>What a run leaves of each frame.</summary>
internal sealed record ResultContent
{
    /// <summary>Masks.</summary>
    public ResultFormats Formats { get; init; } = ResultFormats.Png;

    /// <summary>How overlays are drawn; null for none.</summary>
    public OverlayStyle? Overlay { get; init; } = OverlayStyle.Default;

    /// <summary>What the overlays of a video are put together as.</summary>
    public AnimationKind Animation { get; init; } = AnimationKind.WebP;

    /// <summary>How many frames are shown in a second; null for as many as in the video.</summary>
    public double? FramesPerSecond { get; init; }

    /// <summary>The ffmpeg that writes videos; null for the one that is found.</summary>
    public string? Ffmpeg { get; init; }

    /// <summary>What is written unless something else is asked for.</summary>
    public static ResultContent Default { get; } = new();

    /// <summary>True if a format is asked for.</summary>
    public bool Has(ResultFormats format) => (Formats & format) != 0;
}
