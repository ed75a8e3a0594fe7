using Sa2VA.Cli.Live;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

public class TerminalPictureTests
{
    [Fact]
    public void Two_pixels_are_one_character_in_the_colours_of_picture_and_object()
    {
        using var output = new StringWriter();
        // Above green, below black with an object on the right half.
        byte[] pixels = new byte[4 * 4 * 3];
        for (int i = 0; i < 8; i++) pixels[i * 3 + 1] = 200;
        byte[] mask = new byte[16];
        mask[10] = mask[11] = mask[14] = mask[15] = 1;
        new TerminalPicture(output, () => (3, 4)).Show(new RgbImage(4, 4, pixels), [(0, new Mask(4, 4, mask))], "a long line");
        (byte r, byte g, byte b) = Overlay.Colour(0);
        Assert.Equal("\e[38;2;0;200;0;48;2;0;0;0m▀" + $"\e[38;2;0;200;0;48;2;{(r + 1) / 2};{(g + 1) / 2};{(b + 1) / 2}m▀"
            + "\e[0m\e[K\na \e[K\n\e[J", output.ToString());
    }

    [Theory]
    [InlineData(1920, 1080, 80, 24)]
    [InlineData(100, 1000, 80, 24)]
    [InlineData(10000, 1, 40, 10)]
    [InlineData(1, 1, 1, 1)]
    [InlineData(64, 48, 5, 2)]
    public void It_fits_the_terminal_and_is_drawn_in_its_place(int width, int height, int columns, int rows)
    {
        using var output = new StringWriter();
        var picture = new TerminalPicture(output, () => (columns, rows));
        var frame = new RgbImage(width, height, new byte[width * height * 3]);
        picture.Show(frame, [], "status");
        string[] lines = output.ToString().Split('\n');
        Assert.All(lines, l => Assert.InRange(l.Count(c => c == '▀'), 0, Math.Max(1, columns - 1)));
        int drawn = lines.Count(l => l.Contains('▀', StringComparison.Ordinal));
        Assert.InRange(drawn, 1, Math.Max(1, rows - 3));
        // Too soon for another one; below what was written meanwhile the next begins anew.
        picture.Show(frame, [], "status");
        Assert.Equal(lines, output.ToString().Split('\n'));
        picture.Leave();
        picture.Show(frame, [], "status");
        Assert.DoesNotContain($"\e[{drawn + 1}A", output.ToString(), StringComparison.Ordinal);
    }
}
