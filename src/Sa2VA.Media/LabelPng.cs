using System.Buffers.Binary;
using System.IO.Compression;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Reads the raw values of grey and palette PNG files: the general decoder gives the colours of a palette, never its indices. Up to 8 bits,
/// not interlaced; greys of fewer bits are spread over 0…255.
/// </summary>
internal static class LabelPng
{
    /// <summary>Deflate makes no more bytes of one.</summary>
    public const int MaxDeflation = 1032;

    private const int Grey = 0, Palette = 3;

    public static (int Width, int Height, byte[] Labels) Read(ReadOnlySpan<byte> file, string name)
    {
        if (Container.FormatOf(file) is not PictureFormat.Png)
            throw new MediaException(Container.FormatOf(file) is { } other
                ? $"{name} is a {other.Words()} file; label maps and masks must be PNG."
                : ForeignFile.Refusal(file, name));
        int width = 0, height = 0, bits = 0, type = -1;
        using var packed = new MemoryStream();
        for (ReadOnlySpan<byte> rest = file[PngContainer.Signature.Length..]; ;)
        {
            ReadOnlySpan<byte> chunk = PngContainer.Next(ref rest, name), kind = chunk[4..8], data = chunk[8..^4];
            if (!PngContainer.IsIntact(chunk)) throw new MediaException($"{name} has a chunk with a wrong checksum; the file is damaged.");
            bool header = kind.SequenceEqual("IHDR"u8);
            if (header != type < 0) throw new MediaException($"{name} does not begin with its one header; the file is damaged.");
            if (kind.SequenceEqual("IEND"u8)) break;
            if (header)
            {
                if (data.Length != 13) throw new MediaException($"{name} has a damaged header.");
                PixelSize.Check(BinaryPrimitives.ReadUInt32BigEndian(data), BinaryPrimitives.ReadUInt32BigEndian(data[4..]), name);
                (width, height) = (BinaryPrimitives.ReadInt32BigEndian(data), BinaryPrimitives.ReadInt32BigEndian(data[4..]));
                (bits, type) = (data[8], data[9]);
                if (type is not (Grey or Palette) || bits is not (1 or 2 or 4 or 8) || (data[10], data[11], data[12]) != (0, 0, 0))
                    throw new MediaException($"{name} is not a plain grey or palette PNG of at most 8 bits (colour type {type}, "
                        + $"{bits} bits, interlace {data[12]}); convert it.");
            }
            else if (kind.SequenceEqual("IDAT"u8)) packed.Write(data);
            else if (kind.SequenceEqual("eXIf"u8) && !Orientation.IsStoredUpright(Exif.Orientation(data)))
                throw new MediaException($"{name} has an EXIF orientation, which label maps and masks must not have; "
                    + "save it as it is seen.");
        }
        CheckDeflated((width * (long)bits / 8 + 1) * height, packed.Length, name);
        packed.Position = 0;
        try
        {
            using var inflated = new ZLibStream(packed, CompressionMode.Decompress);
            byte[] labels = Unfilter(inflated, width, height, bits, type == Grey ? 255 / ((1 << bits) - 1) : 1, name);
            // The end of the stream holds its checksum; more rows would belong to another header.
            if (inflated.ReadByte() >= 0) throw new MediaException($"{name} holds more pixels than its header says; the file is damaged.");
            return (width, height, labels);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new MediaException($"{name} holds damaged or too few pixels.", e);
        }
    }

    /// <summary>A header that claims more bytes than deflate can have packed lies, and no memory is taken for it.</summary>
    /// <param name="inflated">Bytes that the header claims.</param>
    /// <param name="packed">Bytes that are there.</param>
    /// <param name="name">Begins the message.</param>
    /// <exception cref="MediaException">It lies.</exception>
    public static void CheckDeflated(long inflated, long packed, string name)
    {
        if (inflated > packed * MaxDeflation)
            throw new MediaException($"{name} holds too few pixels for the size in its header; the file is damaged or cut short.");
    }

    private static byte[] Unfilter(Stream rows, int width, int height, int bits, int factor, string name)
    {
        int stride = (width * bits + 7) / 8;
        byte[] labels = new byte[width * height], row = new byte[stride], above = new byte[stride];
        for (int y = 0; y < height; y++)
        {
            int filter = rows.ReadByte();
            rows.ReadExactly(row);
            if (filter is < 0 or > 4) throw new MediaException($"{name} has an unknown row filter {filter} in row {y}.");
            for (int i = 0; i < stride; i++)
            {
                int a = i > 0 ? row[i - 1] : 0, b = above[i], c = i > 0 ? above[i - 1] : 0;
                row[i] += (byte)(filter switch { 0 => 0, 1 => a, 2 => b, 3 => (a + b) / 2, _ => Paeth(a, b, c) });
            }
            for (int x = 0; x < width; x++)
            {
                int bit = x * bits;
                labels[y * width + x] = (byte)(((row[bit / 8] >> (8 - bits - bit % 8)) & ((1 << bits) - 1)) * factor);
            }
            (row, above) = (above, row);
        }
        return labels;
    }

    private static int Paeth(int a, int b, int c)
    {
        int pa = Math.Abs(b - c), pb = Math.Abs(a - c), pc = Math.Abs(a + b - 2 * c);
        return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    }
}
