using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>What comes out of every format, whole and damaged.</summary>
public sealed class ImageFileTests
{
    [Fact]
    public void Every_picture_of_the_fixtures_loads()
    {
        int files = 0;
        using var folder = new ScratchFolder();
        foreach (string path in Directory.GetFiles(Fixtures.Path("media"), "*.png", SearchOption.AllDirectories))
        {
            RgbImage image = ImageFile.Load(path);
            Assert.Equal((image.Width, image.Height), ImageFile.Size(path));
            if (files++ % 10 != 0) continue;
            ImageFile.SavePng(folder.At("copy.png"), image);
            Assert.Equal(image.Pixels.ToArray(), ImageFile.Load(folder.At("copy.png")).Pixels.ToArray());
        }
        Assert.True(files > 50, $"Only {files} pictures.");
    }

    [Fact]
    public void Label_maps_give_the_raw_values()
    {
        (int width, int height, byte[] labels) = ImageFile.LoadLabels(Fixtures.Path("media", "intern-32-regions.png"));
        RgbImage shown = ImageFile.Load(Fixtures.Path("media", "intern-32-regions.png"));
        Assert.Equal((shown.Width, shown.Height), (width, height));
        Assert.True(labels.Max() > 1);
        for (int i = 0; i < labels.Length; i++) Assert.Equal(labels[i], shown.Pixels[3 * i + 1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(8)]
    public void Palette_and_grey_maps_of_any_depth_are_read(int bits)
    {
        using var folder = new ScratchFolder();
        const int width = 13, height = 5;
        int stride = (width * bits + 7) / 8, levels = 1 << bits;
        byte[] rows = new byte[stride * height], expected = new byte[width * height];
        for (int i = 0; i < expected.Length; i++)
        {
            expected[i] = (byte)(i * 7 % levels);
            rows[i / width * stride + i % width * bits / 8] |= (byte)(expected[i] << (8 - bits - i % width * bits % 8));
        }
        byte[] palette = [.. Enumerable.Range(0, levels * 3).Select(i => (byte)(255 - i / 3))];
        File.WriteAllBytes(folder.At("p.png"), TestImages.Png(width, height, bits, 3, rows, palette));
        File.WriteAllBytes(folder.At("l.png"), TestImages.Png(width, height, bits, 0, rows));
        Assert.Equal(expected, ImageFile.LoadLabels(folder.At("p.png")).Labels);
        Assert.Equal(expected, ImageFile.LoadLabels(folder.At("l.png")).Labels);
        RgbImage colours = ImageFile.Load(folder.At("p.png")), greys = ImageFile.Load(folder.At("l.png"));
        for (int i = 0; i < expected.Length; i++)
        {
            Assert.Equal(255 - expected[i], colours.Pixels[3 * i]);
            Assert.Equal(expected[i] * 255 / (levels - 1), greys.Pixels[3 * i + 2]);
        }
    }

    [Fact]
    public void A_label_map_of_another_kind_is_refused()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("rgb.png"), TestImages.Png(1, 1, 8, 2, [1, 2, 3]));
        File.WriteAllBytes(folder.At("16.png"), TestImages.Png(1, 1, 16, 0, [1, 2]));
        File.WriteAllBytes(folder.At("short.png"), TestImages.Png(4, 4, 8, 0, [1, 2, 3, 4])[..50]);
        File.WriteAllBytes(folder.At("few.png"),
            [.. TestImages.PngStart(4000, 4, 8, 0), .. TestImages.Png(4, 4, 8, 0, new byte[16])[33..]]);
        File.WriteAllBytes(folder.At("large.png"), TestImages.PngStart(60_000, 60_000, 8, 3));
        File.WriteAllBytes(folder.At("jpeg.png"), TestImages.Encode(TestImages.Gradient(8, 8), SKEncodedImageFormat.Jpeg));
        foreach (string name in folder.Entries)
            Assert.Contains(name, Assert.Throws<MediaException>(() => ImageFile.LoadLabels(folder.At(name))).Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public void Alpha_is_dropped_not_blended()
    {
        byte[] rgba = [200, 100, 50, 0, 10, 20, 30, 128, 255, 254, 253, 255, 7, 8, 9, 1];
        Assert.Equal([200, 100, 50, 10, 20, 30, 255, 254, 253, 7, 8, 9],
            ImageFile.Load(TestImages.Png(2, 2, 8, 6, rgba), "rgba").Pixels.ToArray());
        byte[] greyAlpha = [200, 0, 10, 128];
        Assert.Equal([200, 200, 200, 10, 10, 10], ImageFile.Load(TestImages.Png(2, 1, 8, 4, greyAlpha), "la").Pixels.ToArray());
        byte[] transparent = TestImages.Png(2, 1, 8, 3, [0, 1], [9, 8, 7, 60, 50, 40], [0, 128]);
        Assert.Equal([9, 8, 7, 60, 50, 40], ImageFile.Load(transparent, "pa").Pixels.ToArray());
    }

    [Fact]
    public void Sixteen_bits_are_reduced_to_the_upper_eight()
    {
        byte[] rgb = [1, 250, 2, 128, 255, 255, 127, 200, 0, 255, 3, 0];
        Assert.Equal([1, 2, 255, 127, 0, 3], ImageFile.Load(TestImages.Png(2, 1, 16, 2, rgb), "rgb16").Pixels.ToArray());
    }

    [Fact]
    public void Bmp_and_gif_are_exact_and_lossy_formats_near()
    {
        RgbImage image = TestImages.Gradient(37, 23);
        Assert.Equal(image.Pixels.ToArray(), ImageFile.Load(TestImages.Bmp(image), "bmp").Pixels.ToArray());
        RgbImage gif = ImageFile.Load(TestImages.Gif(20, 10, (0, 0, 20, 10, 5, 0, 4), (0, 0, 20, 10, 6, 0, 4)), "gif");
        (byte r, byte g, byte b) = TestImages.GifColour(5);
        for (int i = 0; i < 200; i++) Assert.Equal([r, g, b], gif.Pixels.Slice(3 * i, 3).ToArray());
        foreach (SKEncodedImageFormat format in new[] { SKEncodedImageFormat.Jpeg, SKEncodedImageFormat.Webp })
        {
            RgbImage lossy = ImageFile.Load(TestImages.Encode(image, format, 95), "lossy");
            double error = 0;
            for (int i = 0; i < image.Pixels.Length; i++) error += Math.Abs(image.Pixels[i] - lossy.Pixels[i]);
            Assert.InRange(error / image.Pixels.Length, 0, 6);
        }
    }

    [Fact]
    public void A_picture_cut_anywhere_is_refused_or_whole()
    {
        RgbImage image = TestImages.Gradient(96, 64);
        var files = new Dictionary<string, byte[]>
        {
            ["png"] = TestImages.Encode(image, SKEncodedImageFormat.Png),
            ["jpeg"] = TestImages.Encode(image, SKEncodedImageFormat.Jpeg),
            ["webp"] = TestImages.Encode(image, SKEncodedImageFormat.Webp),
            ["webp lossless"] = TestImages.Encode(image, SKEncodedImageFormat.Webp, 100),
            ["bmp"] = TestImages.Bmp(image),
            ["gif"] = TestImages.Gif(96, 64, (0, 0, 96, 64, 5, 0, 4)),
        };
        foreach ((string name, byte[] file) in files)
        {
            byte[] whole = ImageFile.Load(file, name).Pixels.ToArray();
            int refused = 0;
            for (int length = 0; length < file.Length; length += 64)
            {
                try
                {
                    Assert.True(ImageFile.Load(file.AsSpan(0, length), name).Pixels.SequenceEqual(whole),
                        $"{name} cut to {length} of {file.Length} bytes gave another picture.");
                }
                catch (MediaException e)
                {
                    Assert.Contains(name, e.Message, StringComparison.Ordinal);
                    refused++;
                }
            }
            Assert.NotEqual(0, refused);
        }
    }

    [Fact]
    public void A_header_that_claims_too_much_is_refused_before_anything_is_allocated()
    {
        byte[] png = TestImages.PngStart(60_000, 60_000, 8, 2), bmp = TestImages.Bmp(TestImages.Gradient(2, 2)),
            gif = TestImages.Gif(65_535, 65_535, (0, 0, 1, 1, 0, 0, 0));
        bmp[19] = bmp[23] = 0xf0;
        byte[] tooShort = [.. TestImages.PngStart(14_000, 14_000, 8, 0), .. TestImages.Png(4, 4, 8, 0, new byte[16])[33..]];
        foreach (byte[] file in new[] { png, TestImages.Png(60_000, 60_000, 8, 2, new byte[60_000]), bmp, gif, tooShort })
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Assert.Throws<MediaException>(() => ImageFile.Load(file, "hostile"));
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
        }
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("labels.png"), tooShort);
        long start = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<MediaException>(() => ImageFile.LoadLabels(folder.At("labels.png")));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - start, 0, 1 << 20);
    }

    [Fact]
    public void The_flattest_picture_still_loads()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("flat.png"), TestImages.Png(8000, 4000, 1, 0, new byte[1000 * 4000]));
        Assert.Equal(-1, ImageFile.Load(folder.At("flat.png")).Pixels.IndexOfAnyExcept((byte)0));
        Assert.Equal(-1, ImageFile.LoadLabels(folder.At("flat.png")).Labels.AsSpan().IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void Random_damage_never_does_worse_than_an_exception()
    {
        var random = new Random(5);
        foreach (SKEncodedImageFormat format in new[] { SKEncodedImageFormat.Png, SKEncodedImageFormat.Jpeg, SKEncodedImageFormat.Webp })
        {
            byte[] whole = TestImages.Encode(TestImages.Gradient(40, 30), format);
            for (int round = 0; round < 100; round++)
            {
                byte[] file = [.. whole];
                for (int i = 0; i < 3; i++) file[random.Next(file.Length)] = (byte)random.Next(256);
                try
                {
                    ImageFile.Load(file, "damaged");
                }
                catch (MediaException e)
                {
                    Assert.Contains("damaged", e.Message, StringComparison.Ordinal);
                }
            }
        }
    }

    [Fact]
    public void Pictures_are_read_as_stored_with_a_note_unless_asked_to_be_turned()
    {
        RgbImage image = TestImages.Gradient(48, 32);
        byte[] jpeg = TestImages.Encode(image, SKEncodedImageFormat.Jpeg, 95);
        for (byte orientation = 1; orientation <= 8; orientation++)
        {
            byte[] file = TestImages.WithOrientation(jpeg, orientation);
            List<string> left = [], right = [];
            RgbImage stored = ImageFile.Load(file, "exif", new MediaOptions { OnNote = left.Add });
            RgbImage turned = ImageFile.Load(file, "exif", new MediaOptions { Upright = true, OnNote = right.Add });
            Assert.Equal(stored.Pixels.ToArray(), ImageFile.Load(file, "exif").Pixels.ToArray());
            if (orientation == 1) Assert.Empty(left.Concat(right));
            else
            {
                Assert.Contains("exif was read as it is stored", Assert.Single(left), StringComparison.Ordinal);
                Assert.Contains("exif was turned upright", Assert.Single(right), StringComparison.Ordinal);
            }
            Assert.Equal(ImageFile.Load(jpeg, "plain").Pixels.ToArray(), stored.Pixels.ToArray());
            Assert.Equal(orientation >= 5 ? (32, 48) : (48, 32), (turned.Width, turned.Height));
            // The stored top left corner is dark in red and green; where it is seen is what the number says.
            bool atRight = orientation is 2 or 3 or 6 or 7, bottom = orientation is 3 or 4 or 7 or 8;
            ReadOnlySpan<byte> corner = turned.Row(bottom ? turned.Height - 1 : 0).Slice(atRight ? 3 * (turned.Width - 1) : 0, 3);
            Assert.True(corner[0] < 30 && corner[1] < 30, $"Orientation {orientation}: the corner is {corner[0]}, {corner[1]}.");
            ReadOnlySpan<byte> along = turned.Row(bottom ? turned.Height - 1 : 0).Slice(atRight ? 0 : 3 * (turned.Width - 1), 3);
            Assert.True((orientation >= 5 ? along[1] : along[0]) > 200,
                $"Orientation {orientation}: the other corner is {along[0]}, {along[1]}.");
        }
    }

    [Fact]
    public void Missing_empty_and_foreign_files_are_refused_by_name()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("empty.png"), []);
        File.WriteAllText(folder.At("text.png"), "This is no picture at all, however it is named.");
        Directory.CreateDirectory(folder.At("folder.png"));
        foreach (string name in new[] { "empty.png", "text.png", "folder.png", "missing.png" })
            Assert.Contains(name, Assert.Throws<MediaException>(() => ImageFile.Load(folder.At(name))).Message, StringComparison.Ordinal);
    }
}
