using System.Numerics;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Engine.Tracking;

/// <summary>Masks as bits: rows of ⌈width/32⌉ words, bit i of word j is pixel 32·j + i, bits behind the last pixel are 0.</summary>
internal static class MaskBits
{
    /// <summary>Eight pixels for each value of a byte.</summary>
    private static readonly ulong[] Pixels = [.. Enumerable.Range(0, 256).Select(EightPixels)];

    /// <summary>Writes a byte per pixel, 1 inside, 0 outside.</summary>
    /// <param name="bits">[height, ⌈width/32⌉].</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="pixels">[height, width].</param>
    /// <returns>Pixels inside.</returns>
    public static long Expand(ReadOnlySpan<int> bits, int width, int height, Span<byte> pixels)
    {
        int words = PackMasks.WordsFor(width);
        long area = 0;
        foreach (int word in bits) area += BitOperations.PopCount((uint)word);
        for (int y = 0; y < height; y++)
        {
            ReadOnlySpan<int> row = bits.Slice(y * words, words);
            Span<byte> to = pixels.Slice(y * width, width);
            Span<ulong> eights = MemoryMarshal.Cast<byte, ulong>(to);
            for (int i = 0; i < eights.Length; i++) eights[i] = Pixels[(byte)(row[i / 4] >> (i % 4 * 8))];
            for (int x = eights.Length * 8; x < width; x++) to[x] = (byte)((row[x / 32] >> (x % 32)) & 1);
        }
        return area;
    }

    private static ulong EightPixels(int value)
    {
        var pixels = new byte[8];
        for (int i = 0; i < 8; i++) pixels[i] = (byte)((value >> i) & 1);
        return MemoryMarshal.Read<ulong>(pixels);
    }
}
