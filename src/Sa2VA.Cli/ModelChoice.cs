using System.Text.RegularExpressions;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>A checkpoint as it was given: its folder, or its name on Hugging Face, with or without the organisation.</summary>
/// <param name="Given">Folder or name.</param>
/// <param name="Models">A folder with checkpoints; null for none.</param>
/// <param name="TrackerWeights">SAM 2 weights whose decoder tracks; null for the checkpoint's own.</param>
internal sealed partial record ModelChoice(string Given, string? Models, string? TrackerWeights = null)
{
    private const string Publisher = "ByteDance", Config = "config.json", Any = "*";

    /// <summary>Its folder. What is there under the name as a path is meant before all else.</summary>
    /// <exception cref="UsageException">There is none; the message says how to get it.</exception>
    public string Folder() => Folder(Caches(Environment.GetEnvironmentVariable,
        Environment.GetFolderPath(Environment.SpecialFolder.UserProfile)));

    /// <summary>The precision that its weights are stored for; null for any, and for a checkpoint that loading it says is none.</summary>
    public Precision? StoredPrecision()
    {
        try
        {
            return Sa2VAConfig.Read(Folder()).Quantization?.Precision;
        }
        catch (Sa2VAException)
        {
            return null;
        }
    }

    /// <summary>Its folder, with these caches.</summary>
    /// <param name="caches">Where the Hugging Face hub puts what it downloads, the first one first.</param>
    internal string Folder(IReadOnlyList<string> caches)
    {
        if (Models is not null && !Directory.Exists(Models))
            throw new UsageException($"There is no folder {Quoted.Of(Models)}; --models takes a folder with checkpoints.");
        if (Directory.Exists(Given)) return Given;
        if (File.Exists(Given)) throw new UsageException($"{Quoted.Of(Given)} is a file; give the folder of the checkpoint with --model.");
        if (Name().Match(Given) is not { Success: true } name)
            throw new UsageException($"There is no checkpoint {Quoted.Of(Given)}: no such folder; check the path given with --model.");
        string model = name.Groups["model"].Value;
        string organisation = name.Groups["organisation"] is { Success: true } group ? group.Value : Any;
        if (Models is not null && In(Models, organisation, model) is { } own) return own;
        foreach (string cache in caches)
            if (InCache(cache, organisation, model) is { } cached) return cached;
        throw Absent(caches, organisation, model);
    }

    /// <summary>Where the Hugging Face hub puts what it downloads: what is set, before what is usual.</summary>
    /// <param name="variable">Gives an environment variable.</param>
    /// <param name="home">The user's folder.</param>
    internal static IReadOnlyList<string> Caches(Func<string, string?> variable, string home)
    {
        if (Set("HF_HUB_CACHE") is { } cache) return [cache];
        if (Set("HUGGINGFACE_HUB_CACHE") is { } former) return [former];
        if (Set("HF_HOME") is { } all) return [Path.Combine(all, "hub")];
        return [Path.Combine(Set("XDG_CACHE_HOME") ?? Path.Combine(home, ".cache"), "huggingface", "hub")];

        string? Set(string name) => variable(name) is { Length: > 0 } value ? TypedPath.AtHome(value, home) : null;
    }

    private static string? In(string models, string organisation, string model)
    {
        foreach (string below in organisation == Any ? (string[])[model, Path.Combine(Publisher, model)]
            : [Path.Combine(organisation, model), model])
            if (File.Exists(Path.Combine(models, below, Config))) return Path.Combine(models, below);
        return InCache(models, organisation, model);
    }

    // models--ORGANISATION--NAME/refs/main holds the name of a folder below snapshots. Its files are links to blobs, or copies on Windows.
    private static string? InCache(string cache, string organisation, string model)
    {
        if (!Directory.Exists(cache)) return null;
        try
        {
            string[] found = [.. Directory.EnumerateDirectories(cache, "models--*")
                .Where(d => Matches(Path.GetFileName(d), organisation, model)).Order(StringComparer.Ordinal)];
            // Without an organisation the publisher's own comes first.
            foreach (string entry in found.OrderByDescending(d => Matches(Path.GetFileName(d), Publisher, model)))
                if (Snapshot(entry) is { } snapshot) return snapshot;
            return null;
        }
        catch (Exception e) when (FileTrouble.Is(e))
        {
            throw new UsageException($"{Quoted.Of(cache)} cannot be searched for checkpoints: {FileTrouble.Cause(e)}; "
                + "give the checkpoint's folder with --model.", e);
        }
    }

    private static bool Matches(string entry, string organisation, string model)
    {
        string end = organisation == Any ? "--" + model : $"models--{organisation}--{model}";
        return organisation == Any ? entry.EndsWith(end, StringComparison.OrdinalIgnoreCase)
            : entry.Equals(end, StringComparison.OrdinalIgnoreCase);
    }

    private static string? Snapshot(string entry)
    {
        string snapshots = Path.Combine(entry, "snapshots"), main = Path.Combine(entry, "refs", "main");
        if (!Directory.Exists(snapshots)) return null;
        string? named = File.Exists(main) && new FileInfo(main).Length < 256 ? File.ReadAllText(main).Trim() : null;
        if (named is { Length: > 0 } && named.IndexOfAny(Path.GetInvalidFileNameChars()) < 0 && named is not (".." or ".")
            && File.Exists(Path.Combine(snapshots, named, Config)))
            return Path.Combine(snapshots, named);
        // A revision other than main, or one that was moved here without its name.
        return Directory.EnumerateDirectories(snapshots).Where(s => File.Exists(Path.Combine(s, Config)))
            .OrderByDescending(Directory.GetLastWriteTimeUtc).ThenBy(s => s, StringComparer.Ordinal).FirstOrDefault();
    }

    private UsageException Absent(IReadOnlyList<string> caches, string organisation, string model)
    {
        string places = string.Join(" nor ", ((string?[])[Models, .. caches]).OfType<string>().Select(Quoted.Of));
        bool isKnown = organisation != Any || model.StartsWith("Sa2VA-", StringComparison.OrdinalIgnoreCase);
        string download = isKnown ? $"Download it: hf download {(organisation == Any ? Publisher : organisation)}/{model}"
            : $"Check --model; to download one of that name: hf download {Publisher}/NAME";
        return new UsageException($"There is no checkpoint {Quoted.Of(Given)}: no such folder, and none of that name in {places}. "
            + download);
    }

    [GeneratedRegex(@"^((?<organisation>[A-Za-z0-9][A-Za-z0-9._-]*)/)?(?<model>[A-Za-z0-9][A-Za-z0-9._-]*)\z")]
    private static partial Regex Name();
}
