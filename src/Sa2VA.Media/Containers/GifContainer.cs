using Sa2VA.Core;

namespace Sa2VA.Media;

/// <summary>
/// GIF: a canvas, then extensions and frames made of sub-blocks, then a trailer. Without walking to it a cut file is a shorter animation.
/// </summary>
internal static class GifContainer
{
    private const byte Extension = 0x21, Frame = 0x2c, Trailer = 0x3b;
    private const int HeaderBytes = 13, FrameBytes = 10, ColourTable = 0x80;

    public static Container Walk(ReadOnlySpan<byte> bytes, string name)
    {
        int frames = 0, at = HeaderBytes;
        if (bytes.Length >= HeaderBytes) at += TableBytes(bytes[10]);
        while (true)
        {
            if (at >= bytes.Length)
                throw Container.CutShort(name, $"after {frames} {(frames == 1 ? "frame" : "frames")}, before its end mark");
            switch (bytes[at])
            {
                case Trailer:
                    return frames > 0 ? new Container(PictureFormat.Gif, frames, frames)
                        : throw new MediaException($"{name} holds no frame.");
                case Extension:
                    at = SkipBlocks(bytes, at + 2);
                    break;
                case Frame:
                    if (at + FrameBytes >= bytes.Length) throw Container.CutShort(name, $"inside frame {frames}");
                    if (++frames > Container.MaxFrames)
                        throw Container.TooManyFrames(name);
                    at = SkipBlocks(bytes, at + FrameBytes + TableBytes(bytes[at + FrameBytes - 1]) + 1);
                    if (at > bytes.Length) throw Container.CutShort(name, $"inside frame {frames - 1}");
                    break;
                default:
                    throw new MediaException($"{name} has a block of unknown kind 0x{bytes[at]:x2} after {frames} frames; "
                        + "the file is damaged.");
            }
        }
    }

    /// <summary>As <see cref="Container.Ends"/>.</summary>
    public static bool Ends(ReadOnlySpan<byte> bytes, ref long at)
    {
        if (bytes.Length < HeaderBytes) return false;
        at = Math.Max(at, HeaderBytes + TableBytes(bytes[10]));
        while (at < bytes.Length)
        {
            int block = (int)at, next;
            if (bytes[block] == Extension) next = SkipBlocks(bytes, block + 2);
            else if (bytes[block] != Frame) return true;
            else if (block + FrameBytes >= bytes.Length) return false;
            else next = SkipBlocks(bytes, block + FrameBytes + TableBytes(bytes[block + FrameBytes - 1]) + 1);
            if (next > bytes.Length) return false;
            at = next;
        }
        return false;
    }

    private static int TableBytes(byte flags) => (flags & ColourTable) == 0 ? 0 : 3 << ((flags & 7) + 1);

    /// <summary>Passes over sub-blocks and their terminator; beyond the end of the file if it is not there.</summary>
    private static int SkipBlocks(ReadOnlySpan<byte> bytes, int at)
    {
        while (at < bytes.Length && bytes[at] != 0) at += bytes[at] + 1;
        return at + 1;
    }
}
