using System.Text;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>
/// Masks as COCO's compressed run lengths, byte for byte those of pycocotools: runs of outside and inside in turn, down the columns; from
/// the fourth on each is stored as the difference to the last but one; five bits a character, lowest first, from '0' on.
/// </summary>
public static class CocoRle
{
    private const int FirstChar = 48, ChunkBits = 5, SignBit = 16, MoreBit = 32, BlockColumns = 32;

    /// <summary>The <c>counts</c> string of a mask; its <c>size</c> is [height, width].</summary>
    public static string Encode(Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        var text = new StringBuilder();
        long run = 0, last = 0, beforeLast = 0, runs = 0;
        byte inside = 0;
        var columns = new byte[BlockColumns * mask.Height];
        for (int left = 0; left < mask.Width; left += BlockColumns)
        {
            // A block of columns is turned first: single columns of a row-major mask would miss the cache at every pixel.
            int count = Math.Min(BlockColumns, mask.Width - left);
            for (int y = 0; y < mask.Height; y++)
            {
                ReadOnlySpan<byte> row = mask.Row(y).Slice(left, count);
                for (int x = 0; x < row.Length; x++) columns[x * mask.Height + y] = row[x];
            }
            ReadOnlySpan<byte> rest = columns.AsSpan(0, count * mask.Height);
            while (true)
            {
                int end = rest.IndexOfAnyExcept(inside);
                if (end < 0)
                {
                    run += rest.Length;
                    break;
                }
                Add(run + end);
                rest = rest[end..];
                (run, inside) = (0, (byte)(1 - inside));
            }
        }
        Add(run);
        return text.ToString();

        void Add(long length)
        {
            Append(text, runs > 2 ? length - beforeLast : length);
            (beforeLast, last) = (last, length);
            runs++;
        }
    }

    /// <summary>The mask of a <c>counts</c> string.</summary>
    /// <param name="counts">Compressed run lengths.</param>
    /// <param name="width">Columns: the second number of <c>size</c>.</param>
    /// <param name="height">Rows: the first number of <c>size</c>.</param>
    /// <exception cref="MediaException">The size is outside the limits, or the runs are malformed or do not cover exactly all
    /// pixels.</exception>
    public static Mask Decode(string counts, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(counts);
        PixelSize.Check(width, height, "A run-length mask");
        var pixels = new byte[width * height];
        int at = 0, x = 0, y = 0;
        long covered = 0, last = 0, beforeLast = 0;
        for (long runs = 0; at < counts.Length; runs++)
        {
            int start = at;
            long length = Next(counts, ref at);
            if (runs > 2) length += beforeLast;
            if (length < 0 || length > pixels.Length - covered)
                throw new MediaException($"The run-length mask has a run of {length} pixels at character {start}, "
                    + $"after {covered} of {width}×{height}.");
            (beforeLast, last) = (last, length);
            covered += length;
            if (runs % 2 == 0)
            {
                x += (int)((y + length) / height);
                y = (int)((y + length) % height);
                continue;
            }
            for (long i = 0; i < length; i++)
            {
                pixels[y * width + x] = 1;
                if (++y == height) (x, y) = (x + 1, 0);
            }
        }
        if (covered != pixels.Length)
            throw new MediaException($"The run-length mask covers {covered} pixels, not the {pixels.Length} of {width}×{height}.");
        return new Mask(width, height, pixels);
    }

    private static void Append(StringBuilder text, long value)
    {
        bool more = true;
        while (more)
        {
            int bits = (int)(value & (SignBit * 2 - 1));
            value >>= ChunkBits;
            more = (bits & SignBit) != 0 ? value != -1 : value != 0;
            text.Append((char)(FirstChar + bits + (more ? MoreBit : 0)));
        }
    }

    private static long Next(string counts, ref int at)
    {
        long value = 0;
        for (int shift = 0; ; shift += ChunkBits)
        {
            if (at == counts.Length || shift > 35)
                throw new MediaException($"The run-length mask breaks off or has too long a number at character {at}.");
            int bits = counts[at] - FirstChar;
            if (bits is < 0 or >= MoreBit * 2)
                throw new MediaException($"The run-length mask has a character U+{(int)counts[at]:X4} at {at} "
                    + "that is none of its alphabet ('0' to 'o').");
            at++;
            value |= (long)(bits & (SignBit * 2 - 1)) << shift;
            if ((bits & MoreBit) != 0) continue;
            return (bits & SignBit) != 0 ? value | -1L << (shift + ChunkBits) : value;
        }
    }
}
