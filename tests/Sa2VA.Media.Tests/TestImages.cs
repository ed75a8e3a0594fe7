using System.Buffers.Binary;
using System.IO.Compression;
using Sa2VA.Engine;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>Files in every format, made by the shortest means.</summary>
internal static class TestImages
{
    /// <summary>Smooth, so that lossy formats stay near it.</summary>
    public static RgbImage Gradient(int width, int height, int phase = 0)
    {
        var pixels = new byte[width * height * 3];
        for (int i = 0; i < width * height; i++)
        {
            pixels[3 * i] = (byte)(i % width * 255 / width);
            pixels[3 * i + 1] = (byte)(i / width * 255 / height);
            pixels[3 * i + 2] = (byte)(phase * 40);
        }
        return new RgbImage(width, height, pixels);
    }

    public static byte[] Encode(RgbImage image, SKEncodedImageFormat format, int quality = 90)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(image.Width, image.Height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        for (int y = 0; y < image.Height; y++)
        {
            for (int x = 0; x < image.Width; x++)
            {
                ReadOnlySpan<byte> p = image.Row(y).Slice(3 * x, 3);
                bitmap.SetPixel(x, y, new SKColor(p[0], p[1], p[2]));
            }
        }
        using SKData data = bitmap.Encode(format, quality);
        return data.ToArray();
    }

    /// <summary>PNG of any colour type; <paramref name="rows"/> holds the packed rows without filter bytes.</summary>
    public static byte[] Png(int width, int height, int bits, int type, byte[] rows, byte[]? palette = null, byte[]? alpha = null)
    {
        int stride = rows.Length / height;
        using var packed = new MemoryStream();
        using (var deflate = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            for (int y = 0; y < height; y++)
            {
                deflate.WriteByte(0);
                deflate.Write(rows, y * stride, stride);
            }
        }
        return [.. PngStart(width, height, bits, type), .. palette is null ? [] : Chunk("PLTE", palette),
            .. alpha is null ? [] : Chunk("tRNS", alpha),
            .. Chunk("IDAT", packed.ToArray()), .. Chunk("IEND", [])];
    }

    public static byte[] PngStart(int width, int height, int bits, int type, bool interlaced = false)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = ((byte)bits, (byte)type);
        header[12] = interlaced ? (byte)1 : (byte)0;
        return [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, .. Chunk("IHDR", header)];
    }

    /// <summary>24-bit BMP.</summary>
    public static byte[] Bmp(RgbImage image)
    {
        int stride = (image.Width * 3 + 3) / 4 * 4;
        var file = new byte[54 + stride * image.Height];
        (file[0], file[1]) = ((byte)'B', (byte)'M');
        foreach ((int at, int value) in new[] { (2, file.Length), (10, 54), (14, 40), (18, image.Width), (22, image.Height),
            (26, 1 | 24 << 16), (34, stride * image.Height) })
            BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);
        for (int y = 0; y < image.Height; y++)
        {
            for (int x = 0; x < image.Width * 3; x++) file[54 + (image.Height - 1 - y) * stride + x] = image.Row(y)[x / 3 * 3 + 2 - x % 3];
        }
        return file;
    }

    /// <summary>Gradient with noise: every part of a file matters.</summary>
    public static RgbImage Noise(int width, int height, int seed)
    {
        var random = new Random(seed);
        byte[] pixels = Gradient(width, height).Pixels.ToArray();
        for (int i = 0; i < pixels.Length; i++) pixels[i] = (byte)Math.Clamp(pixels[i] + random.Next(-40, 41), 0, 255);
        return new RgbImage(width, height, pixels);
    }

    /// <summary>8-bit RGB PNG whose rows come in the seven passes of Adam7.</summary>
    public static byte[] InterlacedPng(RgbImage image)
    {
        using var packed = new MemoryStream();
        using (var deflate = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            foreach ((int x0, int y0, int dx, int dy) in new[] { (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                (1, 0, 2, 2), (0, 1, 1, 2) })
            {
                for (int y = y0; y < image.Height; y += dy)
                {
                    deflate.WriteByte(0);
                    for (int x = x0; x < image.Width; x += dx) deflate.Write(image.Row(y).Slice(3 * x, 3));
                }
            }
        }
        return [.. PngStart(image.Width, image.Height, 8, 2, interlaced: true), .. Chunk("IDAT", packed.ToArray()), .. Chunk("IEND", [])];
    }

    /// <summary>Interlaced 8-bit PNG, black.</summary>
    public static byte[] InterlacedGrey(int width, int height)
    {
        using var packed = new MemoryStream();
        using (var deflate = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            // Rows of zeros of the filter "none" are only a matter of how many bytes there are.
            foreach ((int x, int y, int dx, int dy) in new[] { (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                (1, 0, 2, 2), (0, 1, 1, 2) })
                deflate.Write(new byte[(1 + (width - x + dx - 1) / dx) * ((height - y + dy - 1) / dy)]);
        }
        return [.. PngStart(width, height, 8, 0, interlaced: true), .. Chunk("IDAT", packed.ToArray()), .. Chunk("IEND", [])];
    }

    /// <summary>8-bit BMP of grey, run-length encoded in absolute runs.</summary>
    public static byte[] RleBmp(RgbImage image)
    {
        List<byte> rows = [];
        for (int y = image.Height - 1; y >= 0; y--)
        {
            for (int x = 0; x < image.Width; x++) rows.AddRange([1, image.Row(y)[3 * x]]);
            rows.AddRange([0, 0]);
        }
        rows.AddRange([0, 1]);
        const int start = 54 + 1024;
        var header = new byte[start];
        (header[0], header[1]) = ((byte)'B', (byte)'M');
        foreach ((int at, int value) in new[]
                 {
                     (2, start + rows.Count), (10, start), (14, 40), (18, image.Width), (22, image.Height), (26, 1 | 8 << 16), (30, 1),
                         (34, rows.Count), (46, 256),
                 })
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(at), value);
        for (int i = 0; i < 256; i++) header.AsSpan(54 + 4 * i, 3).Fill((byte)i);
        return [.. header, .. rows];
    }

    /// <summary>Animated WebP, lossless or lossy.</summary>
    public static byte[] AnimatedWebP(int width, int height, int frames, float? quality)
    {
        using var folder = new ScratchFolder();
        using (var animation = new Media.AnimatedWebP(folder.At("a.webp"), width, height, TimeSpan.FromMilliseconds(40), quality))
        {
            for (int i = 0; i < frames; i++) animation.Add(Noise(width, height, i));
            animation.Finish();
        }
        return File.ReadAllBytes(folder.At("a.webp"));
    }

    /// <summary>GIF whose frames are of one colour of a 128-colour palette each; a frame may cover only a part of the canvas.</summary>
    public static byte[] Gif(int width, int height,
        params (int Left, int Top, int Width, int Height, int Colour, int Disposal, int Centiseconds)[] frames)
    {
        using var file = new MemoryStream();
        file.Write("GIF89a"u8);
        file.Write([(byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8), 0xf6, 0, 0]);
        for (int i = 0; i < 128; i++) file.Write([(byte)(2 * i), (byte)(255 - 2 * i), (byte)i]);
        foreach (var f in frames)
        {
            file.Write([0x21, 0xf9, 4, (byte)(f.Disposal << 2), (byte)f.Centiseconds, (byte)(f.Centiseconds >> 8), 0, 0]);
            file.Write([0x2c, (byte)f.Left, (byte)(f.Left >> 8), (byte)f.Top, (byte)(f.Top >> 8), (byte)f.Width, (byte)(f.Width >> 8),
                (byte)f.Height, (byte)(f.Height >> 8), 0, 7]);
            // Codes of 8 bits, a clear code before each 100 pixels: the table never grows to 9.
            List<byte> codes = [];
            for (int i = 0; i < f.Width * f.Height; i++)
            {
                if (i % 100 == 0) codes.Add(128);
                codes.Add((byte)f.Colour);
            }
            codes.Add(129);
            foreach (byte[] block in codes.Chunk(255)) file.Write([(byte)block.Length, .. block]);
            file.WriteByte(0);
        }
        file.WriteByte(0x3b);
        return file.ToArray();
    }

    /// <summary>The same JPEG with an EXIF segment.</summary>
    public static byte[] WithOrientation(byte[] jpeg, byte orientation) =>
        [.. jpeg[..2], 0xff, 0xe1, 0, 34, .. "Exif\0\0"u8, .. Exif(orientation), .. jpeg[2..]];

    /// <summary>A TIFF header with the orientation as its only entry.</summary>
    public static byte[] Exif(byte orientation) =>
        [.. "MM\0*\0\0\0\b\0\u0001\u0001\u0012\0\u0003\0\0\0\u0001"u8, 0, orientation, 0, 0, 0, 0, 0, 0];

    public static (byte R, byte G, byte B) GifColour(int index) => ((byte)(2 * index), (byte)(255 - 2 * index), (byte)index);

    public static byte[] Chunk(string type, byte[] data)
    {
        byte[] body = [.. System.Text.Encoding.ASCII.GetBytes(type), .. data];
        byte[] chunk = [0, 0, 0, 0, .. body, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        uint crc = uint.MaxValue;
        foreach (byte b in body)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xedb88320 : crc >> 1;
        }
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(chunk.Length - 4), ~crc);
        return chunk;
    }
}
