using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>Progressive JPEG files that lack something before an end marker that is there.</summary>
public sealed class ProgressiveJpegTests
{
    private static readonly byte[] EndMarker = [0xff, 0xd9];

    [Theory]
    [InlineData(1, 1, 1, false, 0)]
    [InlineData(40, 24, 1, false, 0)]
    [InlineData(33, 19, 1, true, 0)]
    [InlineData(33, 19, 2, true, 0)]
    [InlineData(17, 40, 2, false, 3)]
    [InlineData(49, 25, 2, true, 2)]
    public void A_file_cut_anywhere_is_refused_or_whole(int width, int height, int luma, bool runs, int restart)
    {
        TestJpeg jpeg = TestJpeg.Progressive(Spots(width, height), luma, runs, restart);
        byte[] file = jpeg.File, whole = ImageFile.Load(file, "whole").Pixels.ToArray();
        for (int cut = 2; cut < file.Length - 2; cut++)
        {
            try
            {
                Assert.True(ImageFile.Load([.. file[..cut], .. EndMarker], "cut").Pixels.SequenceEqual(whole),
                    $"Cut to {cut} of {file.Length} bytes it is another picture.");
                // All that may be missing is what fills the last byte.
                Assert.InRange(cut, jpeg.Scans[^1] - 1, file.Length);
            }
            catch (MediaException e)
            {
                Assert.StartsWith("cut ", e.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Coarser_colours_runs_and_restarts_give_the_picture_of_plain_scans()
    {
        RgbImage picture = Spots(49, 25);
        byte[] plain = ImageFile.Load(TestJpeg.Progressive(picture).File, "plain").Pixels.ToArray();
        foreach (bool runs in new[] { false, true })
        {
            foreach (int restart in new[] { 0, 1, 5 })
                Assert.Equal(plain, ImageFile.Load(TestJpeg.Progressive(picture, 1, runs, restart).File, "other").Pixels.ToArray());
        }
        byte[] coarse = ImageFile.Load(TestJpeg.Progressive(picture, 2).File, "coarse").Pixels.ToArray();
        Assert.Equal(coarse, ImageFile.Load(TestJpeg.Progressive(picture, 2, true, 2).File, "other").Pixels.ToArray());
        Assert.InRange(coarse.Zip(plain, (a, b) => Math.Abs(a - b)).Average(), 0, 12);
    }

    [Fact]
    public void A_file_without_any_one_of_its_scans_is_refused()
    {
        TestJpeg jpeg = TestJpeg.Progressive(Spots(33, 19), 2, runs: true);
        Without("first", jpeg);
        Without("scan", TestJpeg.ScanPerComponent(Spots(33, 19)));

        static void Without(string name, TestJpeg jpeg)
        {
            byte[] file = jpeg.File;
            for (int i = 0; i + 1 < jpeg.Scans.Count; i++)
                Assert.Throws<MediaException>(() => ImageFile.Load([.. file[..jpeg.Scans[i]], .. file[jpeg.Scans[i + 1]..]], name));
            for (int i = 1; i + 1 < jpeg.Scans.Count; i++)
                Assert.Contains("breaks off before its last scan", Assert.Throws<MediaException>(
                    () => ImageFile.Load([.. file[..jpeg.Scans[i]], .. EndMarker], name)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0xc3, 8, "a lossless JPEG")]
    [InlineData(0xc5, 8, "a hierarchical JPEG")]
    [InlineData(0xc6, 8, "a hierarchical JPEG")]
    [InlineData(0xc7, 8, "a lossless JPEG")]
    [InlineData(0xcb, 8, "a lossless JPEG")]
    [InlineData(0xcd, 8, "a hierarchical JPEG")]
    [InlineData(0xc1, 12, "a 12-bit JPEG")]
    [InlineData(0xc2, 12, "a 12-bit JPEG")]
    public void Kinds_that_are_not_read_are_named(int marker, int bits, string words)
    {
        byte[] file = TestJpeg.Progressive(Spots(8, 8)).File;
        int frame = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xff, 0xc2]);
        (file[frame + 1], file[frame + 4]) = ((byte)marker, (byte)bits);
        string message = Assert.Throws<MediaException>(() => ImageFile.Load(file, "rare")).Message;
        Assert.Contains(words, message, StringComparison.Ordinal);
        Assert.Contains("convert it", message, StringComparison.Ordinal);
    }

    /// <summary>Many blocks of one colour, some of noise.</summary>
    private static RgbImage Spots(int width, int height)
    {
        byte[] pixels = TestImages.Noise(width, height, 5).Pixels.ToArray();
        for (int i = 0; i < width * height; i++)
        {
            if ((i % width / 8 + i / width / 8) % 3 != 0) pixels.AsSpan(3 * i, 3).Fill(90);
        }
        return new RgbImage(width, height, pixels);
    }
}
