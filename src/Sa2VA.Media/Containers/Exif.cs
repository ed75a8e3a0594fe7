using System.Buffers.Binary;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>The orientation entry of an EXIF block, which every format wraps in its own way.</summary>
internal static class Exif
{
    private const int OrientationTag = 0x0112, EntryBytes = 12;
    private const ushort Short = 3;

    /// <summary>Reads the first directory.</summary>
    /// <param name="block">A TIFF header and what follows; some writers put "Exif" before it.</param>
    /// <returns>As it is stored, when there is no entry or it makes no sense.</returns>
    public static SKEncodedOrigin Orientation(ReadOnlySpan<byte> block)
    {
        if (block.StartsWith("Exif\0\0"u8)) block = block[6..];
        bool little = block.StartsWith("II*\0"u8);
        if (block.Length < 8 || !(little || block.StartsWith("MM\0*"u8))) return SKEncodedOrigin.Default;
        uint at = Int32(block, 4);
        if (at > block.Length - 2) return SKEncodedOrigin.Default;
        ReadOnlySpan<byte> entries = block[((int)at + 2)..];
        for (int left = Int16(block, (int)at); left > 0 && entries.Length >= EntryBytes; left--, entries = entries[EntryBytes..])
        {
            if (Int16(entries, 0) != OrientationTag) continue;
            int value = Int16(entries, 2) == Short ? Int16(entries, 8) : 0;
            return value is >= 1 and <= 8 ? (SKEncodedOrigin)value : SKEncodedOrigin.Default;
        }
        return SKEncodedOrigin.Default;

        ushort Int16(ReadOnlySpan<byte> from, int offset) =>
            little ? BinaryPrimitives.ReadUInt16LittleEndian(from[offset..]) : BinaryPrimitives.ReadUInt16BigEndian(from[offset..]);

        uint Int32(ReadOnlySpan<byte> from, int offset) =>
            little ? BinaryPrimitives.ReadUInt32LittleEndian(from[offset..]) : BinaryPrimitives.ReadUInt32BigEndian(from[offset..]);
    }
}
