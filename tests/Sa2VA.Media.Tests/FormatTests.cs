using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>The forms in which masks are written.</summary>
public sealed class FormatTests
{
    [Fact]
    public void A_label_map_has_the_values_and_colours_of_davis()
    {
        using var folder = new ScratchFolder();
        Mask left = Rectangle(10, 6, 0, 0, 5, 6), middle = Rectangle(10, 6, 3, 2, 4, 2);
        byte[] labels = LabelMapFile.Labels([(2, middle), (0, left)]);
        LabelMapFile.Save(folder.At("a.png"), 10, 6, labels);
        (int width, int height, byte[] read) = ImageFile.LoadLabels(folder.At("a.png"));
        Assert.Equal((10, 6), (width, height));
        Assert.Equal(labels, read);
        for (int y = 0; y < 6; y++)
            for (int x = 0; x < 10; x++) Assert.Equal(middle[x, y] ? 3 : left[x, y] ? 1 : 0, read[y * 10 + x]);
        // As any other program shows it.
        using SKBitmap shown = SKBitmap.Decode(folder.At("a.png"));
        Assert.Equal(new SKColor(128, 0, 0), shown.GetPixel(0, 0));
        Assert.Equal(new SKColor(128, 128, 0), shown.GetPixel(3, 2));
        Assert.Equal(new SKColor(0, 0, 0), shown.GetPixel(9, 5));
        Assert.Equal([(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (64, 0, 0), (224, 224, 192)],
            new[] { 0, 1, 2, 3, 4, 8, 255 }.Select(LabelMapFile.Colour).Select(c => ((int)c.R, (int)c.G, (int)c.B)));
        Assert.Throws<MediaException>(() => LabelMapFile.Labels([(255, left)]));
        Assert.Throws<MediaException>(() => LabelMapFile.Labels([(0, left), (1, Rectangle(6, 10, 0, 0, 1, 1))]));
        Assert.Throws<MediaException>(() => LabelMapFile.Labels([]));
    }

    [Fact]
    public void A_soft_mask_has_probabilities_in_16_bits()
    {
        using var folder = new ScratchFolder();
        float[] logits = [0, 20, -20, 1, -1, float.PositiveInfinity, float.NegativeInfinity, 1e-3f];
        SoftMaskFile.Save(folder.At("a.png"), 4, 2, logits);
        PngPixels png = PngPixels.Read(File.ReadAllBytes(folder.At("a.png")), "a");
        Assert.Equal((PngPixels.Grey, 16, 4, 2), (png.Type, png.Bits, png.Width, png.Height));
        var levels = new List<int>();
        Assert.True(png.Rows((row, columns, _, _, _) =>
        {
            for (int x = 0; x < columns; x++) levels.Add(row[2 * x] << 8 | row[2 * x + 1]);
        }));
        Assert.Equal([32768, 65535, 0, 47910, 17625, 65535, 0, 32784], levels);
        Assert.Throws<MediaException>(() => SoftMaskFile.Save(folder.At("b.png"), 1, 1, [float.NaN]));
        Assert.Throws<MediaException>(() => SoftMaskFile.Save(folder.At("b.png"), 4, 2, []));
        Assert.Equal(["a.png"], folder.Entries);
    }

    [Fact]
    public void A_cut_out_is_opaque_inside_and_empty_outside()
    {
        using var folder = new ScratchFolder();
        RgbImage image = TestImages.Gradient(30, 20, 3);
        Mask mask = Rectangle(30, 20, 4, 5, 7, 8);
        CutoutFile.Save(folder.At("a.png"), image, mask);
        using SKBitmap shown = SKBitmap.Decode(folder.At("a.png"), new SKImageInfo(30, 20, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        for (int y = 0; y < 20; y++)
            for (int x = 0; x < 30; x++)
            {
                ReadOnlySpan<byte> rgb = image.Row(y).Slice(3 * x, 3);
                Assert.Equal(mask[x, y] ? new SKColor(rgb[0], rgb[1], rgb[2], 255) : new SKColor(0, 0, 0, 0), shown.GetPixel(x, y));
            }
        Assert.Throws<MediaException>(() => CutoutFile.Save(folder.At("b.png"), image, Rectangle(20, 30, 0, 0, 1, 1)));
    }

    [Fact]
    public void Polygons_are_exactly_the_pixels()
    {
        var random = new Random(5);
        for (int round = 0; round < 300; round++)
        {
            int width = random.Next(1, 24), height = random.Next(1, 24);
            double share = random.NextDouble();
            var mask = new Mask(width, height,
                [.. Enumerable.Range(0, width * height).Select(_ => (byte)(random.NextDouble() < share ? 1 : 0))]);
            IReadOnlyList<Polygon> parts = Polygon.Of(mask);
            var covered = new int[width * height];
            foreach (Polygon part in parts)
            {
                Assert.True(Area(part.Outer) > 0);
                Assert.All(part.Holes, hole => Assert.True(Area(hole) < 0));
                for (int i = 0; i < covered.Length; i++)
                    if (Holds(part.Outer, i % width, i / width) && !part.Holes.Any(h => Holds(h, i % width, i / width))) covered[i]++;
                Assert.All([part.Outer, .. part.Holes], ring => Assert.All(Enumerable.Range(0, ring.Count), i =>
                    // Corners alone: lines across and down in turn.
                    Assert.NotEqual(ring[i].X == ring[(i + 1) % ring.Count].X,
                        ring[(i + 1) % ring.Count].X == ring[(i + 2) % ring.Count].X)));
            }
            Assert.Equal(mask.Pixels.ToArray().Select(p => (int)p), covered);
            Assert.Equal(mask.Area, parts.Sum(p => Area(p.Outer) + p.Holes.Sum(Area)));
        }
        Polygon ring3 = Assert.Single(Polygon.Of(new Mask(5, 4, [0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1, 0])));
        Assert.Equal([(4, 1), (4, 4), (1, 4), (1, 1)], ring3.Outer);
        Assert.Equal([(2, 2), (2, 3), (3, 3), (3, 2)], Assert.Single(ring3.Holes));
        Assert.Equal(2, Polygon.Of(new Mask(2, 2, [1, 0, 0, 1])).Count);
        Assert.Empty(Polygon.Of(new Mask(2, 2, new byte[4])));
    }

    [Fact]
    public void Coco_and_youtube_vos_files_hold_every_mask()
    {
        using var folder = new ScratchFolder();
        // One with a hole: its area is not that of its box.
        byte[] holed = Rectangle(10, 6, 0, 0, 5, 6).Pixels.ToArray();
        holed[2 * 10 + 2] = 0;
        Mask a = new(10, 6, holed), b = Rectangle(10, 6, 3, 2, 4, 2), none = new(10, 6, new byte[60]);
        ObjectResult[][] frames =
        [
            [new(0, a) { Phrase = "the \"big\" 狗", Score = 0.5 }, new(1, none) { Phrase = "ball", Score = 0.1 }],
            [new(0, b) { Phrase = "the \"big\" 狗", Score = 1 }, new(1, a) { Phrase = "ball", Score = double.NaN }],
        ];
        using (var coco = new CocoFile(folder.At("coco.json")))
        using (var vos = new YouTubeVosFile(folder.At("ytvos.json")))
        using (var polygons = new PolygonFile(folder.At("polygons.json")))
        {
            for (int i = 0; i < 2; i++)
            {
                coco.Add($"{i}.jpg", 10, 6, frames[i]);
                vos.Add($"{i}.jpg", 10, 6, frames[i]);
                polygons.Add($"{i}.jpg", 10, 6, frames[i]);
            }
            Assert.DoesNotContain(folder.Entries, e => e.EndsWith(".json", StringComparison.Ordinal));
            coco.Finish();
            vos.Finish();
            polygons.Finish();
        }
        JsonElement root = Read("coco.json");
        Assert.Equal(["the \"big\" 狗", "ball"],
            root.GetProperty("categories").EnumerateArray().Select(c => c.GetProperty("name").GetString()));
        Assert.Equal(["0.jpg", "1.jpg"], root.GetProperty("images").EnumerateArray().Select(c => c.GetProperty("file_name").GetString()));
        JsonElement[] annotations = [.. root.GetProperty("annotations").EnumerateArray()];
        Assert.Equal([(1, 1, 1), (2, 2, 1), (3, 2, 2)], annotations.Select(x => (Int(x, "id"), Int(x, "image_id"), Int(x, "category_id"))));
        Assert.Equal([a, b, a], annotations.Select(x => Decode(x.GetProperty("segmentation"))), SameMask);
        Assert.Equal(["[0,0,5,6]", "[3,2,4,2]", "[0,0,5,6]"], annotations.Select(x => x.GetProperty("bbox").GetRawText()));
        Assert.Equal([29, 8, 29], annotations.Select(x => Int(x, "area")));
        Assert.False(annotations[2].TryGetProperty("score", out _));

        root = Read("ytvos.json");
        Assert.Equal("[\"0.jpg\",\"1.jpg\"]", root.GetProperty("videos")[0].GetProperty("file_names").GetRawText());
        JsonElement[] tracks = [.. root.GetProperty("annotations").EnumerateArray()];
        Assert.Equal((1, 2, 0.75), (Int(tracks[0], "id"), Int(tracks[1], "id"), tracks[0].GetProperty("score").GetDouble()));
        Assert.Equal(b, Decode(tracks[0].GetProperty("segmentations")[1]), SameMask);
        Assert.Equal("[null,[0,0,5,6]]", tracks[1].GetProperty("bboxes").GetRawText());
        Assert.Equal("[null,29]", tracks[1].GetProperty("areas").GetRawText());
        Assert.Equal(JsonValueKind.Null, tracks[1].GetProperty("segmentations")[0].ValueKind);

        JsonElement ball = Read("polygons.json").GetProperty("frames")[1].GetProperty("objects")[1];
        Assert.Equal("[{\"outer\":[[5,0],[5,6],[0,6],[0,0]],\"holes\":[[[2,2],[2,3],[3,3],[3,2]]]}]",
            ball.GetProperty("polygons").GetRawText());

        JsonElement Read(string name) => JsonDocument.Parse(File.ReadAllText(folder.At(name))).RootElement;
        static int Int(JsonElement json, string name) => json.GetProperty(name).GetInt32();
    }

    [Fact]
    public void What_is_not_finished_is_not_there()
    {
        using var folder = new ScratchFolder();
        new CocoFile(folder.At("a.json")).Dispose();
        new YouTubeVosFile(folder.At("a.json")).Dispose();
        new PolygonFile(folder.At("a.json")).Dispose();
        Assert.Empty(folder.Entries);
    }

    private static bool SameMask(Mask x, Mask y) => x.Width == y.Width && x.Pixels.SequenceEqual(y.Pixels);

    private static Mask Decode(JsonElement rle) => CocoRle.Decode(rle.GetProperty("counts").GetString()!,
        rle.GetProperty("size")[1].GetInt32(), rle.GetProperty("size")[0].GetInt32());

    private static long Area(IReadOnlyList<(int X, int Y)> ring)
    {
        long twice = 0;
        for (int i = 0; i < ring.Count; i++)
            twice += (long)ring[i].X * ring[(i + 1) % ring.Count].Y - (long)ring[(i + 1) % ring.Count].X * ring[i].Y;
        return twice / 2;
    }

    /// <summary>Whether a pixel's middle lies inside: an odd number of upright lines to its left.</summary>
    private static bool Holds(IReadOnlyList<(int X, int Y)> ring, int x, int y)
    {
        bool inside = false;
        for (int i = 0; i < ring.Count; i++)
        {
            (int fromX, int fromY) = ring[i];
            (int toX, int toY) = ring[(i + 1) % ring.Count];
            if (fromX == toX && fromX <= x && y >= Math.Min(fromY, toY) && y < Math.Max(fromY, toY)) inside = !inside;
        }
        return inside;
    }

    private static Mask Rectangle(int width, int height, int left, int top, int columns, int rows)
    {
        var pixels = new byte[width * height];
        for (int y = top; y < top + rows; y++) pixels.AsSpan(y * width + left, columns).Fill(1);
        return new Mask(width, height, pixels);
    }
}
