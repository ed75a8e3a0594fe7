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

    public FrameFolder(string path) : base(path)
    {
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
        _files = [.. _files.Where(f => Pictures.Contains(Path.GetExtension(f))).OrderBy(f => Path.GetFileName(f), StringComparer.Ordinal)];
        if (_files.Length == 0)
            throw new MediaException($"{path} holds no frames: no file ends in {string.Join(' ', Pictures.Order(StringComparer.Ordinal))}.");
        (Width, Height) = ImageFile.Size(_files[0]);
    }

    public override int Width { get; }

    public override int Height { get; }

    public override int FrameCount => _files.Length;

    public override TimeSpan? Duration(int index) => null;

    private protected override RgbImage Decode(int index)
    {
        using EncodedImage file = EncodedImage.Open(_files[index]);
        if (file.Width != Width || file.Height != Height)
            throw new MediaException($"{_files[index]} has {file.Width}×{file.Height} pixels, the first frame {Width}×{Height}; all frames of a video must have one size.");
        byte[] canvas = file.NewCanvas();
        file.Decode(canvas, 0, -1);
        return file.ToRgb(canvas);
    }
}
