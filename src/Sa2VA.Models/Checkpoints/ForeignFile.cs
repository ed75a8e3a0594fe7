using System.Text;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Names the commonest causes of a checkpoint's file being none: what stands in its place, and how to get the real one.</summary>
internal static class ForeignFile
{
    /// <summary>Bytes of a file's start that suffice to tell.</summary>
    public const int Start = 256;

    private const string Again = "; download the file again, for example with `hf download`";

    private static readonly (byte[] Signature, string What)[] Signatures =
    [
        ([.. "version https://git-lfs.github.com/"u8], "is a Git LFS pointer, not the file itself; run `git lfs pull` in its folder"),
        ([.. "GGUF"u8], "is a GGUF file of llama.cpp, which is not read" + Safetensors),
        ([0x50, 0x4B, 0x03, 0x04], "is a zip archive, perhaps a pickled PyTorch file under another name; unpack it, or" + Safetensors[1..]),
        ([0x89, 0x50, 0x4E, 0x47], "is a PNG picture; check its path"),
        ([0xFF, 0xD8, 0xFF], "is a JPEG picture; check its path"),
        ([.. "GIF8"u8], "is a GIF picture; check its path"),
        ([.. "RIFF"u8], "is a WebP picture or another RIFF file; check its path"),
        ([0x50, 0x4B, 0x05, 0x06], "is an empty zip archive" + Again),
        ([0x1F, 0x8B], "is a gzip archive; unpack it"),
        ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "is an xz archive; unpack it"),
        ([0x28, 0xB5, 0x2F, 0xFD], "is a zstd archive; unpack it"),
        ([0x37, 0x7A, 0xBC, 0xAF], "is a 7z archive; unpack it"),
        ([.. "Rar!"u8], "is a RAR archive; unpack it"),
        ([0x89, 0x48, 0x44, 0x46], "is an HDF5 file, which is not read" + Safetensors),
        ([0x80, 0x02], "is a pickled file, which can run code when read and is refused" + Safetensors),
        ([0x80, 0x04], "is a pickled file, which can run code when read and is refused" + Safetensors),
        ([0xFF, 0xFE], "is UTF-16 text; save it as UTF-8"),
        ([0xFE, 0xFF], "is UTF-16 text; save it as UTF-8"),
        ([0, 0, 0, 0, 0, 0, 0, 0], "begins with zeros, as a download does that has not finished" + Again),
    ];

    private static readonly string[] Pages = ["<!doctype", "<html", "<head", "<?xml", "<error", "<!--"];

    // Written beside a file, or in its place, while it is being downloaded.
    private static readonly string[] Unfinished =
        [".aria2", ".part", ".partial", ".incomplete", ".crdownload", ".download", ".opdownload", ".filepart", ".tmp"];

    private const string Safetensors = "; get the checkpoint's safetensors, or convert it with save_pretrained(…, safe_serialization=True)";

    /// <summary>What a file is instead, from its first bytes; null when it may be what it should be.</summary>
    public static string? Describe(ReadOnlySpan<byte> start)
    {
        if (start.IsEmpty) return "is empty (0 bytes)" + Again;
        foreach ((byte[] signature, string what) in Signatures)
            if (start.StartsWith(signature)) return what;
        ReadOnlySpan<byte> text = start.StartsWith("\uFEFF"u8) ? start[3..] : start;
        string begin = Encoding.Latin1.GetString(text.TrimStart(" \t\r\n"u8)[..Math.Min(16, text.TrimStart(" \t\r\n"u8).Length)]);
        foreach (string page in Pages)
            if (begin.StartsWith(page, StringComparison.OrdinalIgnoreCase))
                return "is a web page, such as a login or error page saved under this name" + Again;
        return null;
    }

    /// <summary>The same for weights, which are no text; the text may be a server's error message.</summary>
    public static string? DescribeWeights(ReadOnlySpan<byte> start)
    {
        // A length field may look like a signature, but no signature is followed by a header.
        if (start.Length > 8 && start[8] == '{' && start[4..8].IndexOfAnyExcept((byte)0) < 0) return null;
        if (Describe(start) is { } known) return known;
        foreach (byte b in start)
            if (b is < 0x20 and not (0x09 or 0x0A or 0x0D) or > 0x7E) return null;
        string begin = Encoding.Latin1.GetString(start[..Math.Min(60, start.Length)]).ReplaceLineEndings(" ");
        return $"is a text that begins with \"{begin}\"" + Again;
    }

    /// <summary>The unfinished download of a file that stands beside it, or null.</summary>
    public static string? UnfinishedDownload(string path)
    {
        foreach (string suffix in Unfinished)
            if (File.Exists(path + suffix)) return path + suffix;
        // Where `hf download --local-dir` keeps what it has so far.
        string folder = Path.Combine(Path.GetDirectoryName(path) ?? "", ".cache", "huggingface", "download");
        return Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder, Path.GetFileName(path) + ".*.incomplete").Order().FirstOrDefault()
            : null;
    }

    /// <summary>The error that a file of a checkpoint is not there.</summary>
    public static CheckpointException Missing(string path, Exception? inner = null)
    {
        if (UnfinishedDownload(path) is { } part)
            return new CheckpointException(
                $"'{path}' is missing, but '{part}' shows that its download has not finished; download it again to the end.", inner);
        if (HubSnapshot.Of(Path.GetDirectoryName(path)!) is { } snapshot)
            return new CheckpointException($"'{path}' is missing; {snapshot.Completion}", inner);
        if (new FileInfo(path).LinkTarget is { } target)
            return new CheckpointException($"'{path}' is a link to '{target}', which is not there; download the checkpoint again.", inner);
        return new CheckpointException($"'{path}' is missing; download it from where the checkpoint came from into the same folder.",
            inner);
    }
}
