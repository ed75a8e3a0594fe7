using System.Buffers.Binary;
using Sa2VA.Core;

namespace Sa2VA.Media;

/// <summary>BMP: a header of a size that it says itself, then rows of pixels at the place that it names.</summary>
internal static class BmpContainer
{
    private const int FileHeader = 14, OldHeader = 12, Header = 40, Uncompressed = 0, BitFields = 3;

    public static bool IsBmp(ReadOnlySpan<byte> start) => start.StartsWith("BM"u8) && start.Length >= FileHeader + 4
        && BinaryPrimitives.ReadUInt32LittleEndian(start[FileHeader..]) is OldHeader or (>= 16 and <= 256);

    public static Container Walk(ReadOnlySpan<byte> bytes, string name)
    {
        uint header = BinaryPrimitives.ReadUInt32LittleEndian(bytes[FileHeader..]);
        if (FileHeader + header > bytes.Length) throw Container.CutShort(name, "inside its header");
        long end = Bytes(bytes);
        if (end > bytes.Length && end < long.MaxValue) throw Container.CutShort(name, $"after {bytes.Length} of {end} bytes");
        return new Container(PictureFormat.Bmp, 1, 1);
    }

    /// <summary>
    /// Bytes of the file, as its header says; the largest number if it does not: compressed rows have no length that could be known here,
    /// the decoder follows them to their end.
    /// </summary>
    public static long Bytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < FileHeader + Header || BinaryPrimitives.ReadUInt32LittleEndian(bytes[FileHeader..]) < Header)
            return long.MaxValue;
        long width = BinaryPrimitives.ReadInt32LittleEndian(bytes[18..]),
            height = Math.Abs((long)BinaryPrimitives.ReadInt32LittleEndian(bytes[22..]));
        int bits = BinaryPrimitives.ReadUInt16LittleEndian(bytes[28..]);
        uint start = BinaryPrimitives.ReadUInt32LittleEndian(bytes[10..]),
            compression = BinaryPrimitives.ReadUInt32LittleEndian(bytes[30..]);
        return compression is Uncompressed or BitFields && width > 0 ? start + (width * bits + 31) / 32 * 4 * height : long.MaxValue;
    }
}
