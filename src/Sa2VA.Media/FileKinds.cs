namespace Sa2VA.Media;

/// <summary>
/// What the ending of a name promises. The content decides how a file is read; the ending, whether one of a folder is meant as a frame.
/// </summary>
internal static class FileKinds
{
    private static readonly HashSet<string> Frames = Set(".jpg .jpeg .jpe .jfif .jif .jfi .pjpeg .pjp .png .apng .bmp .dib .webp .gif");

    private static readonly HashSet<string> Pictures = Set(
        ".tif .tiff .heic .heics .heif .heifs .hif .avif .avifs .jxl .jp2 .j2k .jpf .jpx .jpm .j2c .jpc .jxr .wdp .hdp .psd .psb .xcf "
        + ".svg .svgz .ico .cur .icns .tga .dds .exr .hdr .pbm .pgm .ppm .pnm .pam .pfm .qoi .pcx .xpm .xbm .eps .sgi .ras .wbmp .flif "
        + ".bpg .jng .dcm .fits .fit .raw .dng .cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .orf .rw2 .raf .pef .srw .x3f .3fr .fff .iiq .kdc "
        + ".dcr .mrw .erf .mef .mos .rwl");

    private static readonly HashSet<string> Videos = Set(
        ".mp4 .m4v .mov .qt .avi .mkv .webm .ts .m2ts .mts .mpg .mpeg .mpe .m1v .m2v .vob .flv .f4v .wmv .asf .3gp .3g2 .ogv .ogg .rm "
        + ".rmvb .mxf .divx .y4m .ivf .h264 .264 .avc .h265 .265 .hevc .gifv .mng .mjpeg .mjpg");

    /// <summary>Endings that editors, copiers and browsers give to what is not, or not yet, the file.</summary>
    private static readonly HashSet<string> Leftovers = Set(".bak .old .orig .tmp .temp .part .partial .crdownload .download .swp");

    /// <summary>The endings that are read, for messages.</summary>
    public static string FrameList => string.Join(' ', Frames.Order(StringComparer.Ordinal));

    public static bool IsFrame(string path) => Frames.Contains(Path.GetExtension(path));

    public static bool IsLeftover(string path) => Leftovers.Contains(Path.GetExtension(path)) || path.EndsWith('~');

    /// <summary>No ending, or only a number, such as of frames that a program counts: the content alone says what it is.</summary>
    public static bool IsNameless(string path) => Path.GetExtension(path.AsSpan()).TrimStart('.').IndexOfAnyExceptInRange('0', '9') < 0;

    /// <summary>What a name says of a picture or video that is not read; null for any other name.</summary>
    public static (ForeignFile.Kind Kind, string Name)? Foreign(string path)
    {
        string ending = Path.GetExtension(path);
        if (Pictures.Contains(ending)) return (ForeignFile.Kind.Picture, $"a {ending} picture by its name");
        return Videos.Contains(ending) ? (ForeignFile.Kind.Video, $"a {ending} video by its name") : null;
    }

    private static HashSet<string> Set(string endings) => new(endings.Split(' '), StringComparer.OrdinalIgnoreCase);
}
