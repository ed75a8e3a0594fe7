using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>Labels: seen on every ground, beside each other, within the picture, for no memory.</summary>
public sealed class OverlayLabelTests
{
    private static readonly OverlayStyle LabelsAlone = new() { Fill = 0, Outline = false };

    [Fact]
    public void A_label_is_seen_on_a_ground_of_its_own_colour()
    {
        for (int id = 0; id < Overlay.ColourCount; id++)
        {
            (byte R, byte G, byte B) colour = Overlay.Colour(id);
            RgbImage drawn = Overlay.Draw(Filled(300, 200, colour), [Whole(id, 300, 200, "red circle")], LabelsAlone);
            (byte R, byte G, byte B)[] others = [.. Pixels(drawn).Where(p => p.Colour != colour).Select(p => p.Colour)];
            // Black or white, and what lies between it and the plate along the letters' edges.
            byte ink = Contrast(colour, (0, 0, 0)) > Contrast(colour, (255, 255, 255)) ? (byte)0 : (byte)255;
            Assert.True(Contrast(colour, (ink, ink, ink)) >= 4.5, $"{colour}");
            Assert.InRange(others.Count(c => c == (ink, ink, ink)), 200, 2000);
            Assert.All(others, c => Assert.InRange(c.G, Math.Min(ink, colour.G), Math.Max(ink, colour.G)));
        }
    }

    [Fact]
    public void Labels_of_objects_in_one_place_lie_beside_each_other()
    {
        RgbImage drawn = Overlay.Draw(Filled(400, 300, (1, 2, 3)), [.. Enumerable.Range(0, 8).Select(i => Whole(i, 400, 300, "thing"))],
            LabelsAlone);
        (int Left, int Top, int Right, int Bottom)[] plates = [.. Enumerable.Range(0, 8).Select(i =>
        {
            (int X, int Y, (byte, byte, byte))[] of = [.. Pixels(drawn).Where(p => p.Colour == Overlay.Colour(i))];
            return (of.Min(p => p.X), of.Min(p => p.Y), of.Max(p => p.X), of.Max(p => p.Y));
        })];
        for (int i = 0; i < plates.Length; i++)
        {
            Assert.True(plates[i].Right - plates[i].Left > 50 && plates[i].Bottom - plates[i].Top > 10);
            for (int j = 0; j < i; j++)
                Assert.True(plates[i].Left > plates[j].Right || plates[j].Left > plates[i].Right
                    || plates[i].Top > plates[j].Bottom || plates[j].Top > plates[i].Bottom, $"{i} and {j}");
        }
    }

    [Fact]
    public void More_labels_than_there_is_room_for_and_small_pictures_are_drawn_all_the_same()
    {
        Overlay.Draw(Filled(120, 40, (0, 0, 0)), [.. Enumerable.Range(0, 50).Select(i => Whole(i, 120, 40, "thing"))], LabelsAlone);
        for (int side = 1; side < 40; side++)
        {
            RgbImage picture = Filled(side, side, (9, 9, 9));
            RgbImage drawn = Overlay.Draw(picture, [Whole(0, side, side, "red circle")], LabelsAlone);
            if (side < 15) Assert.Equal(picture.Pixels.ToArray(), drawn.Pixels.ToArray());
        }
    }

    [Fact]
    public void A_long_phrase_is_cut_and_the_score_stays()
    {
        int Width(string? phrase) => Pixels(Overlay.Draw(Filled(600, 100, (0, 0, 0)), [Whole(0, 600, 100, phrase)], LabelsAlone))
            .Where(p => p.Colour == Overlay.Colour(0)).Select(p => p.X).Distinct().Count();
        int alone = Width(null), some = Width("ring"), most = Width(new string('m', 60));
        Assert.True(some > alone + 20);
        Assert.InRange(most, 260, 300);
        Assert.Equal(most, Width(new string('m', 100_000)));
        // What ends the label is the score of both.
        Assert.Equal(Tail("ring"), Tail(new string('m', 60)));
        // Scripts that the font lacks are boxes, control characters spaces, halves of characters replaced.
        Assert.True(Width("狗狗") > alone + 10);
        Assert.Equal(Width("a b"), Width("a\nb"));
        Assert.True(Width("\ud800") > alone);

        static byte[] Tail(string phrase)
        {
            RgbImage drawn = Overlay.Draw(Filled(600, 100, (0, 0, 0)), [Whole(0, 600, 100, phrase)], LabelsAlone);
            int right = Pixels(drawn).Where(p => p.Colour == Overlay.Colour(0)).Max(p => p.X);
            return [.. Enumerable.Range(0, 100).SelectMany(y => drawn.Row(y)[(3 * (right - 30))..(3 * (right + 1))].ToArray())];
        }
    }

    [Fact]
    public void Letters_of_three_alphabets_are_there()
    {
        using var font = new LabelFont(20, null);
        Glyph box = font[new System.Text.Rune('狗')];
        Assert.True(box.Coverage.Length > 0);
        foreach (System.Text.Rune letter in "AzÄßéğłőșřÑøÞ09&%…–’ΩλάжЯёђіạễĐơư€™".EnumerateRunes())
        {
            Glyph glyph = font[letter];
            Assert.True(glyph.Coverage.Contains((byte)255) && !glyph.Coverage.SequenceEqual(box.Coverage), letter.ToString());
        }
    }

    [Fact]
    public void Side_by_side_has_the_picture_as_it_is_at_the_left()
    {
        RgbImage picture = TestImages.Gradient(60, 50, 4);
        ObjectResult[] objects = [new(2, new Mask(60, 50, [.. Enumerable.Range(0, 3000).Select(i => (byte)(i / 1500))]))];
        RgbImage both = Overlay.Draw(picture, objects, new OverlayStyle { SideBySide = true }), one = Overlay.Draw(picture, objects);
        Assert.Equal((120, 50), (both.Width, both.Height));
        for (int y = 0; y < 50; y++)
        {
            Assert.True(both.Row(y)[..180].SequenceEqual(picture.Row(y)));
            Assert.True(both.Row(y)[180..].SequenceEqual(one.Row(y)));
        }
    }

    [Fact]
    public void The_share_of_the_colour_is_as_asked()
    {
        RgbImage drawn = Overlay.Draw(Filled(9, 9, (100, 100, 100)), [Whole(20, 9, 9, null)],
            new OverlayStyle { Fill = 0.25, Labels = false, Outline = false });
        Assert.All(drawn.Pixels.ToArray(), v => Assert.Equal(139, v));
        Assert.Throws<ArgumentOutOfRangeException>(() => new OverlayStyle { Fill = 1.5 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new OverlayStyle { Fill = double.NaN });
    }

    [Fact]
    public void A_warm_picture_allocates_nothing()
    {
        using var painter = new OverlayPainter(200, 100, new OverlayStyle { SideBySide = true });
        RgbImage picture = TestImages.Gradient(200, 100, 4);
        ObjectResult[][] frames = [.. Enumerable.Range(0, 10).Select(i => (ObjectResult[])
            [Whole(0, 200, 100, "red circle") with { Score = 0.123 * i % 1 }, Whole(11, 200, 100, null) with { Score = 0.987 - 0.1 * i }])];
        byte[] row = new byte[3 * painter.Width];
        Draw();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Draw();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Draw()
        {
            foreach (ObjectResult[] objects in frames)
            {
                painter.Show(picture, objects);
                for (int y = 0; y < 100; y++) painter.CopyRow(y, row);
            }
        }
    }

    [Fact]
    public void What_cannot_be_drawn_is_refused()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("a.ttf"), "no font");
        foreach (string file in (string[])["a.ttf", "b.ttf"])
        {
            var style = new OverlayStyle { FontFile = folder.At(file) };
            Assert.Contains(file, Assert.Throws<MediaException>(() => new OverlayPainter(9, 9, style)).Message, StringComparison.Ordinal);
        }
        using var painter = new OverlayPainter(9, 9);
        Assert.Throws<InvalidOperationException>(() => painter.CopyRow(0, new byte[27]));
        Assert.Throws<MediaException>(() => painter.Show(Filled(9, 8, (0, 0, 0)), []));
    }

    private static ObjectResult Whole(int id, int width, int height, string? phrase)
    {
        byte[] pixels = new byte[width * height];
        Array.Fill(pixels, (byte)1);
        return new ObjectResult(id, new Mask(width, height, pixels)) { Phrase = phrase, Score = 0.97 };
    }

    private static RgbImage Filled(int width, int height, (byte R, byte G, byte B) colour) =>
        new(width, height, [.. Enumerable.Repeat((byte[])[colour.R, colour.G, colour.B], width * height).SelectMany(p => p)]);

    private static IEnumerable<(int X, int Y, (byte R, byte G, byte B) Colour)> Pixels(RgbImage image)
    {
        byte[] p = image.Pixels.ToArray();
        for (int i = 0; i < p.Length; i += 3) yield return (i / 3 % image.Width, i / 3 / image.Width, (p[i], p[i + 1], p[i + 2]));
    }

    private static double Contrast((byte R, byte G, byte B) a, (byte R, byte G, byte B) b)
    {
        double x = Luminance(a), y = Luminance(b);
        return (Math.Max(x, y) + 0.05) / (Math.Min(x, y) + 0.05);

        static double Luminance((byte R, byte G, byte B) c) => 0.2126 * Part(c.R) + 0.7152 * Part(c.G) + 0.0722 * Part(c.B);
        static double Part(byte value) => value <= 10 ? value / 255.0 / 12.92 : Math.Pow((value / 255.0 + 0.055) / 1.055, 2.4);
    }
}
