using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Pictures in other formats and with padding are the same pictures.</summary>
public sealed class ImageViewTests
{
    private const byte Padding = 0xAB;

    public static TheoryData<PixelFormat, int> Layouts
    {
        get
        {
            var data = new TheoryData<PixelFormat, int>();
            foreach (PixelFormat format in Enum.GetValues<PixelFormat>().Except([PixelFormat.Nv12, PixelFormat.I420]))
                foreach (int padding in (int[])[0, 1, 13]) data.Add(format, padding);
            return data;
        }
    }

    [Theory, MemberData(nameof(Layouts))]
    public void Every_layout_is_the_same_picture(PixelFormat format, int padding)
    {
        foreach ((int width, int height) in ((int, int)[])[(1, 1), (7, 5), (64, 3), (40, 64)])
        {
            RgbImage image = Shapes.Pattern(width, height);
            if (format == PixelFormat.Gray8) image = Grey(image);
            byte[] stored = Store(image, format, padding, out int stride);
            Assert.Equal(image.Pixels, new ImageView(stored, width, height, format, stride).ToImage().Pixels);
            // The last row may lack its padding.
            Assert.Equal(image.Pixels,
                new ImageView(stored.AsSpan(0, stored.Length - padding), width, height, format, stride).ToImage().Pixels);
            // Every pass of a resize: both, either, none.
            foreach ((int w2, int h2) in ((int, int)[])[(9, 11), (width, 11), (9, height), (width, height)])
            {
                byte[] target = new byte[w2 * h2 * 3];
                new PillowBicubic().Resize(new ImageView(stored, width, height, format, stride), target, w2, h2);
                Assert.Equal(PillowBicubic.Resize(image, w2, h2).Pixels, target);
            }
        }
    }

    [Theory, MemberData(nameof(Layouts))]
    public void Sessions_see_the_same_picture(PixelFormat format, int padding)
    {
        RgbImage[] clip = [.. Shapes.Clip[..3].Select(f => format == PixelFormat.Gray8 ? Grey(f) : f)];
        using ImageSession expected = Shapes.Model.OpenImage(clip[0]);
        byte[] stored = Store(clip[0], format, padding, out int stride);
        using ImageSession session = Shapes.Model.OpenImage(new ImageView(stored, clip[0].Width, clip[0].Height, format, stride));
        // The caller's memory may be used for the next picture at once.
        stored.AsSpan().Clear();
        Assert.Equal(expected.Image.Pixels, session.Image.Pixels);

        using VideoSession a = Shapes.Model.OpenVideo(clip[..1]), b = Shapes.Model.OpenVideo(clip[..1]);
        foreach (VideoSession video in (VideoSession[])[a, b])
            video.Ask("Please segment the red circle.", new AskOptions { Logits = true });
        foreach (RgbImage frame in clip)
        {
            stored = Store(frame, format, padding, out stride);
            FrameMasks masks = b.Next(new ImageView(stored, frame.Width, frame.Height, format, stride));
            Assert.Equal(a.Next(frame).Objects.Select(Shapes.Fingerprint), masks.Objects.Select(Shapes.Fingerprint));
        }
    }

    [Theory]
    [InlineData(0, 4, 0, 0, PixelFormat.Rgb24, "0×4")]
    [InlineData(4, -1, 0, 0, PixelFormat.Rgb24, "4×-1")]
    [InlineData(int.MaxValue, int.MaxValue, 0, 0, PixelFormat.Rgb24, "65535")]
    [InlineData(65_535, 65_535, 0, 0, PixelFormat.Gray8, "200000000")]
    [InlineData(4, 2, 0, 23, PixelFormat.Rgb24, "has 24 bytes, not 23")]
    [InlineData(4, 2, 0, 25, PixelFormat.Rgb24, "has 24 bytes, not 25")]
    [InlineData(4, 2, 0, 24, PixelFormat.Bgra32, "has 32 bytes, not 24")]
    [InlineData(4, 2, 15, 30, PixelFormat.Bgra32, "A stride of 15 bytes is shorter than a row of 16")]
    [InlineData(4, 2, -12, 24, PixelFormat.Rgb24, "negative")]
    [InlineData(4, 2, int.MinValue, 24, PixelFormat.Rgb24, "negative")]
    [InlineData(4, 2, 16, 27, PixelFormat.Rgb24, "has 28 to 32 bytes, not 27")]
    [InlineData(4, 2, 16, 33, PixelFormat.Rgb24, "has 28 to 32 bytes, not 33")]
    [InlineData(4, 3, int.MaxValue, 36, PixelFormat.Rgb24, "bytes, not 36")]
    [InlineData(4, 2, 0, 24, (PixelFormat)17, "pixel format 17")]
    [InlineData(4, 2, 0, 12, PixelFormat.Nv12, "ImageView.Nv12")]
    [InlineData(4, 2, 0, 12, PixelFormat.I420, "ImageView.I420")]
    public void Layouts_that_do_not_fit_are_refused(int width, int height, int stride, int length, PixelFormat format, string part) =>
        Assert.Contains(part,
            Assert.Throws<MediaException>(() => { _ = new ImageView(new byte[length], width, height, format, stride); }).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Converting_a_frame_allocates_nothing()
    {
        byte[] stored = Store(Shapes.Pattern(320, 240), PixelFormat.Bgra32, 64, out int stride), target = new byte[64 * 64 * 3];
        var resizer = new PillowBicubic();
        resizer.Resize(new ImageView(stored, 320, 240, PixelFormat.Bgra32, stride), target, 64, 64);
        long before = GC.GetAllocatedBytesForCurrentThread();
        resizer.Resize(new ImageView(stored, 320, 240, PixelFormat.Bgra32, stride), target, 64, 64);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    private static RgbImage Grey(RgbImage image)
    {
        var pixels = new byte[image.Pixels.Length];
        for (int i = 0; i < pixels.Length; i++) pixels[i] = image.Pixels[i / 3 * 3];
        return new RgbImage(image.Width, image.Height, pixels);
    }

    private static byte[] Store(RgbImage image, PixelFormat format, int padding, out int stride)
    {
        int bytes = format switch { PixelFormat.Gray8 => 1, PixelFormat.Rgb24 or PixelFormat.Bgr24 => 3, _ => 4 };
        stride = image.Width * bytes + padding;
        var stored = new byte[stride * image.Height];
        stored.AsSpan().Fill(Padding);
        for (int y = 0; y < image.Height; y++)
        {
            for (int x = 0; x < image.Width; x++)
            {
                ReadOnlySpan<byte> rgb = image.Row(y).Slice(x * 3, 3);
                Span<byte> pixel = stored.AsSpan(y * stride + x * bytes, bytes);
                switch (format)
                {
                    case PixelFormat.Gray8: pixel[0] = rgb[0]; break;
                    case PixelFormat.Rgb24 or PixelFormat.Rgba32: rgb.CopyTo(pixel); break;
                    default: (pixel[0], pixel[1], pixel[2]) = (rgb[2], rgb[1], rgb[0]); break;
                }
            }
        }
        return stored;
    }
}
