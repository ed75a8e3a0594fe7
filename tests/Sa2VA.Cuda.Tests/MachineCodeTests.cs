using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Sa2VA.Tests;

/// <summary>
/// What NVIDIA's assembler makes of the kernels, where it can be had: <c>CUDA_TOOLS</c> or <c>build/cuda-tools</c>, as
/// <c>scripts/build-kernels</c> looks for it.
/// </summary>
public sealed partial class MachineCodeTests
{
    private static readonly string Tools = Path.Combine(Environment.GetEnvironmentVariable("CUDA_TOOLS")
        ?? Path.Combine(Fixtures.Repository, "build", "cuda-tools"), "root", "usr", "bin");

    public static TheoryData<string> Families => [.. KernelFiles.Families];

    public static TheoryData<string> HopperFamilies =>
        [.. KernelFiles.Families.Where(f => f.EndsWith("_hopper", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Families))]
    public void Fits_the_registers_that_are_recorded_and_adds_no_floats_atomically(string family)
    {
        if (!File.Exists(Path.Combine(Tools, "ptxas"))) Assert.Skip($"There is no {Path.Combine(Tools, "ptxas")}: scripts/get-cuda-tools.");
        string version = Output("ptxas", "--version").Trim().Split('\n')[^1];
        if (version != RecordedResources.Assembler)
            Assert.Skip($"The registers are those of {RecordedResources.Assembler}, the assembler here is {version}.");
        using var folder = new ScratchFolder();
        string[] names = [.. KernelFiles.Kernels.Where(k => k.Family == family).Select(k => k.Name).Order(StringComparer.Ordinal)];
        string[] architectures = [.. RecordedResources.All[$"{family}/{names[0]}"].Registers.Keys];
        foreach (string architecture in architectures)
        {
            string code = folder.At($"{architecture}.cubin");
            string said = Output("ptxas", "-v", $"-arch={architecture}", KernelFiles.PtxPath(family), "-o", code);
            Assert.DoesNotMatch(Spill(), said);
            Assert.DoesNotMatch(Serialized(), said);
            (string, int)[] registers = [.. Used().Matches(said)
                .Select(m => (m.Groups["kernel"].Value, int.Parse(m.Groups["registers"].Value))).Order()];
            Assert.Equal([.. names.Select(n => (n, RecordedResources.All[$"{family}/{n}"].Registers[architecture]))], registers);
            if (architecture == architectures[^1]) Assert.DoesNotMatch(FloatAtomic(), Output("nvdisasm", code));
        }
    }

    /// <summary>
    /// In each kernel by warpgroups: products, copies of boxes, as many waits for products as are written, both changes of registers.
    /// </summary>
    [Theory]
    [MemberData(nameof(HopperFamilies))]
    public void Products_of_warpgroups_do_not_wait_for_each_other(string family)
    {
        if (!File.Exists(Path.Combine(Tools, "ptxas"))) Assert.Skip($"There is no {Path.Combine(Tools, "ptxas")}: scripts/get-cuda-tools.");
        using var folder = new ScratchFolder();
        string code = folder.At("code.cubin");
        Output("ptxas", "-arch=sm_90a", KernelFiles.PtxPath(family), "-o", code);
        string[] kernels = Output("nvdisasm", code).Split("\t.section\t.text.")[1..];
        Assert.Equal(KernelFiles.Kernels.Count(k => k.Family == family), kernels.Length);
        // A box of x, one of the weight, or one of gates and one of ups.
        int boxes = family.StartsWith("gated", StringComparison.Ordinal) ? 3 : 2;
        Assert.All(kernels, k => Assert.Equal((4, 2, 1, boxes, 2), (Count(k, "HGMMA"), Count(k, "WARPGROUP.DEPBAR"),
            Count(k, "WARPGROUP.ARRIVE"), Count(k, "UTMALDG"), Count(k, "USETMAXREG"))));

        static int Count(string code, string instruction) => code.Split(instruction).Length - 1;
    }

    private static string Output(string tool, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(Tools, tool), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd() + errors.Result;
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{tool} {string.Join(' ', arguments)}: {output}");
        return output;
    }

    // "4 bytes stack frame, 4 bytes spill stores, 4 bytes spill loads"; "8 bytes cumulative stack size" where it was none of the kernel's
    // own.
    [GeneratedRegex(@"\b[1-9]\d* bytes (?:stack frame|spill stores|spill loads|cumulative stack size)")]
    private static partial Regex Spill();

    // C7510 … C7519: products of warpgroups that the assembler makes wait for each other, registers that setmaxnreg does not change.
    [GeneratedRegex(@"\bC75\d\d\b|serializ", RegexOptions.IgnoreCase)]
    private static partial Regex Serialized();

    [GeneratedRegex(@"Compiling entry function '(?<kernel>\w+)'.*?Used (?<registers>\d+) registers", RegexOptions.Singleline)]
    private static partial Regex Used();

    [GeneratedRegex(@"\b(?:ATOM|RED)\w*\.[\w.]*F(?:16|32|64)")]
    private static partial Regex FloatAtomic();
}
