using System.Runtime.CompilerServices;

namespace Sa2VA.Tests;

/// <summary>
/// Where the recorded truth lies: <c>../shared/fixtures</c> beside the repository when it is there (all of it), else <c>tests/fixtures</c>
/// (the part that every clone carries).
/// </summary>
internal static class Fixtures
{
    public static string Repository { get; } = FindRepository();

    public static string Root { get; } = FindRoot();

    /// <summary>True when every fixture is present, false in a bare clone.</summary>
    public static bool IsComplete { get; } = Directory.Exists(System.IO.Path.Combine(Root, "goldens", "synthetic"))
        && Root != System.IO.Path.Combine(Repository, "tests", "fixtures");

    public static string Path(params string[] parts) => System.IO.Path.Combine([Root, .. parts]);

    /// <summary>The folder of a small checkpoint; the trained one is bundled in <c>samples/</c>, so every clone has it.</summary>
    public static string Model(string name) =>
        Exists("models", name) ? Path("models", name) : System.IO.Path.Combine(Repository, "samples", "models", name);

    public static bool Exists(params string[] parts) => File.Exists(Path(parts)) || Directory.Exists(Path(parts));

    private static string FindRoot()
    {
        string all = System.IO.Path.GetFullPath(System.IO.Path.Combine(Repository, "..", "shared", "fixtures"));
        return Directory.Exists(all) ? all : System.IO.Path.Combine(Repository, "tests", "fixtures");
    }

    private static string FindRepository([CallerFilePath] string here = "") =>
        System.IO.Path.GetFullPath(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(here)!, "..", ".."));
}
