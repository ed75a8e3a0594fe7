using System.Text;
using System.Text.Unicode;

namespace Sa2VA.Media;

/// <summary>Names files that are not read by their first bytes, and says what to do with them.</summary>
internal static class ForeignFile
{
    /// <summary>How many first bytes are looked at.</summary>
    public const int Looked = 1024;

    private const int HeaderBytes = 18;

    /// <summary>What can be done with a file.</summary>
    public enum Kind
    {
        Video,
        Picture,
        Packed,
        Other,
    }

    /// <summary>The place of a signature, its bytes as Latin-1 characters, and what has it.</summary>
    private static readonly (int At, string Bytes, Kind Kind, string Name)[] Signatures =
    [
        (8, "AVI ", Kind.Video, "an AVI video"),
        (0, "FLV\u0001", Kind.Video, "an FLV video"),
        (0, "\u0030\u0026\u00b2\u0075\u008e\u0066\u00cf\u0011", Kind.Video, "a WMV or ASF video"),
        (0, "OggS", Kind.Video, "an Ogg file"),
        (0, ".RMF", Kind.Video, "a RealMedia video"),
        (0, "DKIF", Kind.Video, "an IVF video"),
        (0, "YUV4MPEG2", Kind.Video, "a YUV4MPEG video"),
        (0, "\u0006\u000e\u002b\u0034", Kind.Video, "an MXF video"),
        (0, "\0\0\u0001\u00ba", Kind.Video, "an MPEG video"),
        (0, "\0\0\u0001\u00b3", Kind.Video, "an MPEG video"),
        (0, "\0\0\0\u0001", Kind.Video, "a raw H.264 or H.265 stream"),
        (0, "\0\0\u0001\u0067", Kind.Video, "a raw H.264 stream"),
        (4, "moov", Kind.Video, "a QuickTime video"),
        (4, "mdat", Kind.Video, "a QuickTime video"),
        (4, "wide", Kind.Video, "a QuickTime video"),
        (4, "pnot", Kind.Video, "a QuickTime video"),
        (0, "\u008aMNG", Kind.Video, "an MNG animation"),
        (0, "\u008bJNG", Kind.Picture, "a JNG picture"),
        (8, "CR\u0002", Kind.Picture, "a camera's raw file (CR2)"),
        (0, "II*\0", Kind.Picture, "a TIFF picture or a camera's raw file"),
        (0, "MM\0*", Kind.Picture, "a TIFF picture or a camera's raw file"),
        (0, "II+\0", Kind.Picture, "a BigTIFF picture"),
        (0, "MM\0+", Kind.Picture, "a BigTIFF picture"),
        (0, "IIU\0", Kind.Picture, "a camera's raw file (RW2)"),
        (0, "IIRO", Kind.Picture, "a camera's raw file (ORF)"),
        (0, "IIRS", Kind.Picture, "a camera's raw file (ORF)"),
        (0, "FUJIFILMCCD-RAW", Kind.Picture, "a camera's raw file (RAF)"),
        (0, "\u00ff\n", Kind.Picture, "a JPEG XL picture"),
        (4, "JXL ", Kind.Picture, "a JPEG XL picture"),
        (4, "jP  ", Kind.Picture, "a JPEG 2000 picture"),
        (0, "\u00ff\u004f\u00ff\u0051", Kind.Picture, "a JPEG 2000 picture"),
        (0, "II\u00bc", Kind.Picture, "a JPEG XR picture"),
        (0, "8BPS", Kind.Picture, "a Photoshop picture"),
        (0, "gimp xcf", Kind.Picture, "a GIMP picture"),
        (0, "\0\0\u0001\0", Kind.Picture, "an icon (ICO)"),
        (0, "%PDF", Kind.Picture, "a PDF document"),
        (0, "%!PS", Kind.Picture, "a PostScript document"),
        (0, "\u00c5\u00d0\u00d3\u00c6", Kind.Picture, "an EPS picture"),
        (0, "DDS ", Kind.Picture, "a DDS texture"),
        (0, "\u0076\u002f\u0031\u0001", Kind.Picture, "an OpenEXR picture"),
        (0, "#?RADIANCE", Kind.Picture, "a Radiance HDR picture"),
        (0, "qoif", Kind.Picture, "a QOI picture"),
        (0, "farbfeld", Kind.Picture, "a farbfeld picture"),
        (0, "BPG\u00fb", Kind.Picture, "a BPG picture"),
        (0, "FLIF", Kind.Picture, "a FLIF picture"),
        (0, "AT&TFORM", Kind.Picture, "a DjVu document"),
        (0, "SIMPLE  =", Kind.Picture, "a FITS picture"),
        (128, "DICM", Kind.Picture, "a DICOM picture"),
        (0, "iVBORw0KGgo", Kind.Packed, "a PNG written as base64 text"),
        (0, "/9j/", Kind.Packed, "a JPEG written as base64 text"),
        (0, "data:", Kind.Packed, "a data URL"),
        (0, "PK\u0003\u0004", Kind.Packed, "a ZIP archive"),
        (0, "PK\u0005\u0006", Kind.Packed, "an empty ZIP archive"),
        (0, "\u001f\u008b", Kind.Packed, "a gzip file"),
        (0, "7z\u00bc\u00af", Kind.Packed, "a 7-Zip archive"),
        (0, "Rar!", Kind.Packed, "a RAR archive"),
        (0, "BZh", Kind.Packed, "a bzip2 file"),
        (0, "\u00fd7zXZ", Kind.Packed, "an xz file"),
        (0, "\u0028\u00b5\u002f\u00fd", Kind.Packed, "a Zstandard file"),
        (257, "ustar", Kind.Packed, "a tar archive"),
        (1, "NUMPY", Kind.Other, "a NumPy array"),
        (8, "WAVE", Kind.Other, "a WAVE sound"),
        (0, "ID3", Kind.Other, "an MP3 sound"),
        (0, "\u007f" + "ELF", Kind.Other, "a program"),
    ];

    /// <summary>What is said of a file that is not read: what it is, and what to do.</summary>
    /// <param name="start">Its first bytes, <see cref="Looked"/> of them or all.</param>
    /// <param name="name">Begins the sentence.</param>
    public static string Refusal(ReadOnlySpan<byte> start, string name)
    {
        if (start.Length > Looked) start = start[..Looked];
        if (start.IsEmpty) return $"{name} is empty (0 bytes); copy or download it again.";
        (Kind Kind, string Name)? known = Recognise(start);
        // Names of formats are letters too, which a text might begin with.
        if (known is null or { Kind: Kind.Other } && start.Length < HeaderBytes)
        {
            foreach (string read in (string[])["\u0089PNG\r\n\u001a\n", "\u00ff\u00d8\u00ff", "RIFF", "GIF87a", "GIF89a", "BM"])
            {
                if (Is(start, 0, read[..Math.Min(read.Length, start.Length)])) return Container.CutShort(name, "inside its header").Message;
            }
        }
        if (start.StartsWith("version https://git-lfs"u8)) return $"{name} is a Git LFS pointer, not the file itself; run: git lfs pull";
        if (known is { } format) return Refusal(format.Kind, format.Name, name);
        if (start.IndexOfAnyExcept((byte)0) < 0) return $"{name} holds nothing but zeros; copy or download it again.";
        return $"{name} is not a PNG, JPEG, WebP, GIF or BMP picture, or its header is damaged.";
    }

    /// <summary>The sentence for a known kind of file.</summary>
    public static string Refusal(Kind kind, string what, string name) => kind switch
    {
        // It is read twice, first to be known.
        Kind.Video when File.Exists(name) && FileContent.Start(name).Length == 0 =>
            $"{name} is {what}, which is not read from a pipe; write it to a file and give that.",
        Kind.Video => $"{name} is {what}, which is not read here; give it alone as the video, or a folder of its frames"
            + (File.Exists(name) ? $": {ExtractCommand(name)}" : "."),
        Kind.Picture => $"{name} is {what}, which is not read; convert it to PNG{ConvertCommand(name)}",
        Kind.Packed => $"{name} is {what}, which is not read; unpack it first.",
        _ => $"{name} is {what} and not a picture: give a PNG, JPEG, WebP, GIF or BMP file.",
    };

    /// <summary>The command that makes a folder of pictures of a video.</summary>
    public static string ExtractCommand(string video) => $"mkdir frames && ffmpeg -i {Quoted(video)} frames/%05d.png";

    // What came from a stream is no file that a command could name.
    private static string ConvertCommand(string picture)
    {
        if (!File.Exists(picture)) return ".";
        bool isNamedPng = Path.GetExtension(picture).Equals(".png", StringComparison.OrdinalIgnoreCase);
        return $": magick {Quoted(picture)} {Quoted(Path.ChangeExtension(picture, isNamedPng ? "converted.png" : "png"))}";
    }

    /// <summary>What a file is by its content; null if that is not known or it is read.</summary>
    public static (Kind Kind, string Name)? Recognise(ReadOnlySpan<byte> start)
    {
        if (Is(start, 4, "ftyp")) return BaseMedia(start[8..]);
        foreach ((int at, string bytes, Kind kind, string name) in Signatures)
        {
            if (Is(start, at, bytes)) return (kind, name);
        }
        // A Targa picture has the same first bytes as a cursor, and its size where a cursor has the number of its pictures and a zero.
        if (Is(start, 0, "\0\0\u0002\0"))
            return (Kind.Picture, start.Length > 9 && start[4] != 0 && start[9] == 0 ? "a cursor (CUR)" : "a Targa picture (TGA)");
        if (start.StartsWith((ReadOnlySpan<byte>)[0x1a, 0x45, 0xdf, 0xa3]))
            return (Kind.Video, start.IndexOf("webm"u8) >= 0 ? "a WebM video" : "a Matroska video (MKV)");
        // Transport streams have a sync byte per packet of 188 bytes, with four bytes of time before it on discs.
        if (IsTransport(start, 0, 188) || IsTransport(start, 4, 192)) return (Kind.Video, "an MPEG transport stream");
        if (start.Length > 3 && start[0] == 'P' && start[1] is >= (byte)'1' and <= (byte)'7' && char.IsWhiteSpace((char)start[2]))
            return (Kind.Picture, "a Netpbm picture (PBM, PGM, PPM)");
        return Text(start);
    }

    private static (Kind, string) BaseMedia(ReadOnlySpan<byte> brands)
    {
        string all = Encoding.Latin1.GetString(brands[..Math.Min(brands.Length, 64)]);
        string brand = all.Length >= 4 ? all[..4] : all;
        if (brand is "avif" or "avis" || (brand is "mif1" or "msf1" && all.Contains("avi", StringComparison.Ordinal)))
            return (Kind.Picture, "an AVIF picture");
        if (brand is "heic" or "heix" or "hevc" or "hevx" or "heim" or "heis" or "hevm" or "hevs" or "mif1" or "msf1" or "mif2")
            return (Kind.Picture, "a HEIC picture");
        if (brand is "crx ") return (Kind.Picture, "a camera's raw file (CR3)");
        return (Kind.Video, brand is "qt  " ? "a QuickTime video" : "an MP4 video");
    }

    private static (Kind, string)? Text(ReadOnlySpan<byte> start)
    {
        bool wide = start.StartsWith((ReadOnlySpan<byte>)[0xff, 0xfe]) || start.StartsWith((ReadOnlySpan<byte>)[0xfe, 0xff]);
        string text = wide ? Encoding.Unicode.GetString(start) : Encoding.UTF8.GetString(start);
        text = text.TrimStart('\ufeff').TrimStart();
        if (Begins("<svg") || (Begins("<?xml") && text.Contains("<svg", StringComparison.OrdinalIgnoreCase))
            || (Begins("<!--") && text.Contains("<svg")))
            return (Kind.Picture, "an SVG drawing");
        if (Begins("<!doctype html") || Begins("<html") || Begins("<head") || Begins("<body"))
            return (Kind.Other, "an HTML page, such as a site sends instead of a download");
        if (Begins("<?xml") || Begins("<error")) return (Kind.Other, "an XML file, such as a server sends instead of a download");
        if (Begins("{") || Begins("[")) return IsText(start) ? (Kind.Other, "a JSON or text file") : null;
        return wide || IsText(start) ? (Kind.Other, "a text file") : null;

        bool Begins(string prefix) => text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>UTF-8 without control characters; the last character may be cut.</summary>
    private static bool IsText(ReadOnlySpan<byte> start)
    {
        foreach (byte b in start)
        {
            if (b < 32 && b is not ((byte)'\t' or (byte)'\n' or (byte)'\r' or (byte)'\f')) return false;
        }
        const int longest = 3;
        for (int cut = 0; cut <= Math.Min(longest, start.Length - 1); cut++)
        {
            if (Utf8.IsValid(start[..^cut])) return true;
        }
        return false;
    }

    private static bool IsTransport(ReadOnlySpan<byte> start, int at, int packet) =>
        start.Length > at + 2 * packet && start[at] == 0x47 && start[at + packet] == 0x47 && start[at + 2 * packet] == 0x47;

    private static bool Is(ReadOnlySpan<byte> start, int at, string bytes)
    {
        if (start.Length < at + bytes.Length) return false;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (start[at + i] != bytes[i]) return false;
        }
        return true;
    }

    /// <summary>A path as a shell takes it.</summary>
    private static string Quoted(string path) => path.AsSpan().ContainsAny(" \t'\"$&;()<>|*?[]`\\!#~") ? $"\"{path}\"" : path;
}
