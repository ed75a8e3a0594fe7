using Sa2VA.Models;

namespace Sa2VA.Engine;

/// <summary>
/// A frame on its way: a copy of the caller's pixels, or a picture that never changes. Its memory serves one frame after the other.
/// </summary>
internal sealed class LiveFrame
{
    private byte[] _rgb = [];
    private RgbImage? _image;
    private int _width, _height;

    /// <summary>The caller's.</summary>
    public TimeSpan Timestamp { get; set; }

    /// <summary>When it was pushed, by the provider's clock.</summary>
    public long Pushed { get; set; }

    /// <summary>How old it may be when its masks come out, or null.</summary>
    public TimeSpan? Deadline { get; set; }

    /// <summary>Has the frame skipped.</summary>
    public CancellationToken Cancellation { get; set; }

    /// <summary>The picture, if it is one that never changes.</summary>
    public RgbImage? Image => _image;

    /// <summary>The picture.</summary>
    public ImageView View => _image is { } image ? image.View : new ImageView(_rgb, _width, _height);

    /// <summary>Holds a picture that never changes.</summary>
    public void Hold(RgbImage image) => _image = image;

    /// <summary>Copies a picture.</summary>
    public void Copy(ImageView view)
    {
        (_image, _width, _height) = (null, view.Width, view.Height);
        int row = view.Width * 3;
        if (_rgb.Length != row * view.Height) _rgb = new byte[row * view.Height];
        for (int y = 0; y < view.Height; y++) view.CopyRow(y, _rgb.AsSpan(y * row, row));
    }

    /// <summary>Lets go of what is the caller's.</summary>
    public void Clear() => (_image, Cancellation) = (null, default);
}
