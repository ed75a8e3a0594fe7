using Sa2VA.Core;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>
/// JPEG: segments with a marker in front; entropy-coded data follows each start of scan, up to the next marker that is no restart.
/// </summary>
internal static class JpegContainer
{
    private const byte Fill = 0xff, Stuffed = 0x00, Temporary = 0x01, FirstRestart = 0xd0, Start = 0xd8, End = 0xd9, Scan = 0xda,
        Progressive = 0xc2, ArithmeticProgressive = 0xca, Tables = 0xc4, Restarts = 0xdd, Application1 = 0xe1;

    /// <summary>Each costs a pass over all blocks, however few bytes it has; encoders write about ten.</summary>
    private const int MaxScans = 500;

    public static Container Walk(ReadOnlySpan<byte> bytes, string name)
    {
        bool progressive = false, partial = false, frame = false;
        int components = 0, scans = 0;
        SKEncodedOrigin? origin = null;
        var entropy = new JpegEntropy();
        for (int at = 2; ;)
        {
            // Fill bytes and what damaged writers leave between segments are passed over, as the decoder does.
            int marker = NextMarker(bytes, at);
            if (marker < 0) break;
            byte kind = bytes[marker];
            at = marker + 1;
            if (kind == End)
            {
                if (scans > 0 && !entropy.IsComplete) throw Container.CutShort(name, "before its last scan");
                return Whole(frame && scans > 0, origin, name);
            }
            if (kind is Temporary or (>= FirstRestart and <= Start)) continue;
            if (at + 2 > bytes.Length) break;
            int length = bytes[at] << 8 | bytes[at + 1];
            if (length < 2) throw new MediaException($"{name} has a segment of impossible length; the file is damaged.");
            if (at + length > bytes.Length) break;
            ReadOnlySpan<byte> segment = bytes.Slice(at + 2, length - 2);
            // Frame headers are C0…CF without the tables C4, C8 and CC.
            if (kind is >= 0xc0 and <= 0xcf and not (0xc4 or 0xc8 or 0xcc) && length >= 8)
            {
                if (Unread(kind, segment) is { } what)
                    throw new MediaException($"{name} is {what} JPEG, which is not read; convert it to a common JPEG, or to PNG.");
                PixelSize.Check(bytes[at + 5] << 8 | bytes[at + 6], bytes[at + 3] << 8 | bytes[at + 4], name);
                frame = true;
                progressive = kind is Progressive or ArithmeticProgressive;
                components = bytes[at + 7];
                entropy.Frame(kind, segment);
            }
            else if (kind == Scan)
            {
                if (++scans > MaxScans)
                    throw new MediaException($"{name} has more than {MaxScans} scans; the file is damaged or made to waste time.");
                partial |= length < 3 || bytes[at + 2] < components;
                // Coefficients are kept from scan to scan.
                if (progressive || partial) EncodedImage.CheckWork(entropy.Work, bytes.Length, name);
                if (entropy.BreaksOff(segment, bytes[(at + length)..])) throw Container.CutShort(name, "before its last pixel");
            }
            else if (kind == Tables) entropy.Tables(segment);
            else if (kind == Restarts) entropy.Restarts(segment);
            else if (kind == Application1 && segment.StartsWith("Exif\0\0"u8)) origin ??= Exif.Orientation(segment);
            at += length;
        }
        // The decoder feels the end of a single scan by itself, and one that lost nothing but its end marker is whole. Of several scans it
        // would show what the first ones gave.
        if (progressive || partial || scans == 0) throw Container.CutShort(name, "before its end marker");
        return Whole(frame, origin, name);
    }

    /// <summary>As <see cref="Container.Ends"/>.</summary>
    public static bool Ends(ReadOnlySpan<byte> bytes, ref long at)
    {
        for (at = Math.Max(at, 2); at < bytes.Length;)
        {
            int marker = NextMarker(bytes, (int)at);
            if (marker < 0)
            {
                at = bytes.Length - (bytes[^1] == Fill ? 1 : 0);
                return false;
            }
            at = marker - 1;
            byte kind = bytes[marker];
            if (kind == End) return true;
            int length = 0;
            if (kind is not (Temporary or (>= FirstRestart and <= Start)))
            {
                if (marker + 2 >= bytes.Length) return false;
                length = bytes[marker + 1] << 8 | bytes[marker + 2];
                if (marker + 1 + length > bytes.Length) return false;
            }
            at = marker + 1 + length;
        }
        return false;
    }

    /// <summary>What sort of JPEG the decoder does not read; null for one that it does.</summary>
    private static string? Unread(byte kind, ReadOnlySpan<byte> frame) => kind switch
    {
        0xc3 or 0xc7 or 0xcb or 0xcf => "a lossless",
        0xc5 or 0xc6 or 0xcd or 0xce => "a hierarchical",
        _ => frame[0] == 8 ? null : $"a {frame[0]}-bit",
    };

    /// <summary>Where the next marker's second byte lies, or −1. Inside entropy-coded data stuffed zeros and restarts are none.</summary>
    private static int NextMarker(ReadOnlySpan<byte> bytes, int at)
    {
        while (true)
        {
            int found = at < bytes.Length ? bytes[at..].IndexOf(Fill) : -1;
            if (found < 0) return -1;
            at += found;
            while (at < bytes.Length && bytes[at] == Fill) at++;
            if (at == bytes.Length) return -1;
            if (bytes[at] is not (Stuffed or (>= FirstRestart and < Start))) return at;
        }
    }

    private static Container Whole(bool picture, SKEncodedOrigin? origin, string name) => picture
        ? new Container(PictureFormat.Jpeg, 1, 1, origin ?? SKEncodedOrigin.Default)
        : throw new MediaException($"{name} holds no picture between its markers; the file is damaged.");
}
