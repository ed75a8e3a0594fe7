using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>Masks drawn over a picture: half picture, half colour inside, the full colour along the edge, a white line around it.</summary>
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

    /// <summary>Draws masks one after the other; later ones are blended over earlier ones.</summary>
    /// <param name="image">The picture; it is not changed.</param>
    /// <param name="masks">Masks of the picture's size.</param>
    /// <param name="ids">The object of each mask, for its colour; null for 0, 1, 2, ….</param>
    /// <returns>A new picture.</returns>
    /// <exception cref="MediaException">A mask has another size.</exception>
    public static RgbImage Draw(RgbImage image, IReadOnlyList<Mask> masks, IReadOnlyList<int>? ids = null)
    {
        Check(image, masks, ids);
        byte[] pixels = new byte[image.Pixels.Length];
        int bytes = pixels.Length / image.Height;
        for (int y = 0; y < image.Height; y++) DrawRow(image, masks, ids, y, pixels.AsSpan(y * bytes, bytes));
        return new RgbImage(image.Width, image.Height, pixels);
    }

    /// <summary>Draws into an 8-bit RGB PNG, row by row: no second picture is held. The file appears whole or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="image">As for <see cref="Draw"/>.</param>
    /// <param name="masks">As for <see cref="Draw"/>.</param>
    /// <param name="ids">As for <see cref="Draw"/>.</param>
    /// <exception cref="MediaException">A mask has another size, or the file cannot be written.</exception>
    public static void SavePng(string path, RgbImage image, IReadOnlyList<Mask> masks, IReadOnlyList<int>? ids = null)
    {
        Check(image, masks, ids);
        PngWriter.Write(path, image.Width, image.Height, PngKind.Rgb, (y, pixels) => DrawRow(image, masks, ids, y, pixels));
    }

    private static void Check(RgbImage image, IReadOnlyList<Mask> masks, IReadOnlyList<int>? ids)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(masks);
        if (ids != null && ids.Count != masks.Count) throw new ArgumentException($"{masks.Count} masks have {ids.Count} ids.", nameof(ids));
        for (int i = 0; i < masks.Count; i++)
        {
            if (masks[i].Width != image.Width || masks[i].Height != image.Height)
                throw new MediaException(
                    $"Mask {i} has {masks[i].Width}×{masks[i].Height} pixels, the picture {image.Width}×{image.Height}.");
        }
    }

    private static void DrawRow(RgbImage image, IReadOnlyList<Mask> masks, IReadOnlyList<int>? ids, int y, Span<byte> pixels)
    {
        image.Row(y).CopyTo(pixels);
        // A line that can be seen when a large picture is shown on a screen.
        int line = 1 + Math.Max(image.Width, image.Height) / 600;
        for (int i = 0; i < masks.Count; i++) DrawRow(pixels, masks[i], y, Colour(ids?[i] ?? i), line);
    }

    private static void DrawRow(Span<byte> pixels, Mask mask, int y, (byte R, byte G, byte B) colour, int line)
    {
        ReadOnlySpan<byte> inside = mask.Row(y), above = mask.Row(Math.Max(y - line, 0)),
            below = mask.Row(Math.Min(y + line, mask.Height - 1));
        for (int x = 0; x < mask.Width; x++)
        {
            int left = Math.Max(x - line, 0), right = Math.Min(x + line, mask.Width - 1);
            Span<byte> pixel = pixels.Slice(x * 3, 3);
            if (inside[x] == 0)
            {
                // An object may have its own colour's mask: the white line shows it all the same.
                if ((inside[left] | inside[right] | above[x] | below[x]) != 0) pixel.Fill(255);
                continue;
            }
            bool edge = (inside[left] & inside[right] & above[x] & below[x]) == 0;
            pixel[0] = edge ? colour.R : (byte)((pixel[0] + colour.R + 1) / 2);
            pixel[1] = edge ? colour.G : (byte)((pixel[1] + colour.G + 1) / 2);
            pixel[2] = edge ? colour.B : (byte)((pixel[2] + colour.B + 1) / 2);
        }
    }
}
