using Sa2VA.Core;
using SkiaSharp;

namespace Sa2VA.Media;

/// <summary>
/// JPEG: segments with a marker in front; entropy-coded data follows each start of scan, up to the next marker that is no restart.
/// </summary>
internal static class JpegContainer
{
    private const byte Fill = 0xff, Stuffed = 0x00, Temporary = 0x01, FirstRestart = 0xd0, Start = 0xd8, End = 0xd9, Scan = 0xda,
        Tables = 0xc4, Restarts = 0xdd, Application1 = 0xe1;

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
            if (kind == End) return Whole(frame && scans > 0, origin, name);
            if (kind is Temporary or (>= FirstRestart and <= Start)) continue;
            if (at + 2 > bytes.Length) break;
            int length = bytes[at] << 8 | bytes[at + 1];
            if (length < 2) throw new MediaException($"{name} has a segment of impossible length; the file is damaged.");
            if (at + length > bytes.Length) break;
            ReadOnlySpan<byte> segment = bytes.Slice(at + 2, length - 2);
            // Frame headers are C0…CF without the tables C4, C8 and CC.
            if (kind is >= 0xc0 and <= 0xcf and not (0xc4 or 0xc8 or 0xcc) && length >= 8)
            {
                frame = true;
                progressive = kind is 0xc2 or 0xc6 or 0xca or 0xce;
                components = bytes[at + 7];
                entropy.Frame(kind, segment);
            }
            else if (kind == Scan)
            {
                if (++scans > MaxScans)
                    throw new MediaException($"{name} has more than {MaxScans} scans; the file is damaged or made to waste time.");
                partial |= length < 3 || bytes[at + 2] < components;
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
