using System.Buffers.Binary;
using System.IO.Compression;
using Sa2VA.Core;

namespace Sa2VA.Media;

/// <summary>Makes a row of a picture that is written.</summary>
/// <param name="y">The row.</param>
/// <param name="pixels">Gets its samples.</param>
internal delegate void PixelRow(int y, Span<byte> pixels);

/// <summary>Writes 8-bit grey or RGB PNG files row by row, so that no second copy of a picture is held.</summary>
internal static class PngWriter
{
    private const int Channels = 3, ChunkBytes = 1 << 16;

    // Pictures are written frame by frame: a third of the time of usual settings for files that are an eighth larger.
    private const int GreyLevel = 4, RgbLevel = 3;

    /// <summary>Writes a file; it appears whole or not at all.</summary>
    /// <param name="path">Where.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="grey">One sample a pixel instead of three.</param>
    /// <param name="row">Is asked for the rows in order.</param>
    /// <exception cref="MediaException">It cannot be written.</exception>
    public static void Write(string path, int width, int height, bool grey, PixelRow row)
    {
        using var file = new AtomicFile(path);
        try
        {
            file.Stream.Write(PngContainer.Signature);
            Span<byte> header = stackalloc byte[PngPixels.HeaderBytes];
            BinaryPrimitives.WriteInt32BigEndian(header, width);
            BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
            (header[8], header[9]) = (8, (byte)(grey ? PngPixels.Grey : PngPixels.Rgb));
            PngContainer.Write(file.Stream, "IHDR"u8, header);
            var options = new ZLibCompressionOptions { CompressionLevel = grey ? GreyLevel : RgbLevel };
            using (var deflate = new ZLibStream(new BufferedStream(new PixelChunks(file.Stream), ChunkBytes), options))
                WriteRows(deflate, width, height, grey, row);
            PngContainer.Write(file.Stream, "IEND"u8, []);
        }
        catch (IOException e)
        {
            throw AtomicFile.CannotWrite(path, e);
        }
        file.Commit();
    }

    // Rows of a mask are much like the row above, pixels of a picture like the one before.
    private static void WriteRows(Stream deflate, int width, int height, bool grey, PixelRow row)
    {
        int bytes = grey ? width : width * Channels;
        byte[] pixels = new byte[bytes], above = new byte[bytes], filtered = new byte[1 + bytes];
        filtered[0] = grey ? PngFilter.Up : PngFilter.Sub;
        for (int y = 0; y < height; y++)
        {
            row(y, pixels);
            PngFilter.Apply(filtered[0], pixels, above, Channels, filtered.AsSpan(1));
            deflate.Write(filtered);
            (pixels, above) = (above, pixels);
        }
    }

    /// <summary>Makes a chunk of what is written at a time.</summary>
    private sealed class PixelChunks(Stream file) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer) => PngContainer.Write(file, "IDAT"u8, buffer);

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
