using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Media;

/// <summary>A folder of pictures as a video.</summary>
internal sealed class FrameFolder : VideoSource
{
    private static readonly HashSet<string> Pictures = new(StringComparer.OrdinalIgnoreCase) { ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif" };

    /// <summary>Formats that others read as frames: leaving them out silently would give another video.</summary>
    private static readonly HashSet<string> Foreign = new(StringComparer.OrdinalIgnoreCase) { ".tif", ".tiff" };

    private readonly string[] _files;
    private readonly bool _upright;
    private bool _orientationNoted;

    public FrameFolder(string path, MediaOptions options) : base(path, options)
    {
        _upright = options.Upright;
        try
        {
            // Names that begin with a dot are what file managers leave beside pictures.
            _files = [.. Directory.EnumerateFiles(path).Where(f => !Path.GetFileName(f).StartsWith('.'))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MediaException($"{path} cannot be read: {e.Message}", e);
        }
        if (_files.FirstOrDefault(f => Foreign.Contains(Path.GetExtension(f))) is { } foreign)
            throw new MediaException($"{foreign} is a TIFF file, which is not read; convert the frames to PNG or JPEG.");
        string[] byName = [.. _files.Where(f => Pictures.Contains(Path.GetExtension(f))).OrderBy(f => Path.GetFileName(f), StringComparer.Ordinal)];
        _files = byName;
        if (options.Order == FrameOrder.Natural)
        {
            _files = [.. byName.OrderBy(f => Path.GetFileName(f), NaturalOrder.Instance)];
            int moved = Enumerable.Range(0, _files.Length).FirstOrDefault(i => _files[i] != byName[i], -1);
            if (moved >= 0)
                Note($"The frames of {path} follow one another by their numbers ({From(_files, moved)}), not by the characters of their names "
                    + $"({From(byName, moved)}) as the reference sorts them.");
        }
        if (_files.Length == 0)
            throw new MediaException($"{path} holds no frames: no file ends in {string.Join(' ', Pictures.Order(StringComparer.Ordinal))}.");
        using EncodedImage first = EncodedImage.Open(_files[0], _upright);
        (Width, Height) = (first.Width, first.Height);
        if (OrientationNote(first) is { } note) Note(note);
    }

    public override int Width { get; }

    public override int Height { get; }

    public override int FrameCount => _files.Length;

    public override TimeSpan? Duration(int index) => null;

    private protected override string NameOf(int index) => Path.GetFileName(_files[index]);

    private protected override RgbImage Decode(int index, out string? note)
    {
        using EncodedImage file = EncodedImage.Open(_files[index], _upright);
        if (file.Width != Width || file.Height != Height)
            throw new MediaException($"{_files[index]} has {file.Width}×{file.Height} pixels, the first frame {Width}×{Height}; "
                + "all frames of a video must have one size.");
        note = OrientationNote(file);
        return file.Picture();
    }

    private protected override void Close()
    {
    }

    /// <summary>Some names around the first that matters.</summary>
    private static string From(string[] files, int first)
    {
        const int shown = 3;
        int start = Math.Max(first - 1, 0);
        string names = string.Join(", ", files.Skip(start).Take(shown).Select(Path.GetFileName));
        return (start > 0 ? "…, " : "") + names + (start + shown < files.Length ? ", …" : "");
    }

    /// <summary>A thousand frames of one camera are one note.</summary>
    private string? OrientationNote(EncodedImage file)
    {
        if (_orientationNoted || file.OrientationNote is not { } note) return null;
        _orientationNoted = true;
        return $"{note} So are other frames like it.";
    }
}
