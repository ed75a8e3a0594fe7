using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>What is drawn inside, along the edge and outside of masks.</summary>
public sealed class OverlayTests
{
    private static readonly OverlayStyle Plain = new() { Labels = false };

    [Fact]
    public void Inside_is_half_the_colour_the_edge_all_of_it_with_a_white_line_around()
    {
        RgbImage image = TestImages.Gradient(40, 30, 6);
        var pixels = new byte[40 * 30];
        for (int y = 5; y < 20; y++) pixels.AsSpan(y * 40 + 8, 20).Fill(1);
        RgbImage drawn = Overlay.Draw(image, [new(3, new Mask(40, 30, pixels))], Plain);
        (byte r, byte g, byte b) = Overlay.Colour(3);
        byte[] colour = [r, g, b];
        for (int y = 0; y < 30; y++)
        {
            for (int x = 0; x < 40; x++)
            {
                bool inside = x is >= 8 and < 28 && y is >= 5 and < 20, edge = inside && (x is 8 or 27 || y is 5 or 19);
                bool around = !inside && ((x is 7 or 28 && y is >= 5 and < 20) || (y is 4 or 20 && x is >= 8 and < 28));
                for (int c = 0; c < 3; c++)
                {
                    int old = image.Row(y)[3 * x + c], now = drawn.Row(y)[3 * x + c];
                    Assert.Equal(edge ? colour[c] : inside ? (old + colour[c] + 1) / 2 : around ? 255 : old, now);
                }
            }
        }
    }

    [Fact]
    public void A_mask_up_to_the_border_has_no_edge_there()
    {
        RgbImage drawn = Overlay.Draw(new RgbImage(3, 3, new byte[27]), [new(20, new Mask(3, 3, [1, 1, 1, 1, 1, 1, 1, 1, 1]))], Plain);
        Assert.All(drawn.Pixels.ToArray(), v => Assert.Equal(128, v));
    }

    [Fact]
    public void Colours_differ_and_repeat()
    {
        Assert.True(Overlay.ColourCount >= 19);
        Assert.Equal(Overlay.ColourCount, Enumerable.Range(0, Overlay.ColourCount).Select(Overlay.Colour).Distinct().Count());
        Assert.Equal(Overlay.Colour(0), Overlay.Colour(Overlay.ColourCount));
    }

    [Fact]
    public void A_mask_of_another_size_is_refused() =>
        Assert.Throws<MediaException>(() => Overlay.Draw(TestImages.Gradient(4, 4), [new(0, new Mask(4, 5, new byte[20]))]));
}
