using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Objects drawn over a picture: half picture, half colour inside, the full colour along the edge, a white line around it, and a label
/// with number, phrase and score; or as <see cref="OverlayStyle"/> says. For frames of a video there is <see cref="OverlayPainter"/>.
/// </summary>
public static class Overlay
{
    private static readonly (byte R, byte G, byte B)[] Colours =
    [
        (240, 50, 230), (70, 240, 240), (245, 130, 48), (210, 245, 60), (145, 30, 180), (0, 130, 200), (250, 190, 212), (60, 180, 75),
        (230, 25, 75), (255, 225, 25), (0, 128, 128), (220, 190, 255), (170, 110, 40), (255, 250, 200), (128, 0, 0), (170, 255, 195),
        (128, 128, 0), (255, 215, 180), (0, 0, 128), (128, 128, 128), (255, 255, 255), (0, 0, 0),
    ];

    /// <summary>Number of different colours; beyond them they repeat.</summary>
    public static int ColourCount => Colours.Length;

    /// <summary>The colour of an object.</summary>
    /// <param name="id">Object id from 0.</param>
    public static (byte R, byte G, byte B) Colour(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        return Colours[id % Colours.Length];
    }

    /// <summary>Draws objects one after the other; later ones lie over earlier ones.</summary>
    /// <param name="image">The picture; it is not changed.</param>
    /// <param name="objects">Objects with masks of the picture's size.</param>
    /// <param name="style">How they are drawn; null for the default.</param>
    /// <returns>A new picture.</returns>
    /// <exception cref="MediaException">A mask has another size, or the style names a file that is no font.</exception>
    public static RgbImage Draw(RgbImage image, IReadOnlyList<ObjectResult> objects, OverlayStyle? style = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        using var painter = new OverlayPainter(image.Width, image.Height, style);
        painter.Show(image, objects);
        return painter.ToImage();
    }

    /// <summary>Draws into an 8-bit RGB PNG, row by row: no second picture is held. The file appears whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="image">As for <see cref="Draw"/>.</param>
    /// <param name="objects">As for <see cref="Draw"/>.</param>
    /// <param name="style">As for <see cref="Draw"/>.</param>
    /// <exception cref="MediaException">As for <see cref="Draw"/>, or the file cannot be written.</exception>
    public static void SavePng(string path, RgbImage image, IReadOnlyList<ObjectResult> objects, OverlayStyle? style = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        using var painter = new OverlayPainter(image.Width, image.Height, style);
        painter.Show(image, objects);
        painter.SavePng(path);
    }
}
