using System.Buffers.Binary;
using Sa2VA.Core;
using Sa2VA.Media;

namespace Sa2VA.Tests;

/// <summary>A small file never takes large memory: refused before anything is allocated.</summary>
public sealed class SmallFileTests
{
    [Theory]
    [InlineData(14_000, 14_000, 20)]
    [InlineData(14_000, 14_000, 1)]
    [InlineData(65_535, 300, 3)]
    public void A_gif_with_a_large_canvas_is_refused(int width, int height, int frames) => Refused("16777216", "folder of pictures",
        TestImages.Gif(width, height, [.. Enumerable.Range(0, frames).Select(i => (i, 0, 1, 1, 5, 1, 4))]));

    [Fact]
    public void An_animated_webp_with_a_large_canvas_is_refused()
    {
        byte[] file = TestImages.AnimatedWebP(4, 4, 12, null);
        // Of the file header only the canvas changes; frames stay small.
        foreach (int at in new[] { 24, 27 }) (file[at], file[at + 1], file[at + 2]) = (0xff, 0x2f, 0);
        Refused("16777216", "folder of pictures", file);
    }

    [Fact]
    public void A_progressive_jpeg_whose_coefficients_would_be_a_thousand_times_the_file_is_refused()
    {
        byte[] file = TestJpeg.Progressive(TestImages.Gradient(8, 8)).File;
        int frame = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xff, 0xc2]);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(frame + 5), 14_000);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan(frame + 7), 14_000);
        Refused("MiB to decode", "row by row", file);
    }

    [Fact]
    public void A_solid_webp_with_padding_is_refused()
    {
        byte[] padding = [.. "XMP "u8, .. BitConverter.GetBytes(50_000), .. new byte[50_000]], file = [.. SolidWebP(), .. padding];
        BitConverter.GetBytes(file.Length - 8).CopyTo(file, 4);
        Refused("1152 MiB to decode", "row by row", file);
    }

    [Fact]
    public void A_solid_webp_of_a_few_bytes_is_refused() => Refused("12288×12288", "damaged", SolidWebP());

    [Fact]
    public void A_compressed_bmp_that_says_nothing_is_refused()
    {
        byte[] file = TestImages.RleBmp(TestImages.Gradient(4, 4));
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(18), 14_000);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(22), 14_000);
        Refused("14000×14000", "damaged", file);
    }

    [Fact]
    public void More_frames_than_anyone_looks_at_are_refused()
    {
        Refused("16384 frames", "cut it into parts",
            TestImages.Gif(2, 2, [.. Enumerable.Range(0, 16_385).Select(i => (0, 0, 1, 1, 5, 3, 4))]));
        byte[] file = TestImages.AnimatedWebP(4, 4, 1, null);
        byte[] many = [.. file[..44], .. Enumerable.Repeat(file[44..], 16_385).SelectMany(f => f)];
        BitConverter.GetBytes(many.Length - 8).CopyTo(many, 4);
        Refused("16384 frames", "cut it into parts", many);
    }

    [Fact]
    public void A_jpeg_of_thousands_of_scans_is_refused()
    {
        TestJpeg jpeg = TestJpeg.ScanPerComponent(TestImages.Gradient(8, 8));
        byte[] file = jpeg.File, last = file[jpeg.Scans[^2]..jpeg.Scans[^1]];
        Refused("500 scans", "damaged",
            [.. file[..jpeg.Scans[^1]], .. Enumerable.Repeat(last, 500).SelectMany(s => s), .. file[jpeg.Scans[^1]..]],
            // Two Huffman tables, looked up by 16 bits.
            tables: 2 * (1 << 16) * sizeof(ushort));
    }

    private static byte[] SolidWebP()
    {
        // Lossless WebP whose five codes have one symbol each: no bits for any pixel.
        uint bits = 0x2fff | 0x2fffu << 14;
        byte[] picture = [0x2f, .. BitConverter.GetBytes(bits), 0x88, 0x88, 0x88, 0, 0];
        return [.. "RIFF"u8, (byte)(12 + picture.Length), 0, 0, 0, .. "WEBPVP8L"u8, (byte)picture.Length, 0, 0, 0, .. picture];
    }

    private static void Refused(string number, string remedy, byte[] file, int tables = 0)
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("small"), file);
        foreach (Action read in new Action[] { () => ImageFile.Load(folder.At("small")), () => VideoSource.Open(folder.At("small")) })
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            string message = Assert.Throws<MediaException>(read).Message;
            Assert.Contains(number, message, StringComparison.Ordinal);
            Assert.Contains(remedy, message, StringComparison.Ordinal);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (1 << 18) + tables + 3L * file.Length);
        }
    }
}
