using System.Buffers.Binary;
using System.IO.Compression;
using Sa2VA.Models;

namespace Sa2VA.Tests.Pictures;

/// <summary>Reads the 8-bit RGB and grey PNG files of the fixtures: an oracle apart from the decoder of the media project.</summary>
internal static class TestPng
{
    public static RgbImage Rgb(string path)
    {
        (int width, int height, int channels, byte[] pixels) = Read(path);
        Assert.Equal(3, channels);
        return new RgbImage(width, height, pixels);
    }

    public static (int Width, int Height, int Channels, byte[] Pixels) Read(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        using var packed = new MemoryStream();
        int width = 0, height = 0, channels = 0;
        for (int at = 8; at < file.Length;)
        {
            int length = (int)BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at));
            ReadOnlySpan<byte> type = file.AsSpan(at + 4, 4), data = file.AsSpan(at + 8, length);
            if (type.SequenceEqual("IHDR"u8))
            {
                width = (int)BinaryPrimitives.ReadUInt32BigEndian(data);
                height = (int)BinaryPrimitives.ReadUInt32BigEndian(data[4..]);
                Assert.True(data[8] == 8 && data[9] is 0 or 2 && data[12] == 0, $"{path}: not plain 8-bit RGB or grey.");
                channels = data[9] == 2 ? 3 : 1;
            }
            else if (type.SequenceEqual("IDAT"u8)) packed.Write(data);
            at += length + 12;
        }
        packed.Position = 0;
        using var inflate = new ZLibStream(packed, CompressionMode.Decompress);
        int stride = width * channels;
        byte[] pixels = new byte[stride * height], previous = new byte[stride];
        for (int y = 0; y < height; y++)
        {
            int filter = inflate.ReadByte();
            Span<byte> row = pixels.AsSpan(y * stride, stride);
            inflate.ReadExactly(row);
            for (int i = 0; i < stride; i++)
            {
                int a = i >= channels ? row[i - channels] : 0, b = previous[i], c = i >= channels ? previous[i - channels] : 0;
                row[i] += (byte)(filter switch { 0 => 0, 1 => a, 2 => b, 3 => (a + b) / 2, _ => Paeth(a, b, c) });
            }
            row.CopyTo(previous);
        }
        return (width, height, channels, pixels);
    }

    private static int Paeth(int a, int b, int c)
    {
        int pa = Math.Abs(b - c), pb = Math.Abs(a - c), pc = Math.Abs(a + b - 2 * c);
        return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    }
}
