using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Tests;

/// <summary>
/// Structures that a launcher fills and a kernel reads: a driver is given an address and copies what the kernel declares, so nobody else
/// would notice a difference. Which is whose is said by the launcher's documentation: "… of kernels/….cu".
/// </summary>
public sealed partial class ArgumentTests
{
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    private static readonly Assembly Launchers = typeof(CudaBackend).Assembly;

    /// <summary>Types of the backend that mirror a structure of the kernels.</summary>
    private static readonly (Type Type, string Name, string File)[] Mirrors = [.. Documented()];

    public static TheoryData<string> Structures => [.. Mirrors.Select(m => m.Type.FullName!)];

    public static TheoryData<string> Kernels => [.. KernelFiles.Kernels.Select(k => k.ToString())];

    [Theory]
    [MemberData(nameof(Structures))]
    public void A_mirrored_structure_has_the_members_of_the_other_in_its_order(string type)
    {
        (Type mirror, string name, string file) = Mirrors.Single(m => m.Type.FullName == type);
        Match structure = Regex.Match(Comment().Replace(KernelFiles.Text(file), ""),
            $$"""struct\s+(?:ALIGNED\(\d+\)\s+)?{{name}}\s*\{(?<members>[^}]*?)(?:DEVICE_MEMBER|\})""");
        Assert.True(structure.Success, $"kernels/{file} has no structure {name}.");
        IEnumerable<string> members = structure.Groups["members"].Value.Split([';', ','], StringSplitOptions.TrimEntries)
            .Where(m => m.Length > 0).Select(m => Pascal(Declared().Match(m).Groups["name"].Value));
        Assert.Equal(members, mirror.GetFields(Instance).OrderBy(f => f.MetadataToken).Select(f => f.Name));
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_kernels_parameter_has_the_size_of_what_launchers_pass(string kernel)
    {
        BuiltKernel built = KernelFiles.Kernels.Single(k => k.ToString() == kernel);
        Match declaration = Regex.Match(KernelFiles.Source(built.Family),
            $@"(KERNEL|__launch_bounds__)\([^)]*\)\s+{built.Name}\(const "
                + @"(?:__grid_constant__ (?<mapped>Mapped\w*)(<(?<type>\w+)>)?|(?<type>\w+)) \w+\)");
        Assert.True(declaration.Success, $"kernels/{built.Family}.cu does not declare {built.Name} with a structure.");
        (int maps, string rest) = declaration.Groups["mapped"] is { Success: true } mapped ? MapsOf(mapped.Value) : (0, "");
        string name = declaration.Groups["type"] is { Success: true } type ? type.Value : rest;
        (Type Type, string, string)[] passed = [.. Mirrors.Where(m => m.Name == name)];
        Assert.True(passed.Length > 0, $"no launcher mirrors {name}.");
        // Behind tensor maps, and filled up to what they begin at multiples of.
        int behind = maps * TensorMap.Bytes, unit = maps > 0 ? TensorMap.Alignment : 1;
        Assert.All(passed, m => Assert.Equal(built.ParameterBytes, (behind + SizeOf(m.Type) + unit - 1) / unit * unit));
    }

    /// <summary>How many maps a structure has, and the type of what is behind them.</summary>
    private static (int Count, string Behind) MapsOf(string structure)
    {
        Match members = Directory.GetFiles(Path.Combine(KernelFiles.Folder, "common"))
            .Select(f => Regex.Match(File.ReadAllText(f), $@"struct {structure}\s*\{{\s*TensorMap (?<maps>[^;]+);\s*(?<rest>\w+) rest;"))
            .Single(m => m.Success);
        return (members.Groups["maps"].Value.Split(',').Length, members.Groups["rest"].Value);
    }

    private static IEnumerable<(Type, string, string)> Documented()
    {
        XDocument documentation = XDocument.Load(Path.ChangeExtension(Launchers.Location, ".xml"));
        foreach (XElement member in documentation.Descendants("member"))
        {
            string name = member.Attribute("name")!.Value;
            Match of = Whose().Match(member.Element("summary")?.Value ?? "");
            if (!name.StartsWith("T:", StringComparison.Ordinal) || !of.Success) continue;
            Type? type = Launchers.GetTypes().SingleOrDefault(t => t.FullName?.Replace('+', '.') == name[2..]);
            if (type is { IsValueType: true }) yield return (type, of.Groups["name"].Value, of.Groups["file"].Value);
        }
    }

    private static int SizeOf(Type type) =>
        (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    private static string Pascal(string name) => string.Concat(name.Split('_').Select(w => char.ToUpperInvariant(w[0]) + w[1..]));

    [GeneratedRegex(@"(?<name>\w+) of kernels/(?<file>[\w/]+\.cuh?)")]
    private static partial Regex Whose();

    [GeneratedRegex("//.*")]
    private static partial Regex Comment();

    // The last word of "const float *weight", "*bias" or "View parts[MostParts]".
    [GeneratedRegex(@"(?<name>\w+)\s*(?:\[[^\]]*\]\s*)?$")]
    private static partial Regex Declared();
}
