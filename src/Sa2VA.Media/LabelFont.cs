using System.Text;
using Sa2VA.Core;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>A character as it is drawn.</summary>
/// <param name="Left">Columns from where it is put to its first one.</param>
/// <param name="Top">Rows from the line's upper edge to its first one.</param>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
/// <param name="Advance">Columns to the next character.</param>
/// <param name="Coverage">[Height, Width], 0 to 255.</param>
internal sealed record Glyph(int Left, int Top, int Width, int Height, int Advance, byte[] Coverage);

/// <summary>
/// Characters in one size, each drawn once. The font that is shipped is Noto Sans SemiBold, reduced to Latin, Greek and Cyrillic letters.
/// </summary>
internal sealed class LabelFont : IDisposable
{
    private const string Resource = "Sa2VA.Media.Fonts.NotoSans-Labels.ttf";

    private static readonly Lazy<SKTypeface> Shipped = new(() =>
    {
        using Stream file = typeof(LabelFont).Assembly.GetManifestResourceStream(Resource)!;
        return SKTypeface.FromStream(file);
    });

    private readonly Dictionary<int, Glyph> _glyphs = [];
    private readonly SKFont _shipped;
    private readonly SKFont? _given;
    private readonly int _ascent;

    /// <summary>Prepares a size.</summary>
    /// <param name="size">Height of an em in pixels.</param>
    /// <param name="file">Font for what the shipped one lacks; null for none.</param>
    /// <exception cref="MediaException">The file is no font.</exception>
    public LabelFont(int size, string? file)
    {
        _shipped = FontOf(Shipped.Value, size);
        if (file is not null)
        {
            if (!File.Exists(file)) throw new MediaException($"There is no font {file}; give a TTF or OTF file.");
            using SKTypeface? typeface = SKTypeface.FromFile(file);
            _given = FontOf(typeface ?? throw new MediaException($"{file} is no font that can be read; give a TTF or OTF file."), size);
        }
        SKFontMetrics metrics = _shipped.Metrics;
        _ascent = (int)Math.Ceiling(-metrics.Ascent);
        LineHeight = _ascent + (int)Math.Ceiling(metrics.Descent);
    }

    /// <summary>Rows of a line.</summary>
    public int LineHeight { get; }

    /// <summary>A character; a box where no font has it.</summary>
    public Glyph this[Rune character]
    {
        get
        {
            if (_glyphs.TryGetValue(character.Value, out Glyph? glyph)) return glyph;
            return _glyphs[character.Value] = Draw(character.Value);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _shipped.Dispose();
        _given?.Dispose();
    }

    // What hinting does depends on the system; without it a character looks alike on all of them.
    private static SKFont FontOf(SKTypeface typeface, int size) =>
        new(typeface, size) { Edging = SKFontEdging.Antialias, Hinting = SKFontHinting.None, Subpixel = false };

    private Glyph Draw(int character)
    {
        SKFont font = _given is not null && !_shipped.ContainsGlyph(character) && _given.ContainsGlyph(character) ? _given : _shipped;
        ushort number = font.GetGlyph(character);
        ReadOnlySpan<ushort> numbers = [number];
        int advance = (int)Math.Round(font.MeasureText(numbers));
        using SKPath? path = font.GetGlyphPath(number);
        if (path is null || path.IsEmpty) return new Glyph(0, 0, 0, 0, advance, []);
        SKRectI bounds = SKRectI.Ceiling(path.Bounds, outwards: true);
        using var bitmap = new SKBitmap(new SKImageInfo(bounds.Width, bounds.Height, SKColorType.Alpha8, SKAlphaType.Premul));
        using (var canvas = new SKCanvas(bitmap))
        using (var paint = new SKPaint { IsAntialias = true, Color = SKColors.White })
        {
            canvas.Clear(SKColors.Transparent);
            canvas.Translate(-bounds.Left, -bounds.Top);
            canvas.DrawPath(path, paint);
        }
        byte[] coverage = new byte[bounds.Width * bounds.Height];
        ReadOnlySpan<byte> pixels = bitmap.GetPixelSpan();
        for (int y = 0; y < bounds.Height; y++)
            pixels.Slice(y * bitmap.RowBytes, bounds.Width).CopyTo(coverage.AsSpan(y * bounds.Width));
        return new Glyph(bounds.Left, _ascent + bounds.Top, bounds.Width, bounds.Height, advance, coverage);
    }
}
