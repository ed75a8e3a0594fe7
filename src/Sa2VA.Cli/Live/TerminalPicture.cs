using System.Diagnostics;
using System.Globalization;
using System.Text;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Live;

/// <summary>
/// The newest frame and its masks in a terminal of 24-bit colours, drawn again in its place: each character is two pixels, one above the
/// other.
/// </summary>
/// <param name="output">The terminal.</param>
/// <param name="size">Its columns and rows, which may change.</param>
internal sealed class TerminalPicture(TextWriter output, Func<(int Columns, int Rows)> size)
{
    /// <summary>More often nobody sees, and the terminal has work to do.</summary>
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(66);

    /// <summary>Places along each side of a drawn pixel that are looked at.</summary>
    private const int Samples = 3;

    private readonly Lock _lock = new();
    private readonly StringBuilder _text = new();
    private long _drawn;
    private int _lines;

    /// <summary>Draws a frame, unless the one before it was drawn just now.</summary>
    /// <param name="image">The frame.</param>
    /// <param name="objects">Objects on it, by number.</param>
    /// <param name="status">A line below it.</param>
    public void Show(RgbImage image, IReadOnlyList<(int Id, Mask Mask)> objects, string status)
    {
        lock (_lock)
        {
            if (_drawn != 0 && Stopwatch.GetElapsedTime(_drawn) < Interval) return;
            _drawn = Stopwatch.GetTimestamp();
            (int columns, int rows) = size();
            _text.Clear();
            // Back to where the picture before this one began.
            if (_lines > 0) _text.Append(CultureInfo.InvariantCulture, $"\e[{_lines}A\r");
            _lines = Draw(image, objects, Math.Max(1, columns - 1), Math.Max(1, rows - 3)) + 1;
            _text.Append(status.Length < columns ? status : status[..Math.Max(0, columns - 1)]).Append("\e[K\n\e[J");
            output.Write(_text.ToString());
            output.Flush();
        }
    }

    /// <summary>Leaves the picture where it is: the next one is drawn below what is written now.</summary>
    public void Leave()
    {
        lock (_lock) (_lines, _drawn) = (0, 0);
    }

    /// <returns>Lines.</returns>
    private int Draw(RgbImage image, IReadOnlyList<(int Id, Mask Mask)> objects, int columns, int rows)
    {
        int width = image.Width, height = image.Height;
        double scale = Math.Min((double)columns / width, 2.0 * rows / height);
        int across = Math.Clamp((int)(width * scale), 1, columns), down = Math.Clamp((int)(height * scale / 2), 1, rows);
        for (int y = 0; y < down; y++)
        {
            ((byte, byte, byte) Upper, (byte, byte, byte) Lower)? before = null;
            for (int x = 0; x < across; x++)
            {
                ((byte R, byte G, byte B) Upper, (byte R, byte G, byte B) Lower) cell =
                    (Pixel(image, objects, (x, 2 * y), (across, 2 * down)), Pixel(image, objects, (x, 2 * y + 1), (across, 2 * down)));
                if (cell != before)
                    _text.Append(CultureInfo.InvariantCulture, $"\e[38;2;{cell.Upper.R};{cell.Upper.G};{cell.Upper.B}")
                        .Append(CultureInfo.InvariantCulture, $";48;2;{cell.Lower.R};{cell.Lower.G};{cell.Lower.B}m");
                before = cell;
                _text.Append('▀');
            }
            _text.Append("\e[0m\e[K\n");
        }
        return down;
    }

    /// <summary>The mean of a few places, each with half of its object's colour.</summary>
    private static (byte R, byte G, byte B) Pixel(RgbImage image, IReadOnlyList<(int Id, Mask Mask)> objects, (int X, int Y) at,
        (int Across, int Down) of)
    {
        int red = 0, green = 0, blue = 0;
        for (int i = 0; i < Samples * Samples; i++)
        {
            int column = (int)((at.X + (i % Samples + 0.5) / Samples) * image.Width / of.Across);
            int row = (int)((at.Y + (i / Samples + 0.5) / Samples) * image.Height / of.Down);
            ReadOnlySpan<byte> pixel = image.Row(row).Slice(column * 3, 3);
            (int r, int g, int b) = (pixel[0], pixel[1], pixel[2]);
            foreach ((int id, Mask mask) in objects)
            {
                if (mask.Row(row)[column] == 0) continue;
                (byte R, byte G, byte B) colour = Overlay.Colour(id);
                (r, g, b) = ((r + colour.R + 1) / 2, (g + colour.G + 1) / 2, (b + colour.B + 1) / 2);
            }
            (red, green, blue) = (red + r, green + g, blue + b);
        }
        const int Count = Samples * Samples;
        return ((byte)(red / Count), (byte)(green / Count), (byte)(blue / Count));
    }
}
