namespace Sa2VA.Cli;

/// <summary>The bundled model and media.</summary>
internal static class Samples
{
    /// <summary>The bundled model's name.</summary>
    public const string ModelName = "sa2va-tiny-shapes";

    /// <summary>The samples folder: beside the program, or in a folder above it or above the current one.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static string Find()
    {
        foreach (string start in (string[])[AppContext.BaseDirectory, Environment.CurrentDirectory])
            for (string? at = Path.GetFullPath(start); at is not null; at = Path.GetDirectoryName(at))
                if (File.Exists(Path.Combine(at, "samples", "models", ModelName, "config.json"))) return Path.Combine(at, "samples");
        throw new UsageException($"The bundled samples (samples/models/{ModelName}) were found neither above {AppContext.BaseDirectory} "
            + "nor above the current folder; run inside the repository.");
    }
}
