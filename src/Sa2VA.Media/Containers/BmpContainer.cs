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
        if (header >= Header)
        {
            // Compressed rows have no length that could be known here; the decoder follows them to their end.
            long width = BinaryPrimitives.ReadInt32LittleEndian(bytes[18..]),
                height = Math.Abs((long)BinaryPrimitives.ReadInt32LittleEndian(bytes[22..]));
            int bits = BinaryPrimitives.ReadUInt16LittleEndian(bytes[28..]);
            uint start = BinaryPrimitives.ReadUInt32LittleEndian(bytes[10..]),
                compression = BinaryPrimitives.ReadUInt32LittleEndian(bytes[30..]);
            long end = start + (width * bits + 31) / 32 * 4 * height;
            if (compression is Uncompressed or BitFields && width > 0 && end > bytes.Length)
                throw Container.CutShort(name, $"after {bytes.Length} of {end} bytes");
        }
        return new Container(PictureFormat.Bmp, 1, 1);
    }
}
