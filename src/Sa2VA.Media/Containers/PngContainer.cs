using System.Buffers.Binary;
using Sa2VA.Core;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>PNG: chunks up to IEND, each with its length in front.</summary>
internal static class PngContainer
{
    /// <summary>Bytes of a chunk besides its data: length, type and checksum.</summary>
    public const int Framing = 12;

    private const uint Polynomial = 0xedb88320;

    private static readonly uint[] Remainders = [.. Enumerable.Range(0, 256).Select(i =>
    {
        uint remainder = (uint)i;
        for (int bit = 0; bit < 8; bit++) remainder = (remainder & 1) != 0 ? remainder >> 1 ^ Polynomial : remainder >> 1;
        return remainder;
    })];

    /// <summary>The first bytes of a PNG.</summary>
    public static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10];

    public static Container Walk(ReadOnlySpan<byte> bytes, string name)
    {
        int animated = 0;
        bool pixels = false;
        SKEncodedOrigin origin = SKEncodedOrigin.Default;
        for (ReadOnlySpan<byte> rest = bytes[Signature.Length..]; ;)
        {
            ReadOnlySpan<byte> chunk = Next(ref rest, name), kind = chunk[4..8];
            if (kind.SequenceEqual("IEND"u8)) break;
            if (kind.SequenceEqual("IDAT"u8)) pixels = true;
            if (kind.SequenceEqual("eXIf"u8)) origin = Exif.Orientation(chunk[8..^4]);
            if (kind.SequenceEqual("acTL"u8) && !pixels && chunk.Length >= Framing + 4)
                animated = BinaryPrimitives.ReadInt32BigEndian(chunk[8..]);
        }
        if (!pixels) throw new MediaException($"{name} holds no pixels; the file is damaged.");
        return new Container(PictureFormat.Png, Math.Max(animated, 1), 1, origin);
    }

    /// <summary>As <see cref="Container.Ends"/>.</summary>
    public static bool Ends(ReadOnlySpan<byte> bytes, ref long at)
    {
        for (at = Math.Max(at, Signature.Length); at + Framing <= bytes.Length;)
        {
            ReadOnlySpan<byte> chunk = bytes[(int)at..];
            if (chunk[4..].StartsWith("IEND"u8)) return true;
            at += Framing + (long)BinaryPrimitives.ReadUInt32BigEndian(chunk);
        }
        return false;
    }

    /// <summary>Whether a picture cannot be read without chunks of a kind; of others a damaged one does not matter.</summary>
    public static bool IsCritical(ReadOnlySpan<byte> kind) => (kind[0] & 0x20) == 0;

    /// <summary>Whether a chunk's checksum is that of its type and data.</summary>
    public static bool IsIntact(ReadOnlySpan<byte> chunk) =>
        ~Sum(uint.MaxValue, chunk[4..^4]) == BinaryPrimitives.ReadUInt32BigEndian(chunk[^4..]);

    /// <summary>Writes a chunk: length, type, data, checksum.</summary>
    public static void Write(Stream file, ReadOnlySpan<byte> kind, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(kind);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Sum(Sum(uint.MaxValue, kind), data));
        file.Write(number);
    }

    /// <summary>Takes the next chunk: length, type, data, checksum.</summary>
    /// <exception cref="MediaException">The file ends before.</exception>
    public static ReadOnlySpan<byte> Next(ref ReadOnlySpan<byte> rest, string name)
    {
        uint length = rest.Length < Framing ? uint.MaxValue : BinaryPrimitives.ReadUInt32BigEndian(rest);
        if (length > rest.Length - Framing) throw Container.CutShort(name, "inside a chunk");
        ReadOnlySpan<byte> chunk = rest[..((int)length + Framing)];
        rest = rest[chunk.Length..];
        return chunk;
    }

    private static uint Sum(uint sum, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes) sum = Remainders[(byte)(sum ^ b)] ^ (sum >> 8);
        return sum;
    }
}
