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

    /// <summary>
    /// Least shares of tensor instructions in main loops, up to sm_89 and on sm_90, of kernels whose time they decide.
    /// </summary>
    private static readonly Dictionary<string, (double UpTo89, double Of90)> TensorShares = new()
    {
        ["linear_bf16_64x64"] = (0.29, 0.27), ["linear_bf16_96x96"] = (0.40, 0.37), ["linear_bf16_128x128"] = (0.46, 0.41),
        ["gated_linear_bf16_96x96"] = (0.28, 0.24), ["gated_linear_bf16_128x128"] = (0.37, 0.34),
        ["linear_rotary_bf16_64x64"] = (0.29, 0.27), ["linear_rotary_bf16_96x96"] = (0.40, 0.37),
        ["linear_max_pool_bf16_96x96"] = (0.40, 0.38), ["linear_arg_max_bf16_64x128"] = (0.32, 0.30),
        ["conv_transpose2d_bf16_64x128"] = (0.38, 0.36),
        ["flash_attention_72_rows128"] = (0.15, 0.15), ["flash_attention_128_rows64"] = (0.18, 0.18),
        ["flash_attention_256_64_rows128"] = (0.22, 0.22), ["window_attention_72_rows128_keys64"] = (0.14, 0.14),
    };

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
            string listing = Output("nvdisasm", code);
            Assert.DoesNotMatch(FloatAtomic(), listing);
            CheckTensorCores(architecture, family, names, listing);
        }
    }

    /// <summary>
    /// In each kernel by warpgroups: products, copies of boxes, as many waits for products as are written and where they are, changes of
    /// registers.
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
        Assert.All(kernels, k => Assert.Equal(Expected(k[..k.IndexOf(',', StringComparison.Ordinal)]), (Count(k, "HGMMA"),
            Count(k, "WARPGROUP.DEPBAR"), Count(k, "WARPGROUP.ARRIVE"), Count(k, "UTMALDG"), Count(k, "USETMAXREG"))));
        // Between the waits for scores and for values, 64 or 32 keys of sixteen queries become weights.
        Assert.All(kernels.Where(k => Overlapping().IsMatch(k)), k => Assert.Equal(
            k.StartsWith("flash_attention_bf16_hopper_256,", StringComparison.Ordinal) ? 18 : 34,
            Count(ScoresToValues().Match(k).Value, "MUFU.EX2")));

        // Products, waits, fences, boxes, changes of registers.
        static (int, int, int, int, int) Expected(string kernel) => kernel switch
        {
            // Scores of four steps, values of four; a box of queries, keys, values.
            "flash_attention_bf16_hopper_64" => (8, 2, 2, 3, 0),
            // Scores of four steps and a narrow one before the loop and in it, values of four and four narrow ones in it and behind it; a
            // box and a narrow one of each.
            "flash_attention_bf16_hopper_72" or "flash_attention_bf16_hopper_80" => (26, 4, 3, 6, 0),
            // Scores of eight steps before the loop and in it, values of four in it and behind it; two boxes of queries, keys and values.
            "flash_attention_bf16_hopper_128" => (24, 4, 3, 6, 0),
            // Scores of sixteen steps, values of two; four boxes of each.
            "flash_attention_bf16_hopper_256" => (36, 4, 3, 12, 2),
            // Scores of sixteen steps before the loop and in it, values of four in it and behind it; four boxes of queries and keys.
            "flash_attention_bf16_hopper_256_64" => (40, 4, 3, 9, 0),
            // A box of x, one of gates and one of ups.
            "gated_linear_bf16_hopper_128x192" => (4, 2, 1, 3, 2),
            // A box of x, one of the weight.
            _ => (4, 2, 1, 2, 2),
        };

        static int Count(string code, string instruction) => code.Split(instruction).Length - 1;
    }

    /// <summary>The addresses of tensor maps among the parameters have the base of those, on every path.</summary>
    [Theory]
    [MemberData(nameof(HopperFamilies))]
    public void Tensor_maps_are_where_the_parameters_are(string family)
    {
        if (!File.Exists(Path.Combine(Tools, "ptxas"))) Assert.Skip($"There is no {Path.Combine(Tools, "ptxas")}: scripts/get-cuda-tools.");
        using var folder = new ScratchFolder();
        string code = folder.At("code.cubin");
        Output("ptxas", "-arch=sm_90a", KernelFiles.PtxPath(family), "-o", code);
        string[] kernels = Output("nvdisasm", code).Split("\n.text.")[1..];
        Assert.Equal(KernelFiles.Kernels.Count(k => k.Family == family), kernels.Length);
        Assert.All(kernels, k => Assert.InRange(TensorMapAddresses.Count(k), 1, int.MaxValue));
        Assert.All(kernels, k => Assert.Empty(TensorMapAddresses.Forgotten(k)));
    }

    /// <summary>A choice between two maps, which this assembler gets wrong, and a branch in its place, which it gets right.</summary>
    [Fact]
    public void A_map_that_is_chosen_is_known_to_be_compiled_wrongly()
    {
        if (!File.Exists(Path.Combine(Tools, "ptxas"))) Assert.Skip($"There is no {Path.Combine(Tools, "ptxas")}: scripts/get-cuda-tools.");
        string version = Output("ptxas", "--version").Trim().Split('\n')[^1];
        if (version != RecordedResources.Assembler) Assert.Skip($"{version} may have no such fault.");
        using var folder = new ScratchFolder();
        Assert.NotEmpty(TensorMapAddresses.Forgotten(Assembled("selp.b64 %d1, %d1, %d2, %p1; cvta.param.u64 %d1, %d1;")));
        Assert.Empty(TensorMapAddresses.Forgotten(Assembled(
            "@%p1 bra other; cvta.param.u64 %d1, %d1; prefetch.tensormap [%d1]; ret; other: cvta.param.u64 %d1, %d2;")));

        string Assembled(string choice)
        {
            File.WriteAllText(folder.At("choice.ptx"), $$"""
                .version 8.4
                .target sm_90a
                .address_size 64
                .visible .entry choice(.param .align 64 .b8 a[128], .param .align 64 .b8 b[128], .param .u32 c)
                {
                .reg .pred %p<2>; .reg .b32 %r<2>; .reg .b64 %d<3>;
                ld.param.u32 %r1, [c];
                setp.ne.s32 %p1, %r1, 0;
                mov.b64 %d1, a;
                mov.b64 %d2, b;
                {{choice}}
                prefetch.tensormap [%d1];
                ret;
                }
                """);
            Output("ptxas", "-arch=sm_90a", folder.At("choice.ptx"), "-o", folder.At("choice.cubin"));
            return Assert.Single(Output("nvdisasm", folder.At("choice.cubin")).Split("\n.text.")[1..]);
        }
    }

    /// <summary>
    /// Products run on tensor cores, copies and loads that are wide in PTX are wide, and main loops are made of what is recorded, as
    /// far of products as they were.
    /// </summary>
    private static void CheckTensorCores(string architecture, string family, string[] names, string listing)
    {
        string[] entries = KernelFiles.Ptx(family).Split(".entry ")[1..], functions = listing.Split("\n.text.")[1..];
        foreach (string name in names)
        {
            string ptx = Assert.Single(entries, e => e.StartsWith(name + "(", StringComparison.Ordinal));
            string code = Assert.Single(functions, f => f.StartsWith(name + ":", StringComparison.Ordinal));
            int products = Product().Count(ptx), found = TensorInstruction().Count(code);
            Assert.True(found >= products, $"{architecture}: {name} has {products} products in PTX, {found} tensor instructions.");
            if (WideCopy().IsMatch(ptx)) Assert.Matches(@"LDGSTS\.E[\w.]*\.128\b", code);
            if (WideLoad().IsMatch(ptx)) Assert.Matches(@"LDG\.E[\w.]*\.128\b", code);
            string loop = MainLoop.Of(code);
            if (architecture is "sm_80" or "sm_90a")
                Assert.Equal((name, RecordedResources.All[$"{family}/{name}"].MainLoop), (name, loop));
            if (!TensorShares.TryGetValue(name, out (double UpTo89, double Of90) shares)) continue;
            string[] words = loop.Split(' ');
            Assert.Equal(("loop", "tensor"), (words[0], words[2]));
            double least = architecture == "sm_90" ? shares.Of90 : shares.UpTo89, share = double.Parse(words[3]) / int.Parse(words[1]);
            Assert.True(share >= least, $"{architecture}: {share:0.000} of {name}'s main loop is products, {least} were.");
        }
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

    // From the wait that leaves a group under way to the next one.
    [GeneratedRegex(@"WARPGROUP\.DEPBAR\.LE gsb0, 0x1.*?WARPGROUP\.DEPBAR", RegexOptions.Singleline)]
    private static partial Regex ScoresToValues();

    // Kernels that make weights while products are under way.
    [GeneratedRegex(@"^flash_attention_bf16_hopper_(?!64,)")]
    private static partial Regex Overlapping();

    [GeneratedRegex(@"\bmma\.sync\.")]
    private static partial Regex Product();

    [GeneratedRegex(@"\b[HI]MMA\.")]
    private static partial Regex TensorInstruction();

    [GeneratedRegex(@"\bcp\.async\.cg\.")]
    private static partial Regex WideCopy();

    [GeneratedRegex(@"\bld\.global[\w.:]*\.v4\.[buf]32\b")]
    private static partial Regex WideLoad();

    [GeneratedRegex(@"\b(?:ATOM|RED)\w*\.[\w.]*F(?:16|32|64)")]
    private static partial Regex FloatAtomic();
}
