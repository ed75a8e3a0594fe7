using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>A file that breaks off is refused in every kind of every format, unless all of its pixels are there.</summary>
public sealed class TruncationTests
{
    private static readonly RgbImage Picture = TestImages.Noise(40, 24, 3);

    private static readonly Dictionary<string, byte[]> Stills = new()
    {
        ["png"] = TestImages.Encode(Picture, SKEncodedImageFormat.Png),
        ["interlaced png"] = TestImages.InterlacedPng(Picture),
        ["grey png"] = TestImages.Png(40, 24, 8, 0, [.. Picture.Pixels[..(40 * 24)]]),
        ["palette png"] =
            TestImages.Png(40, 24, 4, 3, [.. Picture.Pixels[..(20 * 24)]], [.. Enumerable.Range(0, 48).Select(i => (byte)(5 * i))]),
        ["baseline jpeg"] = TestImages.Encode(Picture, SKEncodedImageFormat.Jpeg),
        ["progressive jpeg"] = TestJpeg.Progressive(Picture).File,
        ["jpeg with a scan per component"] = TestJpeg.ScanPerComponent(Picture).File,
        ["jpeg with exif"] = TestImages.WithOrientation(TestJpeg.Progressive(Picture).File, 6),
        ["lossy webp"] = TestImages.Encode(Picture, SKEncodedImageFormat.Webp, 80),
        ["lossless webp"] = TestImages.Encode(Picture, SKEncodedImageFormat.Webp, 100),
        ["bmp"] = TestImages.Bmp(Picture),
        ["rle bmp"] = TestImages.RleBmp(Picture),
        ["gif"] = TestImages.Gif(40, 24, (0, 0, 40, 24, 5, 0, 4)),
    };

    private static readonly Dictionary<string, byte[]> Animations = new()
    {
        ["animated gif"] =
            TestImages.Gif(40, 24, (0, 0, 40, 24, 5, 1, 4), (3, 3, 20, 20, 9, 1, 4), (0, 0, 40, 24, 20, 2, 4), (1, 1, 2, 2, 30, 1, 4)),
        ["animated lossy webp"] = TestImages.AnimatedWebP(40, 24, 4, 70),
        ["animated lossless webp"] = TestImages.AnimatedWebP(40, 24, 3, null),
    };

    public static TheoryData<string> StillNames => [.. Stills.Keys];

    public static TheoryData<string> AnimationNames => [.. Animations.Keys];

    [Theory]
    [MemberData(nameof(StillNames))]
    public void A_still_picture_cut_anywhere_is_refused_or_whole(string name)
    {
        byte[] file = Stills[name], whole = ImageFile.Load(file, name).Pixels.ToArray();
        int accepted = 0;
        for (int length = 0; length < file.Length; length++)
        {
            try
            {
                ReadOnlySpan<byte> pixels = ImageFile.Load(file.AsSpan(0, length), name).Pixels;
                Assert.True(pixels.SequenceEqual(whole), $"{name} cut to {length} of {file.Length} bytes gave another picture.");
                accepted++;
            }
            catch (MediaException e)
            {
                Assert.StartsWith(name, e.Message, StringComparison.Ordinal);
            }
        }
        Assert.InRange(accepted, 0, 24);
    }

    [Theory]
    [MemberData(nameof(AnimationNames))]
    public void An_animation_cut_anywhere_is_refused(string name)
    {
        using var folder = new ScratchFolder();
        byte[] file = Animations[name];
        for (int length = 0; length < file.Length; length++)
        {
            File.WriteAllBytes(folder.At("cut"), file[..length]);
            string message = Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("cut"))).Message;
            Assert.Contains("cut", message, StringComparison.Ordinal);
            Assert.Throws<MediaException>(() => ImageFile.Load(folder.At("cut")));
        }
    }

    [Fact]
    public void A_jpeg_cut_between_two_scans_is_refused()
    {
        foreach (TestJpeg jpeg in new[] { TestJpeg.Progressive(Picture), TestJpeg.ScanPerComponent(Picture) })
        {
            ImageFile.Load(jpeg.File, "whole");
            foreach (int end in jpeg.Scans) Assert.Contains("end marker", Refusal(jpeg.File[..end]), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_scan_per_component_and_progressive_scans_give_one_picture()
    {
        byte[] several = ImageFile.Load(TestJpeg.ScanPerComponent(Picture).File, "several").Pixels.ToArray();
        byte[] progressive = ImageFile.Load(TestJpeg.Progressive(Picture).File, "progressive").Pixels.ToArray();
        Assert.Equal(several, progressive);
        Assert.InRange(several.Zip(Picture.Pixels.ToArray(), (a, b) => Math.Abs(a - b)).Average(), 0, 4);
    }

    [Fact]
    public void A_gif_cut_between_two_frames_is_no_shorter_one()
    {
        byte[] one = TestImages.Gif(40, 24, (0, 0, 40, 24, 5, 1, 4)),
            two = TestImages.Gif(40, 24, (0, 0, 40, 24, 5, 1, 4), (0, 0, 40, 24, 6, 1, 4));
        byte[] cut = two[..(one.Length - 1)];
        Assert.Equal(one[..^1], cut);
        Assert.Contains("after 1 frame", Refusal(cut), StringComparison.Ordinal);
    }

    [Fact]
    public void What_comes_after_the_end_does_not_matter()
    {
        foreach ((string name, byte[] file) in Stills.Concat(Animations))
        {
            byte[] whole = ImageFile.Load(file, name).Pixels.ToArray();
            foreach (byte[] garbage in new byte[][] { [0], [.. Enumerable.Range(0, 300).Select(i => (byte)(i * 7))],
                [.. "\r\n<!-- cached -->"u8], file })
                Assert.Equal(whole, ImageFile.Load([.. file, .. garbage], name).Pixels.ToArray());
        }
    }

    private static string Refusal(byte[] file) => Assert.Throws<MediaException>(() => ImageFile.Load(file, "cut")).Message;
}
