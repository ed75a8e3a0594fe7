namespace Sa2VA.Models;

/// <summary>A model's folder in the cache of Hugging Face: <c>models--ORGANISATION--MODEL/snapshots/REVISION</c>.</summary>
/// <param name="Repository">ORGANISATION/MODEL, or the model alone.</param>
internal readonly record struct HubSnapshot(string Repository)
{
    /// <summary>The model without who published it.</summary>
    public string Model => Repository[(Repository.IndexOf('/') + 1)..];

    /// <summary>What to do where a file of it is missing: what was interrupted goes on where it was.</summary>
    public string Completion => $"its download has not finished. Complete it: hf download {Repository}";

    /// <summary>What a folder is a snapshot of; null for any other folder.</summary>
    public static HubSnapshot? Of(string folder)
    {
        string? above = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        if (Path.GetFileName(above) != "snapshots") return null;
        return Path.GetFileName(Path.GetDirectoryName(above))?.Split("--") switch
        {
            ["models", { Length: > 0 } model] => new HubSnapshot(model),
            ["models", { Length: > 0 } organisation, .. { Length: > 0 } model] =>
                new HubSnapshot($"{organisation}/{string.Join("--", model)}"),
            _ => null,
        };
    }
}
