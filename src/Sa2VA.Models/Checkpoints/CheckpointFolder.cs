using System.Text.RegularExpressions;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>Checks that a path is a checkpoint's folder; where it is one close by, says which.</summary>
internal static partial class CheckpointFolder
{
    public const string ConfigFile = "config.json";

    /// <summary>Throws unless the folder exists.</summary>
    public static void Check(string folder)
    {
        if (Directory.Exists(folder)) return;
        if (File.Exists(folder))
        {
            string? parent = Path.GetDirectoryName(Path.GetFullPath(folder));
            string what = Path.GetExtension(folder) is ".safetensors" or ".json" or ".model" or ".txt" && parent is not null
                ? $"give the folder that it is in, '{parent}'"
                : ForeignKind(folder) ?? "give the folder of a downloaded checkpoint";
            throw new CheckpointException($"'{folder}' is a file; {what}.");
        }
        Match name = RepositoryName().Match(folder);
        throw new CheckpointException(name.Success
            ? $"There is no folder '{folder}'; download the checkpoint first: hf download {name.Groups[1].Value} --local-dir "
                + $"{name.Groups[2].Value}"
            : $"There is no folder '{folder}'; give the folder of a downloaded checkpoint.");
    }

    /// <summary>Throws unless the folder exists and has a config.json.</summary>
    public static void CheckConfig(string folder)
    {
        Check(folder);
        if (File.Exists(Path.Combine(folder, ConfigFile))) return;
        try
        {
            string[] below = [.. Below(folder).Take(9)];
            if (below.Length == 1)
                throw new CheckpointException($"'{folder}' has no {ConfigFile}, but the folder '{below[0]}' below it has; give that one.");
            if (below.Length > 1)
                throw new CheckpointException(
                    $"'{folder}' has no {ConfigFile}, but several folders below it have; give one of them: "
                        + $"{string.Join(", ", below.Select(b => $"'{b}'"))}.");
            for (string? up = Path.GetDirectoryName(Path.GetFullPath(folder)),
                level = ""; up is not null && level!.Length < 2; up = Path.GetDirectoryName(up), level += ".")
                if (IsCheckpoint(up))
                    throw new CheckpointException($"'{folder}' has no {ConfigFile}, but the folder '{up}' above it has; give that one.");
            string? archive = Directory.EnumerateFiles(folder)
                .FirstOrDefault(f => Path.GetExtension(f) is ".zip" or ".tar" or ".gz" or ".7z" or ".rar" or ".zst");
            if (archive is not null) throw new CheckpointException($"'{folder}' has no {ConfigFile}; unpack '{archive}' first.");
            if (Directory.EnumerateFiles(folder, "*.gguf").Any() || Directory.EnumerateFiles(folder, "*.onnx").Any())
                throw Checkpoint.NoWeights(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What is missing says more than what could not be searched.
        }
        throw ForeignFile.Missing(Path.Combine(folder, ConfigFile));
    }

    private static bool IsCheckpoint(string folder) => File.Exists(Path.Combine(folder, ConfigFile));

    // One level below, and what the cache of huggingface_hub keeps: models--owner--name/snapshots/<revision>.
    private static IEnumerable<string> Below(string folder)
    {
        foreach (string child in Directory.EnumerateDirectories(folder).Order(StringComparer.Ordinal).Take(1000))
        {
            if (IsCheckpoint(child)) yield return child;
            string snapshots = Path.GetFileName(child) == "snapshots" ? child : Path.Combine(child, "snapshots");
            if (!Directory.Exists(snapshots)) continue;
            foreach (string revision in Directory.EnumerateDirectories(snapshots).Order(StringComparer.Ordinal))
                if (IsCheckpoint(revision)) yield return revision;
        }
    }

    private static string? ForeignKind(string file)
    {
        try
        {
            using FileStream stream = RegularFile.Open(file);
            byte[] start = new byte[ForeignFile.Start];
            return ForeignFile.Describe(start.AsSpan(0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false))) is { } what
                ? $"it {what}, then give the folder of the checkpoint" : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [GeneratedRegex(@"^(?:https?://(?:huggingface\.co|hf\.co)/)?([A-Za-z0-9][\w.-]*/([\w.-]+?))(?:/tree/[\w.-]+)?/?$",
        RegexOptions.CultureInvariant)]
    private static partial Regex RepositoryName();
}
