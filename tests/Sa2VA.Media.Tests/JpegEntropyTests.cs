using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>Sequential JPEG files whose data ends too early before an end marker that is there.</summary>
public sealed class JpegEntropyTests
{
    private static readonly byte[] EndMarker = [0xff, 0xd9];

    [Theory]
    [InlineData(1, 1, SKJpegEncoderDownsample.Downsample420)]
    [InlineData(17, 33, SKJpegEncoderDownsample.Downsample420)]
    [InlineData(48, 16, SKJpegEncoderDownsample.Downsample420)]
    [InlineData(15, 24, SKJpegEncoderDownsample.Downsample422)]
    [InlineData(33, 9, SKJpegEncoderDownsample.Downsample444)]
    public void Colours_are_counted(int width, int height, SKJpegEncoderDownsample downsample)
    {
        foreach (int quality in (int[])[1, 60, 100])
        {
            byte[] pixels = new byte[width * height * 4];
            new Random(width).NextBytes(pixels);
            using SKData file = ImageFile.Encode(pixels, width, height, SKColorType.Rgba8888,
                p => p.Encode(new SKJpegEncoderOptions(quality, downsample, SKJpegEncoderAlphaOption.Ignore)), "picture");
            RefusedWhereverCut(file.ToArray());
        }
    }

    [Theory]
    [InlineData(8, 8)]
    [InlineData(33, 17)]
    public void Greys_are_counted(int width, int height)
    {
        byte[] pixels = new byte[width * height];
        new Random(width).NextBytes(pixels);
        using SKData file = ImageFile.Encode(pixels, width, height, SKColorType.Gray8,
            p => p.Encode(SKEncodedImageFormat.Jpeg, 80), "picture");
        RefusedWhereverCut(file.ToArray());
    }

    [Fact]
    public void A_scan_per_component_is_counted()
    {
        byte[] pixels = new byte[19 * 30 * 3];
        new Random(1).NextBytes(pixels);
        TestJpeg jpeg = TestJpeg.ScanPerComponent(new RgbImage(19, 30, pixels));
        ImageFile.Load(jpeg.File, "whole");
        foreach (int end in jpeg.Scans.Skip(1)) Refused([.. jpeg.File[..(end - 1)], .. jpeg.File[end..]]);
    }

    [Fact]
    public void Units_between_restart_markers_are_counted()
    {
        byte[] head =
        [
            0xff, 0xd8, 0xff, 0xdb, 0, 67, 0, .. Enumerable.Repeat((byte)1, 64), 0xff, 0xc0, 0, 11, 8, 0, 8, 0, 24, 1, 1, 0x22, 0,
            .. Table(0x00), .. Table(0x10), 0xff, 0xdd, 0, 4, 0, 1, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0,
        ];
        // Two codes of one bit a block, and ones to the end of the byte.
        Assert.Equal(24, ImageFile.Load([.. head, 0x3f, 0xff, 0xd0, 0x3f, 0xff, 0xd1, 0x3f, .. EndMarker], "whole").Width);
        Refused([.. head, 0x3f, 0xff, 0xd0, 0x3f, 0xff, 0xd1, .. EndMarker]);
        Refused([.. head, 0x3f, 0xff, 0xd0, 0x3f, .. EndMarker]);
        Refused([.. head, .. EndMarker]);

        static byte[] Table(byte kind) => [0xff, 0xc4, 0, 20, kind, 1, .. new byte[15], 0];
    }

    private static void RefusedWhereverCut(byte[] file)
    {
        ImageFile.Load(file, "whole");
        int header = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xff, 0xda]), start = header + 2 + file[header + 3];
        for (int cut = start; cut < file.Length - 2; cut += Math.Max(1, (file.Length - 3 - cut) / 20))
            Refused([.. file[..cut], .. EndMarker]);
    }

    private static void Refused(byte[] file) => Assert.Contains("breaks off before its last pixel",
        Assert.Throws<MediaException>(() => ImageFile.Load(file, "cut")).Message, StringComparison.Ordinal);
}
