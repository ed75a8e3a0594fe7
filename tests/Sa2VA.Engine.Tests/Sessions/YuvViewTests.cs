using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Pictures of luma and chroma: every value as the recommendations define it, any size, any stride.</summary>
public sealed class YuvViewTests
{
    private const byte Padding = 0xAB;

    /// <summary>Rounding to nearest, with what terms are rounded to.</summary>
    private const double Tolerance = 0.5 + 1e-6;

    public static TheoryData<YuvEncoding> Encodings => [.. Enum.GetValues<YuvEncoding>()];

    [Theory, MemberData(nameof(Encodings))]
    public void Every_luma_and_chroma_gives_the_nearest_level(YuvEncoding encoding)
    {
        // A row of all lumas for each pair of chromas: all values of one, some and the ends of the other, in turn.
        int[] all = [.. Enumerable.Range(0, 256)], some = [.. Enumerable.Range(0, 37).Select(i => i * 7), 253, 254, 255];
        (int U, int V)[] pairs = [.. all.SelectMany(a => some.SelectMany(b => ((int, int)[])[(a, b), (b, a)]))];
        byte[] luma = [.. all.Select(l => (byte)l)], u = new byte[128], v = new byte[128], rgb = new byte[256 * 3];
        double worst = 0;
        foreach ((int cu, int cv) in pairs)
        {
            u.AsSpan().Fill((byte)cu);
            v.AsSpan().Fill((byte)cv);
            ImageView.I420(luma, u, v, 256, 1, encoding).CopyRow(0, rgb);
            for (int x = 0; x < 256; x++)
            {
                (double r, double g, double b) = Exact(x, cu, cv, encoding);
                worst = Math.Max(worst, Difference(rgb.AsSpan(3 * x, 3), r, g, b));
            }
        }
        Assert.InRange(worst, 0.4, Tolerance);
    }

    [Theory]
    // The bars of test pictures: 8-bit luma and chroma as the recommendations tabulate them.
    [InlineData(YuvEncoding.Bt601Limited, 16, 128, 128, 0, 0, 0)]
    [InlineData(YuvEncoding.Bt601Limited, 235, 128, 128, 255, 255, 255)]
    [InlineData(YuvEncoding.Bt601Limited, 81, 90, 240, 254, 0, 0)]
    [InlineData(YuvEncoding.Bt601Limited, 145, 54, 34, 0, 255, 1)]
    [InlineData(YuvEncoding.Bt601Limited, 41, 240, 110, 0, 0, 255)]
    [InlineData(YuvEncoding.Bt709Limited, 63, 102, 240, 255, 1, 0)]
    [InlineData(YuvEncoding.Bt709Limited, 173, 42, 26, 0, 255, 1)]
    [InlineData(YuvEncoding.Bt709Limited, 32, 240, 118, 1, 0, 255)]
    [InlineData(YuvEncoding.Bt601Full, 76, 85, 255, 254, 0, 0)]
    [InlineData(YuvEncoding.Bt601Full, 255, 128, 128, 255, 255, 255)]
    [InlineData(YuvEncoding.Bt709Full, 54, 99, 255, 254, 0, 0)]
    public void Known_colours(YuvEncoding encoding, int y, int u, int v, int red, int green, int blue)
    {
        byte[] pixel = ImageView.I420([(byte)y, (byte)u, (byte)v], 1, 1, encoding).ToImage().Pixels.ToArray();
        Assert.All(pixel.Zip((int[])[red, green, blue]), p => Assert.InRange(p.First - p.Second, -1, 1));
    }

    [Theory, MemberData(nameof(Encodings))]
    public void Odd_sizes_and_padded_planes(YuvEncoding encoding)
    {
        var random = new Random(5);
        foreach ((int width, int height) in ((int, int)[])[(1, 1), (2, 2), (1, 6), (7, 5), (64, 3), (33, 40)])
        {
            foreach (int padding in (int[])[0, 1, 13])
            {
                int columns = (width + 1) / 2, rows = (height + 1) / 2;
                byte[] luma = Plane(random, width, height, padding), u = Plane(random, columns, rows, padding),
                    v = Plane(random, columns, rows, padding), chroma = new byte[(2 * columns + padding) * rows];
                chroma.AsSpan().Fill(Padding);
                for (int y = 0; y < rows; y++)
                {
                    for (int x = 0; x < columns; x++)
                    {
                        chroma[y * (2 * columns + padding) + 2 * x] = u[y * (columns + padding) + x];
                        chroma[y * (2 * columns + padding) + 2 * x + 1] = v[y * (columns + padding) + x];
                    }
                }
                // The last row may lack its padding.
                foreach (int cut in (int[])[0, padding])
                {
                    var planes = new PixelPlane(luma.AsSpan(0, luma.Length - cut), width + padding);
                    RgbImage planar = ImageView.I420(planes, new PixelPlane(u.AsSpan(0, u.Length - cut), columns + padding),
                        new PixelPlane(v.AsSpan(0, v.Length - cut), columns + padding), width, height, encoding).ToImage();
                    RgbImage interleaved = ImageView.Nv12(planes,
                        new PixelPlane(chroma.AsSpan(0, chroma.Length - cut), 2 * columns + padding), width, height, encoding).ToImage();
                    Assert.Equal(planar.Pixels, interleaved.Pixels);
                    Near(planar);
                }
                if (padding > 0) continue;
                // In one block of memory.
                Near(ImageView.I420([.. luma, .. u, .. v], width, height, encoding).ToImage());
                Near(ImageView.Nv12([.. luma, .. chroma], width, height, encoding).ToImage());

                void Near(RgbImage image)
                {
                    for (int y = 0; y < height; y++)
                    {
                        for (int x = 0; x < width; x++)
                        {
                            int at = y / 2 * (columns + padding) + x / 2;
                            (double r, double g, double b) = Exact(luma[y * (width + padding) + x], u[at], v[at], encoding);
                            ReadOnlySpan<byte> pixel = image.Row(y).Slice(3 * x, 3);
                            Assert.InRange(Difference(pixel, r, g, b), 0, Tolerance);
                        }
                    }
                }
            }
        }
    }

    [Fact]
    public void Sessions_and_resizes_see_the_converted_picture_and_a_warm_one_allocates_nothing()
    {
        RgbImage frame = Shapes.Clip[0];
        int width = frame.Width, height = frame.Height;
        byte[] pixels = Plane(new Random(6), width, height * 3 / 2, 0);
        RgbImage converted = ImageView.Nv12(pixels, width, height, YuvEncoding.Bt709Limited).ToImage();
        using VideoSession a = Shapes.Model.OpenTracker(), b = Shapes.Model.OpenTracker();
        a.Next(converted);
        b.Next(ImageView.Nv12(pixels, width, height, YuvEncoding.Bt709Limited));
        a.Follow(new VisualPrompt(new Click(60, 40)), out FrameMasks expected);
        b.Follow(new VisualPrompt(new Click(60, 40)), out FrameMasks masks);
        Assert.Equal(expected.Objects.Select(Shapes.Fingerprint), masks.Objects.Select(Shapes.Fingerprint));

        byte[] target = new byte[50 * 40 * 3];
        var resizer = new PillowBicubic();
        long before = 0;
        for (int i = 0; i < 2; i++)
        {
            before = GC.GetAllocatedBytesForCurrentThread();
            resizer.Resize(ImageView.Nv12(pixels, width, height, YuvEncoding.Bt709Limited), target, 50, 40);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(PillowBicubic.Resize(converted, 50, 40).Pixels, target);
    }

    [Fact]
    public void Planes_that_do_not_fit_are_refused()
    {
        byte[] y = new byte[5 * 3], c = new byte[3 * 2];
        Refused("encoding 0", () => _ = ImageView.I420(y, c, c, 5, 3, default));
        Refused("encoding 9", () => _ = ImageView.Nv12(y, new byte[12], 5, 3, (YuvEncoding)9));
        Refused("The luma of 5×3 pixels of I420", () => _ = ImageView.I420(new byte[14], c, c, 5, 3, YuvEncoding.Bt601Full));
        Refused("The U plane", () => _ = ImageView.I420(y, new byte[5], c, 5, 3, YuvEncoding.Bt601Full));
        Refused("The V plane", () => _ = ImageView.I420(y, c, new byte[7], 5, 3, YuvEncoding.Bt601Full));
        Refused("they must agree", () => _ = ImageView.I420(y, c, new PixelPlane(new byte[8], 4), 5, 3, YuvEncoding.Bt601Full));
        Refused("The chroma of 5×3 pixels of Nv12", () => _ = ImageView.Nv12(y, c, 5, 3, YuvEncoding.Bt601Full));
        Refused("shorter than a row of 6", () => _ = ImageView.Nv12(y, new PixelPlane(new byte[10], 5), 5, 3, YuvEncoding.Bt601Full));
        Refused("negative", () => _ = ImageView.Nv12(new PixelPlane(y, -5), new byte[12], 5, 3, YuvEncoding.Bt601Full));
        Refused("has 27 bytes, not 22", () => _ = ImageView.I420(new byte[22], 5, 3, YuvEncoding.Bt601Full));
        Refused("has 27 bytes, not 28", () => _ = ImageView.Nv12(new byte[28], 5, 3, YuvEncoding.Bt601Full));
        Refused("0×3", () => _ = ImageView.Nv12([], 0, 3, YuvEncoding.Bt601Full));
        Refused("65535", () => _ = ImageView.I420([], int.MaxValue, int.MaxValue, YuvEncoding.Bt601Full));

        static void Refused(string why, Action view) =>
            Assert.Contains(why, Assert.Throws<MediaException>(view).Message, StringComparison.Ordinal);
    }

    /// <summary>As ITU-R BT.601-7 and BT.709-6 define it, in double precision, brought to 0…255.</summary>
    private static (double Red, double Green, double Blue) Exact(int y, int u, int v, YuvEncoding encoding)
    {
        (double kr, double kb) = encoding is YuvEncoding.Bt601Limited or YuvEncoding.Bt601Full ? (0.299, 0.114) : (0.2126, 0.0722);
        bool limited = encoding is YuvEncoding.Bt601Limited or YuvEncoding.Bt709Limited;
        double luma = limited ? (y - 16) / 219.0 : y / 255.0;
        double blueness = (u - 128) / (limited ? 224.0 : 255.0), redness = (v - 128) / (limited ? 224.0 : 255.0);
        double red = luma + redness * 2 * (1 - kr), blue = luma + blueness * 2 * (1 - kb);
        double green = (luma - kr * red - kb * blue) / (1 - kr - kb);
        return (Level(red), Level(green), Level(blue));

        static double Level(double value) => Math.Clamp(255 * value, 0, 255);
    }

    private static double Difference(ReadOnlySpan<byte> pixel, double red, double green, double blue) =>
        Math.Max(Math.Abs(pixel[0] - red), Math.Max(Math.Abs(pixel[1] - green), Math.Abs(pixel[2] - blue)));

    private static byte[] Plane(Random random, int width, int height, int padding)
    {
        var plane = new byte[(width + padding) * height];
        plane.AsSpan().Fill(Padding);
        for (int y = 0; y < height; y++) random.NextBytes(plane.AsSpan(y * (width + padding), width));
        return plane;
    }
}
