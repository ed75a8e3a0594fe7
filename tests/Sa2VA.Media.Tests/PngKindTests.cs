using System.IO.Compression;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>PNG files of every colour type, depth, interlacing, filter and narrow width, against another decoder.</summary>
public sealed class PngKindTests
{
    public static TheoryData<int, int> Kinds => new()
    {
        { 0, 1 }, { 0, 2 }, { 0, 4 }, { 0, 8 }, { 0, 16 }, { 2, 8 }, { 2, 16 }, { 3, 1 }, { 3, 2 }, { 3, 4 }, { 3, 8 }, { 4, 8 },
        { 4, 16 }, { 6, 8 }, { 6, 16 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Every_kind_gives_the_colours_that_another_decoder_gives(int type, int bits)
    {
        var random = new Random(type * 100 + bits);
        foreach (bool interlaced in new[] { false, true })
        {
            foreach ((int width, int height) in new[] { (1, 1), (2, 1), (1, 9), (3, 4), (5, 5), (8, 8), (9, 7), (67, 41), (150, 3) })
            {
                byte[] file = File(random, width, height, type, bits, interlaced);
                Assert.Equal(Referee(file), ImageFile.Load(file, "png").Pixels.ToArray());
            }
        }
    }

    [Fact]
    public void Transparent_colours_and_short_palettes_do_not_change_what_is_seen()
    {
        byte[] rows = [.. Enumerable.Range(0, 16).Select(i => (byte)(i * 17))];
        byte[] palette = [.. Enumerable.Range(0, 15).Select(i => (byte)(i * 13))];
        foreach (byte[] file in new[]
                 {
                     TestImages.Png(8, 2, 8, 3, [.. rows.Select(v => (byte)(v % 9))], palette, [0, 100]),
                     TestImages.Png(8, 2, 8, 0, rows, null, [0, 34]), TestImages.Png(8, 2, 4, 0, rows[..8], null, [0, 3]),
                     TestImages.Png(8, 2, 8, 2, [.. rows, .. rows, .. rows], null, [0, 0, 0, 17, 0, 34]),
                 })
            Assert.Equal(Referee(file), ImageFile.Load(file, "png").Pixels.ToArray());
    }

    [Fact]
    public void Kinds_that_do_not_exist_are_refused()
    {
        foreach ((int type, int bits) in new[] { (0, 3), (0, 32), (2, 4), (3, 16), (4, 4), (6, 1), (1, 8), (5, 8), (7, 8), (2, 0) })
            Refused("does not exist", TestImages.Png(2, 2, bits, type, new byte[64], new byte[3]));
        Refused("lacks its palette", TestImages.Png(2, 2, 8, 3, new byte[4]));
        byte[] good = TestImages.Png(2, 2, 8, 0, [1, 2, 3, 4]);
        foreach (int at in new[] { 26, 27, 28 })
        {
            byte[] header = good[16..29];
            header[at - 16] = 2;
            Refused("does not exist", [.. good[..8], .. TestImages.Chunk("IHDR", header), .. good[33..]]);
        }
        Refused("Apple", [.. good[..8], .. TestImages.Chunk("CgBI", [0x50, 0, 0x20, 6]), .. good[8..]]);
        Refused("unknown kind", [.. good[..33], .. TestImages.Chunk("NEED", [1]), .. good[33..]]);
        // What nobody needs may be damaged.
        byte[] comment = TestImages.Chunk("tEXt", [1, 2, 3]);
        comment[^1] ^= 1;
        Assert.Equal([1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4],
            ImageFile.Load([.. good[..33], .. comment, .. good[33..]], "png").Pixels.ToArray());
    }

    [Fact]
    public void Pixels_in_many_chunks_are_one_stream()
    {
        byte[] file = File(new Random(3), 67, 41, 6, 8, interlaced: true);
        int start = file.AsSpan().IndexOf("IDAT"u8) + 4;
        byte[] packed = file[start..^16];
        byte[] many = [.. file[..(start - 8)], .. packed.Chunk(11).SelectMany(part => TestImages.Chunk("IDAT", part)),
            .. TestImages.Chunk("IDAT", []), .. TestImages.Chunk("IEND", [])];
        Assert.Equal(ImageFile.Load(file, "one").Pixels.ToArray(), ImageFile.Load(many, "many").Pixels.ToArray());
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(300, 211)]
    [InlineData(2, 700)]
    public void What_is_written_another_decoder_reads(int width, int height)
    {
        using var folder = new ScratchFolder();
        RgbImage picture = TestImages.Noise(width, height, 3);
        var mask = new Mask(width, height, [.. Enumerable.Range(0, width * height).Select(i => (byte)(picture.Pixels[3 * i] >> 7))]);
        ImageFile.SavePng(folder.At("p"), picture);
        Assert.Equal(picture.Pixels.ToArray(), Referee(System.IO.File.ReadAllBytes(folder.At("p"))));
        MaskFile.Save(folder.At("m"), mask);
        Assert.Equal(mask.Pixels.ToArray().SelectMany(v => Enumerable.Repeat((byte)(v * 255), 3)),
            Referee(System.IO.File.ReadAllBytes(folder.At("m"))));
        Overlay.SavePng(folder.At("o"), picture, [new(4, mask), new(2, mask)]);
        Assert.Equal(Overlay.Draw(picture, [new(4, mask), new(2, mask)]).Pixels.ToArray(),
            Referee(System.IO.File.ReadAllBytes(folder.At("o"))));
        Assert.Equal(["m", "o", "p"], folder.Entries);
    }

    private static void Refused(string words, byte[] file) => Assert.Contains(words,
        Assert.Throws<MediaException>(() => ImageFile.Load(file, "png")).Message, StringComparison.Ordinal);

    private static unsafe byte[] Referee(byte[] file)
    {
        using SKData data = SKData.CreateCopy(file);
        using SKCodec codec = SKCodec.Create(data);
        var info = new SKImageInfo(codec.Info.Width, codec.Info.Height, SKColorType.Rgba8888, SKAlphaType.Unpremul);
        byte[] pixels = new byte[info.BytesSize];
        fixed (byte* p = pixels) Assert.Equal(SKCodecResult.Success, codec.GetPixels(info, (nint)p));
        return [.. pixels.Where((_, i) => i % 4 != 3)];
    }

    /// <summary>Random bytes as filtered rows of random filters: whatever they mean, all decoders must agree.</summary>
    private static byte[] File(Random random, int width, int height, int type, int bits, bool interlaced)
    {
        int pixelBits = bits * type switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        (int, int, int, int)[] passes = interlaced
            ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] : [(0, 0, 1, 1)];
        using var packed = new MemoryStream();
        using (var deflate = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            foreach ((int left, int top, int across, int down) in passes)
            {
                int columns = (width - left + across - 1) / across;
                for (int y = top; y < height && columns > 0; y += down)
                {
                    byte[] row = new byte[1 + (columns * pixelBits + 7) / 8];
                    random.NextBytes(row);
                    row[0] = (byte)random.Next(5);
                    deflate.Write(row);
                }
            }
        }
        byte[] palette = new byte[3 << Math.Min(bits, 8)];
        random.NextBytes(palette);
        return [.. TestImages.PngStart(width, height, bits, type, interlaced), .. type == 3 ? TestImages.Chunk("PLTE", palette) : [],
            .. TestImages.Chunk("IDAT", packed.ToArray()), .. TestImages.Chunk("IEND", [])];
    }
}
