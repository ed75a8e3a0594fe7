using System.Globalization;
using System.Text;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// The labels of a picture's objects: where each plate lies, and what a row of it looks like. Plates do not cover each other as long as
/// there is room. Memory is used again by the next picture.
/// </summary>
internal sealed class OverlayLabels : IDisposable
{
    private const int LongestPhrase = 200;

    private readonly int _width, _height, _margin, _widest;
    private readonly LabelFont _font;
    private readonly List<Plate> _plates = [];
    private readonly List<Glyph> _glyphs = [];

    /// <param name="width">Columns of the pictures.</param>
    /// <param name="height">Rows of the pictures.</param>
    /// <param name="fontFile">As in <see cref="OverlayStyle.FontFile"/>.</param>
    public OverlayLabels(int width, int height, string? fontFile)
    {
        // Legible when a large picture is shown on a screen, and not above all else on a small one.
        int size = Math.Clamp(Math.Max(width, height) / 40, 13, 200);
        (_width, _height, _margin) = (width, height, Math.Max(2, size / 5));
        // A long phrase does not hide the picture.
        _widest = Math.Min(width, Math.Max(width / 2, 12 * size));
        _font = new LabelFont(size, fontFile);
    }

    /// <summary>Writes and places the labels of a picture.</summary>
    public void Show(IReadOnlyList<ObjectResult> objects)
    {
        _plates.Clear();
        _glyphs.Clear();
        int height = _font.LineHeight + 2 * _margin;
        if (height > _height) return;
        for (int i = 0; i < objects.Count; i++)
        {
            ObjectResult o = objects[i];
            if (o.Mask.BoundingBox is not { } box) continue;
            int first = _glyphs.Count, width = Write(o) + 2 * _margin;
            if (width > _widest || _glyphs.Count == first) continue;
            (int x, int y) = Place(box, width, height);
            _plates.Add(new Plate(x, y, width, height, first, _glyphs.Count, Overlay.Colour(o.Id)));
        }
    }

    /// <summary>Draws what of the labels lies on a row.</summary>
    /// <param name="y">The row.</param>
    /// <param name="pixels">RGB; is drawn over.</param>
    public void DrawRow(int y, Span<byte> pixels)
    {
        for (int i = 0; i < _plates.Count; i++)
        {
            Plate plate = _plates[i];
            if (y < plate.Y || y >= plate.Y + plate.Height) continue;
            byte ink = plate.Ink;
            // The line around is what shows the plate on a ground of its own colour.
            bool border = y == plate.Y || y == plate.Y + plate.Height - 1;
            for (int x = plate.X; x < plate.X + plate.Width; x++)
            {
                Span<byte> pixel = pixels.Slice(3 * x, 3);
                if (border || x == plate.X || x == plate.X + plate.Width - 1) pixel.Fill(ink);
                else (pixel[0], pixel[1], pixel[2]) = plate.Colour;
            }
            int at = plate.X + _margin, line = y - plate.Y - _margin;
            for (int g = plate.First; g < plate.End; g++)
            {
                Glyph glyph = _glyphs[g];
                int row = line - glyph.Top;
                if (row >= 0 && row < glyph.Height)
                {
                    ReadOnlySpan<byte> coverage = glyph.Coverage.AsSpan(row * glyph.Width, glyph.Width);
                    for (int x = 0; x < coverage.Length; x++)
                    {
                        int column = at + glyph.Left + x;
                        if (column <= plate.X || column >= plate.X + plate.Width - 1) continue;
                        foreach (ref byte value in pixels.Slice(3 * column, 3))
                            value = (byte)((value * (255 - coverage[x]) + ink * coverage[x] + 127) / 255);
                    }
                }
                at += glyph.Advance;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _font.Dispose();

    /// <summary>Appends "3 red circle 0.97"; a phrase that is too long is cut.</summary>
    /// <returns>Columns.</returns>
    private int Write(ObjectResult o)
    {
        Span<char> number = stackalloc char[16], score = stackalloc char[16];
        o.Id.TryFormat(number, out int numberLength, default, CultureInfo.InvariantCulture);
        int scoreLength = 0;
        if (o.Score is { } value && double.IsFinite(value))
            value.TryFormat(score, out scoreLength, "0.00", CultureInfo.InvariantCulture);
        int width = Write(number[..numberLength]), end = scoreLength > 0 ? Measure(" ") + Measure(score[..scoreLength]) : 0;
        if (!string.IsNullOrWhiteSpace(o.Phrase)) width += WritePhrase(o.Phrase, _widest - 2 * _margin - width - end);
        if (scoreLength > 0) width += Write(" ") + Write(score[..scoreLength]);
        return width;
    }

    private int WritePhrase(string phrase, int room)
    {
        int written = Write(" "), start = _glyphs.Count, dots = Measure("…");
        ReadOnlySpan<char> text = phrase.AsSpan(0, Math.Min(phrase.Length, LongestPhrase)).Trim();
        bool cut = phrase.Length > LongestPhrase;
        int fits = _glyphs.Count, fitsWidth = written;
        foreach (Rune rune in text.EnumerateRunes())
        {
            Glyph glyph = _font[Shown(rune)];
            if (written + glyph.Advance > room)
            {
                cut = true;
                break;
            }
            _glyphs.Add(glyph);
            written += glyph.Advance;
            if (written + dots <= room) (fits, fitsWidth) = (_glyphs.Count, written);
        }
        if (!cut) return written;
        if (fits == start)
        {
            // Not even a letter fits.
            _glyphs.RemoveRange(start - 1, _glyphs.Count - start + 1);
            return 0;
        }
        _glyphs.RemoveRange(fits, _glyphs.Count - fits);
        return fitsWidth + Write("…");
    }

    private int Write(ReadOnlySpan<char> text)
    {
        int width = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            Glyph glyph = _font[rune];
            _glyphs.Add(glyph);
            width += glyph.Advance;
        }
        return width;
    }

    private int Measure(ReadOnlySpan<char> text)
    {
        int width = 0;
        foreach (Rune rune in text.EnumerateRunes()) width += _font[rune].Advance;
        return width;
    }

    // Lines are not broken.
    private static Rune Shown(Rune rune) => Rune.IsControl(rune) || Rune.IsWhiteSpace(rune) ? new Rune(' ') : rune;

    /// <summary>Above the object, else at its upper edge, else below it, else wherever there is room.</summary>
    private (int X, int Y) Place((int X, int Y, int Width, int Height) box, int width, int height)
    {
        int x = Math.Clamp(box.X + (box.Width - width) / 2, 0, _width - width), last = _height - height;
        int above = box.Y - height - 1, inside = Math.Clamp(box.Y + 1, 0, last), below = box.Y + box.Height + 1;
        if (above >= 0 && IsFree(x, above, width, height)) return (x, above);
        if (IsFree(x, inside, width, height)) return (x, inside);
        if (below <= last && IsFree(x, below, width, height)) return (x, below);
        for (int y = inside; y <= last; y++)
            if (IsFree(x, y, width, height)) return (x, y);
        for (int y = inside; y >= 0; y--)
            if (IsFree(x, y, width, height)) return (x, y);
        return (x, inside);
    }

    private bool IsFree(int x, int y, int width, int height)
    {
        for (int i = 0; i < _plates.Count; i++)
        {
            Plate p = _plates[i];
            if (x < p.X + p.Width && p.X < x + width && y < p.Y + p.Height && p.Y < y + height) return false;
        }
        return true;
    }

    /// <summary>A label's plate, and which of the characters are on it.</summary>
    private readonly record struct Plate(int X, int Y, int Width, int Height, int First, int End, (byte R, byte G, byte B) Colour)
    {
        /// <summary>Black or white, whichever has the greater contrast with the colour as WCAG measures it.</summary>
        public byte Ink => 0.2126 * Linear(Colour.R) + 0.7152 * Linear(Colour.G) + 0.0722 * Linear(Colour.B) > 0.179 ? (byte)0 : (byte)255;

        private static double Linear(byte value) => value / 255.0 is var v && v <= 0.04045 ? v / 12.92 : Math.Pow((v + 0.055) / 1.055, 2.4);
    }
}
