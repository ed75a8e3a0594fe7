using System.IO.Compression;
using Sa2VA.Media;

namespace Sa2VA.Tests;

/// <summary>Every filter of the PNG specification, on values so alike that its tie rules decide.</summary>
public class LabelPngTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(null)]
    public void AFilteredRowIsRestored(int? filter)
    {
        const int Width = 37, Height = 29;
        var random = new Random(3);
        byte[] labels = [.. Enumerable.Range(0, Width * Height).Select(_ => (byte)random.Next(5))];
        using var packed = new MemoryStream();
        using (var deflate = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            for (int y = 0; y < Height; y++)
            {
                int kind = filter ?? y % 5;
                deflate.WriteByte((byte)kind);
                for (int x = 0; x < Width; x++) deflate.WriteByte((byte)(At(x, y) - Predict(kind, At(x - 1, y), At(x, y - 1), At(x - 1, y - 1))));
            }
        }
        using var folder = new TestFolder();
        File.WriteAllBytes(folder["labels.png"],
            [.. TestImages.PngStart(Width, Height, 8, 0), .. TestImages.Chunk("IDAT", packed.ToArray()), .. TestImages.Chunk("IEND", [])]);

        Assert.Equal((Width, Height), (ImageFile.LoadLabels(folder["labels.png"]).Width, ImageFile.LoadLabels(folder["labels.png"]).Height));
        Assert.Equal(labels, ImageFile.LoadLabels(folder["labels.png"]).Labels);

        int At(int x, int y) => x < 0 || y < 0 ? 0 : labels[y * Width + x];
    }

    /// <summary>PNG specification (third edition), section 9: the nearest to a + b − c of left, upper, upper left, in this order on ties.</summary>
    private static int Predict(int filter, int a, int b, int c) => filter switch
    {
        0 => 0,
        1 => a,
        2 => b,
        3 => (a + b) / 2,
        _ => ((int[])[a, b, c]).MinBy(candidate => Math.Abs(a + b - c - candidate)),
    };
}
