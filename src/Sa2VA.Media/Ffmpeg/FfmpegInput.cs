using System.Globalization;
using Sa2VA.Core;

namespace Sa2VA.Media;

/// <summary>What ffmpeg reads: a file, an address or a camera, and the arguments that say so.</summary>
/// <param name="Name">What messages call it: as it was given, but for a password.</param>
/// <param name="ShortName">The name of the file, without folder or server.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Address">What ffmpeg is given.</param>
/// <param name="Format">What a file is by its content, such as "an MP4 video"; empty for all else.</param>
internal sealed record FfmpegInput(string Name, string ShortName, FfmpegInput.Source Kind, string Address, string Format = "")
{
    private const string CameraPrefix = "camera", DeviceFolder = "/dev/video";

    /// <summary>
    /// The protocols that an address of each kind may lead on to: a playlist on a server must not read this machine's files.
    /// </summary>
    private static readonly Dictionary<string, string> Protocols = new(StringComparer.OrdinalIgnoreCase)
    {
        ["http"] = "http,https,tcp,tls,crypto,data", ["https"] = "http,https,tcp,tls,crypto,data",
        ["rtsp"] = "rtsp,rtp,srtp,udp,tcp,tls", ["rtsps"] = "rtsp,rtsps,rtp,srtp,udp,tcp,tls",
        ["rtmp"] = "rtmp,tcp", ["rtmps"] = "rtmps,rtmp,tcp,tls",
        ["srt"] = "srt", ["udp"] = "udp", ["rtp"] = "rtp,srtp,udp", ["tcp"] = "tcp",
    };

    /// <summary>What an input is.</summary>
    public enum Source
    {
        /// <summary>A file on disk.</summary>
        File,

        /// <summary>A file on a web server, or a stream as one.</summary>
        Web,

        /// <summary>A stream that is sent as it happens.</summary>
        Stream,

        /// <summary>A camera of this machine.</summary>
        Camera,
    }

    /// <summary>Whether a text names an address or a camera and no file or folder.</summary>
    public static bool IsAddress(string source) =>
        SchemeOf(source) is not null || source == CameraPrefix || source.StartsWith(CameraPrefix + ":", StringComparison.Ordinal)
        || (OperatingSystem.IsLinux() && source.StartsWith(DeviceFolder, StringComparison.Ordinal));

    /// <summary>Reads what a user gave.</summary>
    /// <param name="source">A file, an address such as rtsp://…, or camera[:NUMBER|NAME].</param>
    /// <exception cref="MediaException">
    /// It is an address of a kind that is not read, names no camera, or is no video by its content: a list of other files would make ffmpeg
    /// read whatever it names.
    /// </exception>
    public static FfmpegInput Of(string source)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        if (SchemeOf(source) is { } scheme) return OfAddress(source, scheme);
        if (IsAddress(source)) return OfCamera(source);
        return new FfmpegInput(source, Path.GetFileName(source), Source.File, "file:" + Path.GetFullPath(source), FormatOf(source));
    }

    /// <summary>Whether it gives frames as they happen, so that nothing can be read twice.</summary>
    public bool IsLive => Kind is Source.Stream or Source.Camera;

    /// <summary>How long a frame may keep one waiting.</summary>
    public TimeSpan Patience => TimeSpan.FromSeconds(Kind == Source.File ? 120 : 20);

    /// <summary>The arguments up to the input itself. None of them is read by a shell, and no name is taken for an option.</summary>
    /// <param name="program">Which ffmpeg.</param>
    /// <param name="patience">After which it is to give up a silent server by itself.</param>
    public IEnumerable<string> Arguments(FfmpegProgram program, TimeSpan patience)
    {
        if (IsLive) foreach (string option in (string[])["-fflags", "nobuffer", "-flags", "low_delay"]) yield return option;
        foreach (string option in Kind switch
        {
            Source.File => ["-protocol_whitelist", "file"],
            Source.Camera when OperatingSystem.IsWindows() => (string[])["-f", "dshow"],
            // Cameras of a Mac refuse the rate that ffmpeg asks for by itself.
            Source.Camera when OperatingSystem.IsMacOS() => ["-f", "avfoundation", "-framerate", "30"],
            Source.Camera => ["-f", "v4l2"],
            _ => ["-protocol_whitelist", Protocols[SchemeOf(Address)!], .. Silence(program, patience)],
        }) yield return option;
        yield return "-i";
        yield return Address;
    }

    /// <summary>Should this process die, ffmpeg is ended by the first frame that it cannot deliver, or by this where none comes.</summary>
    private IEnumerable<string> Silence(FfmpegProgram program, TimeSpan patience)
    {
        string microseconds = ((long)patience.TotalMicroseconds).ToString(CultureInfo.InvariantCulture);
        return SchemeOf(Address)!.ToLowerInvariant() switch
        {
            "http" or "https" or "tcp" or "rtmp" or "rtmps" => ["-rw_timeout", microseconds],
            "rtsp" or "rtsps" => ["-rtsp_flags", "prefer_tcp", program.Major >= 5 ? "-timeout" : "-stimeout", microseconds],
            "udp" => ["-timeout", microseconds],
            _ => [],
        };
    }

    private static string FormatOf(string path)
    {
        byte[] start = FileContent.Start(path);
        // Reading says why nothing can be read.
        if (start.Length == 0) FileContent.Read(path);
        if (ForeignFile.Recognise(start) is { Kind: ForeignFile.Kind.Video } video) return video.Name;
        return Container.FormatOf(start) is { } format ? $"a {format.Words()} file"
            : throw new MediaException(ForeignFile.Refusal(start, path));
    }

    /// <summary>What stands before "://"; of one letter it is a drive.</summary>
    private static string? SchemeOf(string source)
    {
        int end = source.IndexOf("://", StringComparison.Ordinal);
        return end > 1 && source.AsSpan(0, end).ToString().All(c => char.IsAsciiLetterOrDigit(c) || c is '+' or '.' or '-')
            ? source[..end] : null;
    }

    private static FfmpegInput OfAddress(string source, string scheme)
    {
        if (!Protocols.ContainsKey(scheme))
            throw new MediaException($"An address that begins with {scheme}:// is not read; give one of "
                + $"{string.Join(", ", Protocols.Keys)}, or a file.");
        if (!Uri.TryCreate(source, UriKind.Absolute, out Uri? uri) || uri.Host.Length == 0)
            throw new MediaException($"{source} is no address: it names no server.");
        int server = uri.UserInfo.Length == 0 ? 0 : source.IndexOf('@', StringComparison.Ordinal) + 1;
        string file = Path.GetFileName(uri.AbsolutePath), name = server == 0 ? source : $"{scheme}://{source[server..]}";
        Source kind = scheme.StartsWith("http", StringComparison.OrdinalIgnoreCase) ? Source.Web : Source.Stream;
        return new FfmpegInput(name, file.Length > 0 ? file : uri.Host, kind, source);
    }

    private static FfmpegInput OfCamera(string source)
    {
        string which = source.StartsWith(CameraPrefix, StringComparison.Ordinal) ? source[CameraPrefix.Length..].TrimStart(':') : source;
        if (which.Length == 0) which = "0";
        bool isNumber = which.AsSpan().IndexOfAnyExceptInRange('0', '9') < 0;
        string address;
        if (OperatingSystem.IsWindows())
            address = isNumber
                ? throw new MediaException($"{source} names no camera: Windows knows them by names, such as \"camera:Integrated Camera\"; "
                    + "ffmpeg lists them: ffmpeg -list_devices true -f dshow -i dummy")
                : $"video={which}";
        else if (OperatingSystem.IsMacOS())
            address = !which.Contains(':') ? $"{which}:none"
                : throw new MediaException($"{source} names no camera; give its number, such as camera:0.");
        else
            address = isNumber ? DeviceFolder + which
                : which.StartsWith("/dev/", StringComparison.Ordinal) ? which
                : throw new MediaException($"{source} names no camera; give its number or device, such as camera:0 or {DeviceFolder}0.");
        return new FfmpegInput(source, source, Source.Camera, address);
    }
}
