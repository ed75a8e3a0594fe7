using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Media;

/// <summary>An installed ffmpeg.</summary>
/// <param name="Path">The program.</param>
/// <param name="Major">First number of its version; of one without numbers, such as a build of the day, the newest that is known.</param>
/// <param name="Minor">Second number.</param>
internal sealed partial record FfmpegProgram(string Path, int Major, int Minor)
{
    /// <summary>The environment variable that names the program.</summary>
    public const string Variable = "SA2VA_FFMPEG";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Finds the program and asks for its version.</summary>
    /// <param name="path">The program; null for what <see cref="Variable"/> names, else the first one on the path.</param>
    /// <param name="input">What is to be read.</param>
    /// <exception cref="MediaException">
    /// There is none, or it is no ffmpeg; the message has the commands that install one or convert without one.
    /// </exception>
    public static FfmpegProgram Find(string? path, FfmpegInput input) =>
        Find(path, $"{input.Name} is {(input.Format.Length > 0 ? $"{input.Format}, which is " : "")}read through ffmpeg",
            input.Kind != FfmpegInput.Source.File ? ""
                : ", or make a folder of its frames elsewhere: " + ForeignFile.ExtractCommand(input.Name));

    /// <summary>Finds the program for a video that is to be written.</summary>
    /// <param name="path">As for <see cref="Find(string?, FfmpegInput)"/>.</param>
    /// <param name="file">The video.</param>
    /// <exception cref="MediaException">As for <see cref="Find(string?, FfmpegInput)"/>.</exception>
    public static FfmpegProgram FindWriter(string? path, string file) =>
        Find(path, $"{file} is written through ffmpeg", ", or write an animated WebP");

    private static FfmpegProgram Find(string? path, string need, string otherwise)
    {
        string? named = path ?? (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } set ? set : null);
        string program = named ?? OnPath("ffmpeg")
            ?? throw new MediaException($"{need}, and there is none on this machine; install it: {InstallCommand}{otherwise}");
        if (!File.Exists(program))
            throw new MediaException($"{need}, and there is no program {program}; name another, install one: {InstallCommand}{otherwise}");
        // A batch file would hand arguments to a shell.
        if (OperatingSystem.IsWindows() && !program.EndsWith(".exe", StringComparison.OrdinalIgnoreCase))
            throw new MediaException($"{program} is no ffmpeg.exe; name one.");
        return Version().Match(FirstLine(program)) is { Success: true } version
            ? new FfmpegProgram(program, Number(version, "major", 99), Number(version, "minor", 0))
            : throw new MediaException($"{program} does not answer as ffmpeg does; name another one, or install it: {InstallCommand}");
    }

    /// <summary>Every frame once, at its own time: neither repeated nor dropped for an even rate.</summary>
    public IEnumerable<string> EveryFrameOnce => [Major > 5 || (Major == 5 && Minor >= 1) ? "-fps_mode" : "-vsync", "passthrough"];

    /// <summary>The command that installs it here.</summary>
    private static string InstallCommand =>
        OperatingSystem.IsWindows() ? "winget install ffmpeg"
        : OperatingSystem.IsMacOS() ? "brew install ffmpeg"
        : OnPath("apt-get") is not null ? "sudo apt-get install ffmpeg"
        : OnPath("dnf") is not null ? "sudo dnf install ffmpeg-free"
        : OnPath("pacman") is not null ? "sudo pacman -S ffmpeg"
        : OnPath("zypper") is not null ? "sudo zypper install ffmpeg"
        : OnPath("apk") is not null ? "apk add ffmpeg"
        : "https://ffmpeg.org/download.html";

    /// <summary>A program in one of the folders of the path; never one of the current folder, where anybody's files may lie.</summary>
    private static string? OnPath(string name)
    {
        string file = OperatingSystem.IsWindows() ? name + ".exe" : name;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(System.IO.Path.PathSeparator)
            .Where(System.IO.Path.IsPathFullyQualified).Select(folder => System.IO.Path.Combine(folder, file)).FirstOrDefault(File.Exists);
    }

    private static string FirstLine(string program)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, ["-version"])
            {
                RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, CreateNoWindow = true,
            })!;
            process.StandardInput.Close();
            using var late = new Timer(_ => process.Kill(entireProcessTree: true), null, Patience, Timeout.InfiniteTimeSpan);
            string first = process.StandardOutput.ReadLine() ?? "";
            // What is not read would keep it from ending.
            process.StandardOutput.Close();
            process.WaitForExit();
            return first;
        }
        catch (Exception e) when (e is Win32Exception or IOException or UnauthorizedAccessException)
        {
            throw new MediaException($"{program} cannot be run: {e.Message.TrimEnd('.')}; name another ffmpeg, "
                + $"or install it: {InstallCommand}", e);
        }
    }

    private static int Number(Match version, string group, int otherwise) =>
        int.TryParse(version.Groups[group].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : otherwise;

    [GeneratedRegex(@"^ffmpeg version (n?(?<major>[0-9]{1,4})\.(?<minor>[0-9]{1,4}))?")]
    private static partial Regex Version();
}
