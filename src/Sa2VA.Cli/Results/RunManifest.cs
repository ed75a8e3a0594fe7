using System.Text.Json;
using System.Text.RegularExpressions;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Results;

/// <summary>What a run was asked.</summary>
internal sealed record RunDescription
{
    /// <summary>The command.</summary>
    public required string Command { get; init; }

    /// <summary>The checkpoint's folder as given.</summary>
    public required string Model { get; init; }

    /// <summary>The image or video as given.</summary>
    public required string Source { get; init; }

    /// <summary>The questions, in order.</summary>
    public required IReadOnlyList<string> Prompts { get; init; }

    /// <summary>What was shown by clicks and a box, as on a command line; null for nothing.</summary>
    public string? Shown { get; init; }
}

/// <summary>
/// <c>sa2va-run.json</c> in a result folder: what the run was asked, and the files that it wrote. A run that overwrites it replaces these
/// files and no others. Without a list nothing in a folder is a run's, whatever it is called.
/// </summary>
internal static partial class RunManifest
{
    /// <summary>Its name in the result folder.</summary>
    public const string FileName = "sa2va-run.json";

    private const long MaxBytes = 1 << 28;

    /// <summary>Names are compared as the file system compares them.</summary>
    public static StringComparer Names { get; } = OperatingSystem.IsLinux() ? StringComparer.Ordinal : StringComparer.OrdinalIgnoreCase;

    /// <summary>True if a folder holds a run.</summary>
    public static bool Exists(string folder) => Path.Exists(Path.Combine(folder, FileName));

    /// <summary>The files of the run that a folder holds, relative, with / between folders; empty if there is none.</summary>
    /// <exception cref="UsageException">The list cannot be read, or it names files that no run writes.</exception>
    public static HashSet<string> FilesOf(string folder)
    {
        if (!Exists(folder)) return new HashSet<string>(Names);
        string path = Path.Combine(folder, FileName);
        try
        {
            if (new FileInfo(path).Length > MaxBytes) throw NoList("it is too large");
            using JsonDocument document = JsonDocument.Parse(RegularFile.ReadAllBytes(path));
            if (document.RootElement is not { ValueKind: JsonValueKind.Object } root || !root.TryGetProperty("files", out JsonElement list)
                || list.ValueKind != JsonValueKind.Array)
                throw NoList("it has no list called files");
            var files = new HashSet<string>(Names);
            foreach (JsonElement file in list.EnumerateArray())
            {
                string name = file.ValueKind == JsonValueKind.String ? file.GetString()! : throw NoList("it lists what is no name");
                // Whoever edits the list must not make a run delete other things.
                if (!Written().IsMatch(name) || Array.Exists(name.Split('/'), IsNoName)) throw NoList($"it lists {Quoted.Of(name)}");
                files.Add(name);
            }
            return files;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw NoList("it is not valid JSON", e);
        }
        catch (Exception e) when (FileTrouble.Is(e))
        {
            throw NoList("it cannot be read: " + FileTrouble.Cause(e), e);
        }

        UsageException NoList(string why, Exception? e = null) =>
            new($"{Quoted.Of(path)} is no list that a run of sa2va has written: {why}; "
            + "move it away, or give another folder with --out.", e);
    }

    /// <summary>Writes the list.</summary>
    /// <param name="folder">Result folder.</param>
    /// <param name="run">What was asked.</param>
    /// <param name="files">The files, relative.</param>
    /// <param name="complete">False while a run takes the place of another one.</param>
    public static void Write(string folder, RunDescription run, IEnumerable<string> files, bool complete)
    {
        using var file = new AtomicFile(Path.Combine(folder, FileName));
        using (var json = new Utf8JsonWriter(file.Stream, new JsonWriterOptions { Indented = true, Encoder = JsonLines.Encoder }))
        {
            json.WriteStartObject();
            json.WriteString("command", run.Command);
            json.WriteString("model", run.Model);
            json.WriteString("source", run.Source);
            json.WriteStartArray("prompts");
            foreach (string prompt in run.Prompts) json.WriteStringValue(prompt);
            json.WriteEndArray();
            if (run.Shown is { } shown) json.WriteString("shown", shown);
            json.WriteBoolean("complete", complete);
            json.WriteStartArray("files");
            foreach (string name in files.Order(StringComparer.Ordinal)) json.WriteStringValue(name);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        file.Commit();
    }

    private static bool IsNoName(string part) => part is "." or ".." || part.IndexOfAny(Path.GetInvalidFileNameChars()) >= 0;

    [GeneratedRegex(@"^([^/\0]+/)?((masks|soft|cutouts)/object-[0-9]+/[^/\0]+\.png|(overlays|davis)/[^/\0]+\.png)\z"
        + @"|^([^/\0]+/)?overlay\.(webp|mp4|webm)\z|^(coco|youtube-vos|polygons)\.json\z")]
    private static partial Regex Written();
}

/// <summary>Files below a folder.</summary>
internal static class ResultFiles
{
    /// <summary>All of them, relative, with / between folders; links to folders are not followed.</summary>
    public static IEnumerable<string> In(string folder)
    {
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
        foreach (string file in Directory.EnumerateFiles(folder, "*", options))
            yield return Path.GetRelativePath(folder, file).Replace(Path.DirectorySeparatorChar, '/');
    }
}
