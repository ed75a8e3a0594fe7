using System.Text.RegularExpressions;

namespace Sa2VA.Tests;

/// <summary>The sources of the GPU's kernels and what was built from them.</summary>
internal static partial class KernelFiles
{
    public static string Folder { get; } = Path.Combine(Fixtures.Repository, "kernels");

    /// <summary>Names of <c>kernels/*.cu</c>.</summary>
    public static IReadOnlyList<string> Families { get; } = Names("*.cu", Folder);

    /// <summary>Names of <c>kernels/ptx/*.ptx</c>.</summary>
    public static IReadOnlyList<string> BuiltFamilies { get; } = Names("*.ptx", Path.Combine(Folder, "ptx"));

    /// <summary>Every kernel that was built.</summary>
    public static IReadOnlyList<BuiltKernel> Kernels { get; } = [.. from family in BuiltFamilies
        from Match entry in Entry().Matches(Ptx(family))
        select new BuiltKernel(family, entry.Groups["name"].Value, int.Parse(entry.Groups["bytes"].Value))];

    public static string Source(string family) => Text($"{family}.cu");

    public static string PtxPath(string family) => Path.Combine(Folder, "ptx", $"{family}.ptx");

    public static string Ptx(string family) => File.ReadAllText(PtxPath(family));

    /// <summary>A file of the folder, by its path there.</summary>
    public static string Text(string file) => File.ReadAllText(Path.Combine([Folder, .. file.Split('/')]));

    private static IReadOnlyList<string> Names(string pattern, string folder) =>
        [.. Directory.GetFiles(folder, pattern).Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [GeneratedRegex(@"\.entry (?<name>\w+)\(\s*\.param \.align \d+ \.b8 \w+_param_0\[(?<bytes>\d+)\]\s*\)")]
    private static partial Regex Entry();
}

/// <summary>A kernel in PTX.</summary>
/// <param name="Family">Its file.</param>
/// <param name="Name">Its own name.</param>
/// <param name="ParameterBytes">Size of its one parameter.</param>
internal sealed record BuiltKernel(string Family, string Name, int ParameterBytes)
{
    public override string ToString() => $"{Family}/{Name}";
}
