using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>A folder of pictures as a video.</summary>
internal sealed class FrameFolder : VideoSource
{
    private readonly string[] _files;
    private readonly bool _upright;
    private bool _noted;

    public FrameFolder(string path, MediaOptions options) : base(path, options)
    {
        _upright = options.Upright;
        _files = PictureFolder.Files(path, options.Order, "frame", Note);
        using EncodedImage first = EncodedImage.Open(_files[0], _upright, member: true);
        (Width, Height) = (first.Width, first.Height);
        if (StillNote(first) is { } note) Note(note);
    }

    public override int Width { get; }

    public override int Height { get; }

    public override int FrameCount => _files.Length;

    public override TimeSpan? Duration(int index) => null;

    private protected override string NameOf(int index) => Path.GetFileName(_files[index]);

    private protected override RgbImage Decode(int index, out string? note)
    {
        using EncodedImage file = EncodedImage.Open(_files[index], _upright, member: true);
        if (file.Width != Width || file.Height != Height)
            throw new MediaException($"{_files[index]} has {file.Width}×{file.Height} pixels, the first frame {Width}×{Height}; "
                + "all frames of a video must have one size.");
        note = StillNote(file);
        return file.Picture();
    }

    private protected override void Close()
    {
    }

    /// <summary>A thousand frames of one camera are one note.</summary>
    private string? StillNote(EncodedImage file)
    {
        if (_noted || file.StillNote is not { } note) return null;
        _noted = true;
        return $"{note} So are other frames like it.";
    }
}
