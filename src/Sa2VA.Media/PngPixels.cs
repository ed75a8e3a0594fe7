using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>Takes one row of a PNG, or what one pass of an interlaced one has of it.</summary>
/// <param name="packed">The pixels as stored, without filter.</param>
/// <param name="columns">Number of pixels.</param>
/// <param name="y">The row.</param>
/// <param name="x">Column of the first pixel.</param>
/// <param name="step">Columns from one pixel to the next.</param>
internal delegate void PngRow(ReadOnlySpan<byte> packed, int columns, int y, int x, int step);

/// <summary>
/// The pixels of a PNG of any kind, inflated row by row: few bytes may hold many pixels, of which only a row is held here.
/// </summary>
internal sealed class PngPixels
{
    public const int Grey = 0, Rgb = 2, Palette = 3, Rgba = 6;

    /// <summary>Of the data of a header.</summary>
    public const int HeaderBytes = 13;

    private const int GreyAlpha = 4, ColourBytes = 3, MostColours = 256;

    /// <summary>Deflate makes no more bytes of one.</summary>
    public const int MaxDeflation = 1032;

    private static readonly Pass[] WholeRows = [new(0, 0, 1, 1)];

    /// <summary>The passes of Adam7.</summary>
    private static readonly Pass[] Interlaced =
        [new(0, 0, 8, 8), new(4, 0, 8, 8), new(0, 4, 4, 8), new(2, 0, 4, 4), new(0, 2, 2, 4), new(1, 0, 2, 2), new(0, 1, 1, 2)];

    private readonly string _name;
    private readonly MemoryStream _deflated;
    private readonly Pass[] _passes;

    /// <summary>[256, 3]: the colour of each value of at most 8 bits.</summary>
    private readonly byte[] _colours;

    private PngPixels(ReadOnlySpan<byte> header, ReadOnlySpan<byte> palette, MemoryStream deflated, string name)
    {
        (_deflated, _name) = (deflated, name);
        (Width, Height) = (BinaryPrimitives.ReadInt32BigEndian(header), BinaryPrimitives.ReadInt32BigEndian(header[4..]));
        (Bits, Type) = (header[8], header[9]);
        bool known = Type switch
        {
            Grey => Bits is 1 or 2 or 4 or 8 or 16,
            Palette => Bits is 1 or 2 or 4 or 8 && palette.Length >= ColourBytes,
            Rgb or GreyAlpha or Rgba => Bits is 8 or 16,
            _ => false,
        };
        if (!known || header[12] > 1 || (header[10], header[11]) != (0, 0))
            throw new MediaException($"{name} is of a kind of PNG that does not exist, or lacks its palette; the file is damaged.");
        _passes = header[12] == 0 ? WholeRows : Interlaced;
        _colours = Type == Palette ? ColoursOf(palette) : ColoursOfGreys(Bits);
        if (_passes.Sum(p => (1L + RowBytes(p.Columns(Width))) * p.Rows(Height)) > deflated.Length * (long)MaxDeflation)
            throw new MediaException($"{name} holds too few pixels for the size in its header; the file is damaged or cut short.");
    }

    public int Width { get; }

    public int Height { get; }

    /// <summary>Bits of a sample: 1, 2, 4, 8 or 16.</summary>
    public int Bits { get; }

    /// <summary>What samples are: <see cref="Grey"/>, indices of a <see cref="Palette"/>, or colours.</summary>
    public int Type { get; }

    private int PixelBits => Bits * Type switch { Rgb => 3, GreyAlpha => 2, Rgba => 4, _ => 1 };

    /// <summary>Takes header, palette and deflated pixels; what other chunks hold changes no colour.</summary>
    /// <param name="file">The whole file; its pixels are copied, deflated as they are.</param>
    /// <param name="name">Begins messages.</param>
    /// <exception cref="MediaException">It is damaged, cut short, too large, or claims more than its pixels can be.</exception>
    public static PngPixels Read(ReadOnlySpan<byte> file, string name)
    {
        byte[] header = [], palette = [];
        var deflated = new MemoryStream();
        for (ReadOnlySpan<byte> rest = file[PngContainer.Signature.Length..]; ;)
        {
            ReadOnlySpan<byte> chunk = PngContainer.Next(ref rest, name), kind = chunk[4..8], data = chunk[8..^4];
            if (kind.SequenceEqual("CgBI"u8))
                throw new MediaException($"{name} is a PNG for Apple's devices alone; convert it to PNG.");
            bool isHeader = kind.SequenceEqual("IHDR"u8);
            if (isHeader != (header.Length == 0))
                throw new MediaException($"{name} does not begin with its one header; the file is damaged.");
            if (!PngContainer.IsCritical(kind)) continue;
            if (!PngContainer.IsIntact(chunk)) throw new MediaException($"{name} has a chunk with a wrong checksum; the file is damaged.");
            if (isHeader)
            {
                if (data.Length != HeaderBytes) throw new MediaException($"{name} has a damaged header.");
                PixelSize.Check(BinaryPrimitives.ReadUInt32BigEndian(data), BinaryPrimitives.ReadUInt32BigEndian(data[4..]), name);
                header = data.ToArray();
                deflated.Capacity = rest.Length;
            }
            else if (kind.SequenceEqual("IDAT"u8)) deflated.Write(data);
            else if (kind.SequenceEqual("PLTE"u8)) palette = data.ToArray();
            else if (kind.SequenceEqual("IEND"u8)) return new PngPixels(header, palette, deflated, name);
            else throw new MediaException($"{name} has a chunk of an unknown kind that it needs; the file is damaged.");
        }
    }

    /// <summary>Hands over all rows, as they are stored.</summary>
    /// <returns>Whether the data ends with the last row, checksum and all; other decoders do not ask.</returns>
    /// <exception cref="MediaException">The data is damaged or too short.</exception>
    public bool Rows(PngRow take)
    {
        _deflated.Position = 0;
        using var inflated = new ZLibStream(_deflated, CompressionMode.Decompress, leaveOpen: true);
        int pixelBytes = Math.Max(PixelBits / 8, 1);
        // The number of the filter lies before the row.
        byte[] row = new byte[1 + RowBytes(Width)], above = new byte[row.Length];
        try
        {
            foreach (Pass pass in _passes)
            {
                int columns = pass.Columns(Width), count = pass.Rows(Height), bytes = RowBytes(columns);
                if (columns == 0) continue;
                above.AsSpan().Clear();
                for (int i = 0; i < count; i++)
                {
                    inflated.ReadExactly(row, 0, 1 + bytes);
                    int y = pass.Top + i * pass.Down;
                    if (row[0] > PngFilter.Last)
                        throw new MediaException($"{_name} has an unknown row filter {row[0]} in row {y}; the file is damaged.");
                    Span<byte> pixels = row.AsSpan(1, bytes);
                    PngFilter.Undo(row[0], pixels, above.AsSpan(1, bytes), pixelBytes);
                    take(pixels, columns, y, pass.Left, pass.Across);
                    (row, above) = (above, row);
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            throw new MediaException($"{_name} holds damaged or too few pixels.", e);
        }
        try
        {
            return inflated.ReadByte() < 0;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    /// <summary>Puts all pixels as 8-bit RGB: alpha dropped without blending, 16 bits reduced to the upper 8.</summary>
    /// <exception cref="MediaException">As for <see cref="Rows"/>.</exception>
    public void Decode(UprightRgb picture)
    {
        byte[] rgb = new byte[Width * ColourBytes], values = new byte[Width];
        Rows((packed, columns, y, x, step) =>
        {
            ReadOnlySpan<byte> row = packed;
            if (Type != Rgb || Bits != 8)
            {
                Span<byte> colours = rgb.AsSpan(0, columns * ColourBytes);
                if (Type is Rgb or Rgba) Pick(packed, PixelBits / 8, Bits / 8, colours);
                else if (Bits > 8 || Type == GreyAlpha) Pick(packed, PixelBits / 8, 0, colours);
                else
                {
                    Unpack(packed, values.AsSpan(0, columns));
                    for (int i = 0, to = 0; to < colours.Length; i++, to += ColourBytes)
                    {
                        int from = values[i] * ColourBytes;
                        (colours[to], colours[to + 1], colours[to + 2]) = (_colours[from], _colours[from + 1], _colours[from + 2]);
                    }
                }
                row = colours;
            }
            picture.Put(row, y, x, step);
        });
    }

    /// <summary>Widens samples of at most 8 bits to a byte each; their values stay.</summary>
    public void Unpack(ReadOnlySpan<byte> packed, Span<byte> values)
    {
        if (Bits == 8)
        {
            packed.CopyTo(values);
            return;
        }
        int last = 8 / Bits - 1, inByte = BitOperations.Log2(8 / (uint)Bits), mask = (1 << Bits) - 1;
        for (int i = 0; i < values.Length; i++) values[i] = (byte)(packed[i >> inByte] >> (last - (i & last)) * Bits & mask);
    }

    /// <summary>Takes the first bytes of three samples a pixel.</summary>
    private static void Pick(ReadOnlySpan<byte> packed, int pixelBytes, int sampleBytes, Span<byte> rgb)
    {
        for (int from = 0, to = 0; to < rgb.Length; from += pixelBytes, to += ColourBytes)
            (rgb[to], rgb[to + 1], rgb[to + 2]) = (packed[from], packed[from + sampleBytes], packed[from + 2 * sampleBytes]);
    }

    private int RowBytes(int columns) => (int)((columns * (long)PixelBits + 7) / 8);

    /// <summary>An index beyond a palette is its last colour, as other decoders have it.</summary>
    private static byte[] ColoursOf(ReadOnlySpan<byte> palette)
    {
        var colours = new byte[MostColours * ColourBytes];
        palette = palette[..Math.Min(palette.Length / ColourBytes * ColourBytes, colours.Length)];
        palette.CopyTo(colours);
        for (int i = palette.Length; i < colours.Length; i++) colours[i] = colours[i - ColourBytes];
        return colours;
    }

    /// <summary>Greys of few bits are spread over 0…255.</summary>
    private static byte[] ColoursOfGreys(int bits)
    {
        int most = (1 << Math.Min(bits, 8)) - 1;
        return [.. Enumerable.Range(0, MostColours * ColourBytes).Select(i => (byte)(i / ColourBytes * 255 / most))];
    }

    /// <summary>What of a picture comes at a time: every so many columns of every so many rows.</summary>
    private readonly record struct Pass(int Left, int Top, int Across, int Down)
    {
        public int Columns(int width) => (width - Left + Across - 1) / Across;

        public int Rows(int height) => (height - Top + Down - 1) / Down;
    }
}
