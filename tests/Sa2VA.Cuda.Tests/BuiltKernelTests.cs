using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Sa2VA.Tests;

/// <summary>What is committed beside the kernels' sources belongs to them, whether or not NVIDIA's tools are here.</summary>
public sealed partial class BuiltKernelTests
{
    public static TheoryData<string> Families => [.. KernelFiles.Families];

    [Fact]
    public void Every_source_is_built_and_nothing_else_is_there() => Assert.Equal(KernelFiles.Families, KernelFiles.BuiltFamilies);

    /// <summary>The first line names a hash of the source, of all headers that it includes and of the compiler's driver.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Ptx_is_built_from_the_source_that_is_here(string family)
    {
        string[] sources = [$"{family}.cu", .. Headers(family)];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string file in (string[])[.. sources, "nvrtc_compile.cpp"])
            hash.AppendData(File.ReadAllBytes(Path.Combine([KernelFiles.Folder, .. file.Split('/')])));
        string stamp = $"// stamp {Convert.ToHexStringLower(hash.GetHashAndReset())} of {string.Join(' ', sources)}";
        Assert.True(stamp == File.ReadLines(KernelFiles.PtxPath(family)).First(),
            $"kernels/ptx/{family}.ptx is not built from the sources that are here: run scripts/build-kernels.");
    }

    /// <summary>All newer devices and drivers can run it then. The build says which those are, and the stamp does not.</summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void Ptx_is_for_the_oldest_device_and_driver_that_can(string family) => Assert.Contains(
        family.EndsWith("_hopper", StringComparison.Ordinal) ? "\n.version 8.0\n.target sm_90a\n" : "\n.version 7.0\n.target sm_80\n",
        KernelFiles.Ptx(family), StringComparison.Ordinal);

    /// <summary>
    /// Sums of floats would depend on who comes first, local memory is registers that ran out or arrays with computed places.
    /// </summary>
    [Theory]
    [MemberData(nameof(Families))]
    public void No_kernel_adds_floats_atomically_or_uses_local_memory(string family)
    {
        string ptx = KernelFiles.Ptx(family);
        Assert.DoesNotMatch(FloatAtomic(), ptx);
        Assert.DoesNotMatch(LocalMemory(), ptx);
    }

    [Fact]
    public void The_resources_of_every_kernel_are_recorded() =>
        Assert.Equal([.. KernelFiles.Kernels.Select(k => k.ToString()).Order(StringComparer.Ordinal)], RecordedResources.All.Keys);

    private static SortedSet<string> Headers(string family)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        Add($"{family}.cu");
        return found;

        void Add(string file)
        {
            foreach (Match include in Include().Matches(KernelFiles.Text(file)))
            {
                string header = $"common/{Path.GetFileName(include.Groups["header"].Value)}";
                if (found.Add(header)) Add(header);
            }
        }
    }

    [GeneratedRegex("""^#include "(?<header>[^"]*)"$""", RegexOptions.Multiline)]
    private static partial Regex Include();

    [GeneratedRegex(@"^\s*(?:@!?%p\d+\s+)?(?:atom|red)\.[\w.:]*\.(?:f16|f16x2|bf16|bf16x2|f32|f64)\s", RegexOptions.Multiline)]
    private static partial Regex FloatAtomic();

    [GeneratedRegex(@"\.local\b")]
    private static partial Regex LocalMemory();
}
