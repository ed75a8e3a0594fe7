using Sa2VA.Media;

namespace Sa2VA.Cli.Results;

/// <summary>The files that hold the masks of a whole run: of all its pictures, or of a video.</summary>
internal sealed class RunJson : IDisposable
{
    /// <summary>The formats that are such files.</summary>
    public const ResultFormats Formats = ResultFormats.Coco | ResultFormats.YouTubeVos | ResultFormats.Polygons;

    private const string Coco = "coco.json", YouTubeVos = "youtube-vos.json", Polygons = "polygons.json";

    private readonly CocoFile? _coco;
    private readonly YouTubeVosFile? _video;
    private readonly PolygonFile? _polygons;

    /// <summary>Begins those that are asked for.</summary>
    /// <param name="content">What is asked for.</param>
    /// <param name="place">Where a file is written.</param>
    public RunJson(ResultContent content, Func<string, string> place)
    {
        if (content.Has(ResultFormats.Coco)) _coco = new CocoFile(place(Coco));
        if (content.Has(ResultFormats.YouTubeVos)) _video = new YouTubeVosFile(place(YouTubeVos));
        if (content.Has(ResultFormats.Polygons)) _polygons = new PolygonFile(place(Polygons));
    }

    /// <summary>Names of the files that are asked for.</summary>
    public static IEnumerable<string> Names(ResultContent content)
    {
        if (content.Has(ResultFormats.Coco)) yield return Coco;
        if (content.Has(ResultFormats.YouTubeVos)) yield return YouTubeVos;
        if (content.Has(ResultFormats.Polygons)) yield return Polygons;
    }

    /// <summary>Adds a picture or frame.</summary>
    public void Add(string name, int width, int height, IReadOnlyList<ObjectResult> objects)
    {
        _coco?.Add(name, width, height, objects);
        _video?.Add(name, width, height, objects);
        _polygons?.Add(name, width, height, objects);
    }

    /// <summary>Completes them.</summary>
    public void Finish()
    {
        _coco?.Finish();
        _video?.Finish();
        _polygons?.Finish();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _coco?.Dispose();
        _video?.Dispose();
        _polygons?.Dispose();
    }
}
