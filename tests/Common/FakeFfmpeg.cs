using System.Diagnostics;
using System.Globalization;

namespace Sa2VA.Tests;

/// <summary>A stand-in for ffmpeg, so that what is done with it is tested on machines without one (tests/Common/fake-ffmpeg).</summary>
internal static class FakeFfmpeg
{
    /// <summary>The program; a shell script.</summary>
    public static string Program { get; } = Path.Combine(Fixtures.Repository, "tests", "Common", "fake-ffmpeg");

    /// <summary>Whether it can run here.</summary>
    public static bool Runs => !OperatingSystem.IsWindows();

    /// <summary>The ffmpeg of this machine; null if there is none.</summary>
    public static string? Real { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? "ffmpeg.exe" : "ffmpeg")).FirstOrDefault(File.Exists);

    /// <summary>Makes what looks like a video, and what the program says of it.</summary>
    /// <returns>The path.</returns>
    public static string Clip(ScratchFolder folder, string name, string script)
    {
        string path = folder.At(name);
        File.WriteAllBytes(path, [0, 0, 0, 28, .. "ftypisom\0\0\u0002\0isomiso2mp41"u8]);
        File.WriteAllText(path + ".sh", script.ReplaceLineEndings("\n"));
        return path;
    }

    /// <summary>Says what the program does when a video is to be written; "$output" is where.</summary>
    /// <returns>The path.</returns>
    public static string Target(ScratchFolder folder, string name, string script)
    {
        string path = folder.At(name);
        File.WriteAllText(path + ".sh", script.ReplaceLineEndings("\n"));
        return path;
    }

    /// <summary>The arguments of its last run.</summary>
    public static string[] Arguments(string clip) => File.ReadAllLines(clip + ".args");

    /// <summary>Waits until its last run has ended, and says whether it has.</summary>
    public static async Task<bool> HasEndedAsync(string clip, CancellationToken cancellation)
    {
        int id = int.Parse(await File.ReadAllTextAsync(clip + ".pid", cancellation), CultureInfo.InvariantCulture);
        for (int i = 0; i < 200; i++)
        {
            if (!IsRunning(id)) return true;
            await Task.Delay(50, cancellation);
        }
        return false;
    }

    private static bool IsRunning(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return !process.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
