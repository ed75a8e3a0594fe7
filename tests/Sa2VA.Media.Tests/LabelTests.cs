using System.IO.Compression;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Tests;

/// <summary>Label maps and masks: every row filter by its rule, and every damage refused.</summary>
public sealed class LabelTests
{
    private const int Width = 97, Height = 41;

    [Fact]
    public void Every_row_filter_is_undone_by_its_rule()
    {
        for (int filter = 0; filter <= 4; filter++)
        {
            byte[] labels = Labels(filter);
            Assert.Equal(labels, Read(Png(labels, filter)));
        }
    }

    [Theory]
    // Ties: left and upper-left are equally near, the left one counts; upper and upper-left are, the upper one counts.
    [InlineData(90, 105, 100, 90)]
    [InlineData(110, 95, 100, 110)]
    [InlineData(105, 90, 100, 90)]
    [InlineData(95, 110, 100, 110)]
    // No ties: the nearest to left + upper − upper-left.
    [InlineData(10, 20, 12, 20)]
    [InlineData(20, 10, 12, 20)]
    [InlineData(50, 60, 55, 55)]
    [InlineData(7, 7, 7, 7)]
    public void Paeth_predicts_with_its_ties_in_order(byte left, byte above, byte aboveLeft, byte predicted)
    {
        // Two rows of two pixels, the second filtered: its last pixel is the prediction and nothing more.
        byte[] rows = [0, aboveLeft, above, 4, (byte)(left - aboveLeft), 0];
        Assert.Equal([aboveLeft, above, left, predicted], LabelPng.Read(Png(2, 2, rows), "ties").Labels);
    }

    [Fact]
    public void A_map_cut_anywhere_is_refused()
    {
        byte[] file = Png(Labels(4), 4);
        for (int length = 0; length < file.Length; length++)
            Assert.StartsWith("map", Assert.Throws<MediaException>(() => LabelPng.Read(file.AsSpan(0, length), "map")).Message,
                StringComparison.Ordinal);
        Assert.Equal(Labels(4), Read([.. file, .. "trailing bytes"u8]));
    }

    [Fact]
    public void A_bit_that_fell_over_anywhere_is_refused()
    {
        byte[] file = Png(2, 2, [0, 1, 2, 0, 3, 4]);
        for (int bit = 0; bit < file.Length * 8; bit++)
        {
            byte[] damaged = [.. file];
            damaged[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.Throws<MediaException>(() => LabelPng.Read(damaged, "map"));
        }
    }

    [Fact]
    public void Pixels_must_be_as_many_as_the_header_says()
    {
        Assert.Equal([1, 2, 3, 4], Read(Png(2, 2, [0, 1, 2, 0, 3, 4])));
        foreach (byte[] rows in new byte[][] { [0, 1, 2, 0, 3], [0, 1, 2], [], [0, 1, 2, 0, 3, 4, 0], [0, 1, 2, 0, 3, 4, 0, 5, 6] })
            Assert.Contains("pixels", Assert.Throws<MediaException>(() => LabelPng.Read(Png(2, 2, rows), "map")).Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public void A_map_of_two_headers_or_of_an_orientation_is_refused()
    {
        byte[] file = Png(2, 2, [0, 1, 2, 0, 3, 4]);
        byte[] header = file[8..33], rest = file[33..];
        Assert.Throws<MediaException>(() => LabelPng.Read([.. file[..33], .. header, .. rest], "map"));
        Assert.Throws<MediaException>(() =>
            LabelPng.Read([.. file[..8], .. TestImages.Chunk("tIME", new byte[7]), .. header, .. rest], "map"));
        Assert.Contains("orientation", Assert.Throws<MediaException>(
            () => LabelPng.Read([.. file[..33], .. TestImages.Chunk("eXIf", TestImages.Exif(6)), .. rest], "map")).Message,
                StringComparison.Ordinal);
        Assert.Equal([1, 2, 3, 4], Read([.. file[..33], .. TestImages.Chunk("eXIf", TestImages.Exif(1)), .. rest]));
    }

    /// <summary>Labels that make a filter worth having, and many ties.</summary>
    private static byte[] Labels(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Width * Height).Select(i => (byte)(random.Next(4) == 0 ? 5 * random.Next(9) : i / 7 * 5))];
    }

    private static byte[] Read(byte[] file) => LabelPng.Read(file, "map").Labels;

    /// <summary>All rows with one filter, by the words of the PNG specification.</summary>
    private static byte[] Png(byte[] labels, int filter)
    {
        var rows = new byte[(Width + 1) * Height];
        for (int y = 0; y < Height; y++)
        {
            rows[y * (Width + 1)] = (byte)filter;
            for (int x = 0; x < Width; x++)
            {
                int a = x > 0 ? labels[y * Width + x - 1] : 0, b = y > 0 ? labels[(y - 1) * Width + x] : 0;
                int c = x > 0 && y > 0 ? labels[(y - 1) * Width + x - 1] : 0, p = a + b - c;
                int[] neighbours = [a, b, c];
                int prediction = filter switch { 0 => 0, 1 => a, 2 => b, 3 => (a + b) / 2, _ => neighbours.MinBy(n => Math.Abs(p - n)) };
                rows[y * (Width + 1) + 1 + x] = (byte)(labels[y * Width + x] - prediction);
            }
        }
        return Png(Width, Height, rows);
    }

    private static byte[] Png(int width, int height, byte[] rows)
    {
        using var packed = new MemoryStream();
        using (var deflate = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true)) deflate.Write(rows);
        return [.. TestImages.PngStart(width, height, 8, 0), .. TestImages.Chunk("IDAT", packed.ToArray()),
            .. TestImages.Chunk("IEND", [])];
    }
}
