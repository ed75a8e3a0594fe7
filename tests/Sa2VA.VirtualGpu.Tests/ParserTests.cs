using System.Text.RegularExpressions;
using Sa2VA.Tests;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// What cannot be executed is refused when it is loaded, with line and instruction; nothing else is thrown, whatever the text.
/// </summary>
public sealed class ParserTests
{
    private static PtxException Refused(string text)
    {
        using var device = new VirtualDevice();
        var e = Assert.Throws<PtxException>(() => device.LoadModule(text));
        Assert.Equal(0, device.Allocations);
        return e;
    }

    [Theory]
    [InlineData("frobnicate.u32 %r1, %t;", "the instruction is not supported", "frobnicate.u32 %r1, %t")]
    [InlineData("add.wobbly.u32 %r1, %t, 1;", ".wobbly is not supported here", "add.wobbly.u32 %r1, %t, 1")]
    [InlineData("add.u64 %r1, %rd1, 1;", "register %r1 is .b32, the instruction needs 64 bits", "add.u64 %r1, %rd1, 1")]
    [InlineData("add.u32 %r1, %r2, 1;", "register %r2 is read, but no instruction writes it", "add.u32 %r1, %r2, 1")]
    [InlineData("add.u32 %r1, %t;", "the instruction has 2 operands", "add.u32 %r1, %t")]
    [InlineData("bra nowhere;", "unknown label nowhere", "bra nowhere")]
    [InlineData("mov.u32 %r1, %envreg0;", "unknown name %envreg0", "mov.u32 %r1, %envreg0")]
    [InlineData("sqrt.rz.f32 %f1, 0f3F800000;", "the instruction is not supported", "sqrt.rz.f32")]
    [InlineData("add.f32 %f1, 0d3FF0000000000000, 0f3F800000;", "does not fit the type", "add.f32")]
    [InlineData("st.const.u32 [%in], %t;", "constant memory cannot be written", "st.const.u32 [%in], %t")]
    [InlineData("ld.param.u64 %rd1, [out+4];", "the access is outside the parameters", "ld.param.u64 %rd1, [out+4]")]
    [InlineData("cp.async.cg.shared.global [smem], [%in], 8;", "copies of 8 bytes are not supported", "cp.async.cg")]
    [InlineData("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%f0}, {%t}, {%t}, {%f0};", "not supported", "mma.sync")]
    [InlineData("lop3.b32 %r1, %t, %t, %t, 256;", "must be a number up to 255", "lop3.b32")]
    [InlineData("setp.hot.u32 %p1, %t, 1;", "the comparison is not supported", "setp.hot.u32")]
    public void An_instruction_that_cannot_run_is_named_with_its_line(string instruction, string reason, string shown)
    {
        PtxException e = Refused(Kernel.Text("mov.u64 %rd1, 0;\n" + instruction));
        int line = Kernel.Text("mov.u64 %rd1, 0;\n").Split('\n').ToList().IndexOf("mov.u64 %rd1, 0;") + 2;
        Assert.Equal(line, e.Line);
        Assert.Contains($"PTX line {line}:", e.Message, StringComparison.Ordinal);
        Assert.Contains(reason, e.Message, StringComparison.Ordinal);
        Assert.Contains(shown, e.Instruction ?? "", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(".version 8.4\n.target sm_90a", "this device is an sm_80")]
    [InlineData(".target quantum", "unknown target")]
    [InlineData(".func f() { ret; }", "device functions are not supported")]
    [InlineData(".global .b8 a[999999999999];", "must be a number up to")]
    [InlineData(".global .b8 a[65536][65536];", "is larger than")]
    [InlineData(".global .u32 a[2] = {1, 2, 3};", "more values than the variable has elements")]
    [InlineData(".shared .b8 a[1000000];\n.entry k() { ret; }", "more than 49152 bytes of shared memory")]
    [InlineData(".entry k(.param .b8 p[8000]) { ret; }", "bytes of parameters")]
    [InlineData(".entry k() { .reg .b32 %r<16777217>; ret; }", "must be a number up to")]
    [InlineData(".entry k() { ret; ", "breaks off")]
    [InlineData(".entry k() { ret; } .entry k() { ret; }", "two kernels are named k")]
    [InlineData(".global .b8 a[200000000]; .global .b8 b[200000000];", "bytes of them")]
    [InlineData("/* no end", "a comment has no end")]
    [InlineData(".entry k() { L: ret; L: ret; }", "two labels are named L")]
    [InlineData("€", "unexpected character U+20AC")]
    public void A_module_that_cannot_be_loaded_is_refused(string text, string reason) =>
        Assert.Contains(reason, Refused(text).Message, StringComparison.Ordinal);

    [Fact]
    public void Deep_nesting_is_refused()
    {
        Refused(".entry k() " + new string('{', 100_000));
        Refused(".entry k() { .reg .b32 %r; mov.b32 %r, " + new string('[', 100_000));
        Refused(".entry k() { .reg .pred %p; mov.pred %p, " + new string('!', 100_000));
    }

    [Fact]
    public void Inner_scopes_hide_outer_registers_and_labels()
    {
        ulong[] result = Kernel.Run("""
            mov.u64 %rd1, 1;
            bra L;
            mov.u64 %rd1, 2;
            L:
            { .reg .b64 %rd1; mov.u64 %rd1, 40; bra L; mov.u64 %rd1, 50; L: add.u64 %rd2, %rd1, 2; }
            add.u64 %rd3, %rd2, %rd1;
            st.global.u64 [%out], %rd3;
            """, new ulong[1], 1);
        Assert.Equal(43ul, result[0]);
    }

    [Fact]
    public void Variables_of_a_module_have_their_first_values_and_addresses()
    {
        using var device = new VirtualDevice();
        VirtualModule module = device.LoadModule(".global .align 4 .u32 a[3] = {1, -2};\n.const .u8 b = 7;\n.entry k() { ret; }");
        var values = new int[3];
        device.Read<int>(module.AddressOf("a"), values);
        Assert.Equal([1, -2, 0], values);
        Assert.Equal("k", module.Kernels.Single().Name);
        Assert.Throws<KeyNotFoundException>(() => module["missing"]);
    }

    /// <summary>Bytes changed, passages cut, doubled, exchanged, numbers replaced: a module or an error, soon.</summary>
    [Theory]
    [InlineData("argmax", 3000)]
    [InlineData("layer_norm", 600)]
    [InlineData("flash_attention", 300)]
    [InlineData("gemm_sm80", 200)]
    [InlineData("gemm_sm90", 300)]
    public void Mutated_modules_load_or_are_refused(string name, int mutations)
    {
        mutations = FullRun.Times(mutations, 20 * mutations);
        string text = PtxFiles.Text(name);
        var random = new Random(7);
        int loaded = 0;
        using var device = new VirtualDevice(HopperKernel.Options);
        for (int n = 0; n < mutations; n++)
        {
            string mutant = Mutate(text, random);
            try
            {
                device.LoadModule(mutant);
                loaded++;
            }
            catch (PtxException)
            {
            }
            catch (Exception e)
            {
                Assert.Fail($"Mutation {n} of {name} throws {e}");
            }
        }
        // Were all refused or all loaded, the mutations would be of no use.
        Assert.InRange(loaded, 1, mutations - 1);
    }

    /// <summary>Mutated kernels that load also end: with a result or a fault.</summary>
    [Fact]
    public void Mutated_kernels_end()
    {
        string text = PtxFiles.Text("argmax");
        var random = new Random(11);
        int ran = 0, faults = 0;
        for (int n = 0; n < FullRun.Times(400, 10_000); n++)
        {
            using var device = new VirtualDevice(new() { StepLimit = 20_000, Workers = 1 });
            try
            {
                TrialKernels.ArgMax(device, MutateOperand(text, random), [5, 9, 27, 1]);
                ran++;
            }
            catch (GpuFaultException)
            {
                faults++;
            }
            catch (Exception e) when (e is PtxException or ArgumentException or KeyNotFoundException)
            {
            }
        }
        Assert.True(ran > 10 && faults > 10, $"{ran} ran, {faults} faults.");
    }

    [Fact]
    public void Mutated_kernels_for_Hopper_end()
    {
        string product = HopperKernel.Product(16, 4096, "1, 1, 0, 0"), box = HopperKernel.Box(2, 4096);
        var map = new TensorMap { Address = 0, ElementBytes = 2, Dimensions = [64, 32], Strides = [128], Box = [64, 32], Swizzle = 128 };
        var random = new Random(13);
        int ran = 0, faults = 0;
        for (int n = 0; n < FullRun.Times(200, 4000); n++)
        {
            try
            {
                if (n % 2 == 0)
                    HopperKernel.Multiply(MutateOperand(product, random), 16, new ushort[2048], 1ul << 62, 1ul << 62, adds: true);
                else
                    HopperKernel.Copy(MutateOperand(box, random), map, d => d.Upload<byte>(new byte[4096], "tensor"), 4096, [0, 0]);
                ran++;
            }
            catch (GpuFaultException)
            {
                faults++;
            }
            catch (Exception e) when (e is PtxException or ArgumentException)
            {
            }
        }
        Assert.True(ran > 10 && faults > 10, $"{ran} ran, {faults} faults.");
    }

    private static string Mutate(string text, Random random)
    {
        char[] signs = [.. "{}[]();,:@!+-<>|\"/*.%$_0129afrdxU \n"];
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(text.Length), length = Math.Min(random.Next(1, 40), text.Length - at), other = random.Next(text.Length);
            text = random.Next(6) switch
            {
                0 => text[..at] + signs[random.Next(signs.Length)] + text[(at + 1)..],
                1 => text[..at] + text[(at + length)..],
                2 => text[..at] + text.Substring(at, length) + text[at..],
                3 => text[..at] + text.Substring(other, Math.Min(length, text.Length - other)) + text[at..],
                4 => text[..at],
                _ => ReplaceNumber(text, at, random),
            };
            if (text.Length == 0) return " ";
        }
        return text;
    }

    /// <summary>Exchanges two registers of a kind somewhere, or replaces a number of the body.</summary>
    private static string MutateOperand(string text, Random random)
    {
        int body = text.IndexOf("ld.param", StringComparison.Ordinal), at = random.Next(body, text.Length - 10);
        MatchCollection registers = Regex.Matches(text[body..], @"%(p|r|rd)\d+\b");
        if (random.Next(3) == 0) return ReplaceNumber(text, at, random);
        Match one = registers[random.Next(registers.Count)];
        Match[] same = [.. registers.Where(r => r.Groups[1].Value == one.Groups[1].Value)];
        return text[..(body + one.Index)] + same[random.Next(same.Length)].Value + text[(body + one.Index + one.Length)..];
    }

    private static string ReplaceNumber(string text, int at, Random random)
    {
        while (at < text.Length && !char.IsAsciiDigit(text[at])) at++;
        int end = at;
        while (end < text.Length && char.IsAsciiDigit(text[end])) end++;
        string[] numbers =
        [
            "0", "1", "31", "32", "33", "65536", "2147483648", "18446744073709551615", "99999999999999999999", "0f7F800000",
        ];
        return text[..at] + numbers[random.Next(numbers.Length)] + text[end..];
    }
}
