using System.Buffers.Binary;
using Sa2VA.Core;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>WebP: a RIFF file of chunks; frames of an animation are chunks ANMF.</summary>
internal static class WebPContainer
{
    private const int HeaderBytes = 12, ChunkHeader = 8;

    /// <summary>Bytes of the file, as its start says.</summary>
    public static long Bytes(ReadOnlySpan<byte> start) => ChunkHeader + (long)BinaryPrimitives.ReadUInt32LittleEndian(start[4..]);

    public static Container Walk(ReadOnlySpan<byte> bytes, string name)
    {
        long size = Bytes(bytes);
        if (size > bytes.Length) throw Container.CutShort(name, $"after {bytes.Length} of {size} bytes");
        ReadOnlySpan<byte> rest = bytes[HeaderBytes..(int)Math.Max(size, HeaderBytes)];
        int frames = 0;
        bool still = false, lossless = false;
        SKEncodedOrigin origin = SKEncodedOrigin.Default;
        while (rest.Length >= ChunkHeader)
        {
            ReadOnlySpan<byte> kind = rest[..4];
            long length = BinaryPrimitives.ReadUInt32LittleEndian(rest[4..]);
            if (ChunkHeader + length > rest.Length) throw Container.CutShort(name, "inside a chunk");
            lossless |= kind.SequenceEqual("VP8L"u8);
            still |= lossless || kind.SequenceEqual("VP8 "u8);
            if (kind.SequenceEqual("EXIF"u8)) origin = Exif.Orientation(rest.Slice(ChunkHeader, (int)length));
            if (kind.SequenceEqual("ANMF"u8) && ++frames > Container.MaxFrames)
                throw Container.TooManyFrames(name);
            // Chunks begin at even places; the padding of the last one may be missing.
            rest = rest[(int)Math.Min(ChunkHeader + length + length % 2, rest.Length)..];
        }
        if (frames == 0 && !still) throw new MediaException($"{name} holds no picture; the file is damaged.");
        return new Container(PictureFormat.WebP, Math.Max(frames, 1), Math.Max(frames, 1), origin, lossless);
    }
}
