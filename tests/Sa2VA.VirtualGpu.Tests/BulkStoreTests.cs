using System.Runtime.InteropServices;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// Bulk copies from shared to global memory: what they store, and what can be wrong, each fault planted in a kernel that is right.
/// </summary>
public sealed class BulkStoreTests
{
    private const string Fence = "fence.proxy.async.shared::cta;", Commit = "cp.async.bulk.commit_group;",
        WaitForRead = "cp.async.bulk.wait_group.read 0;", Wait = "cp.async.bulk.wait_group 0;";

    /// <summary>A kernel that fills shared memory with a pattern and has thread 0 store it.</summary>
    private static string Text(string store, int bytes) => HopperKernel.Text(
        ".param .align 64 .b8 map[128], .param .u64 out, .param .align 4 .b8 x[20]", $$"""
        mov.b64 %rd1, map;
        cvta.param.u64 %rd2, %rd1;
        ld.param.u64 %rd3, [out];
        {{string.Join('\n', Enumerable.Range(0, 5).Select(n => $"ld.param.u32 %r{n + 1}, [x+{4 * n}];"))}}
        mov.u32 %r6, smem;
        shl.b32 %r8, %t, 2;
        setp.ne.u32 %p1, %t, 0;
        setp.eq.u32 %p4, %t, 64;
        FILL:
        add.u32 %r9, %r6, %r8;
        mul.lo.u32 %r10, %r8, 0x9e3779b1;
        st.shared.u32 [%r9], %r10;
        add.u32 %r8, %r8, 512;
        setp.lt.u32 %p2, %r8, {{bytes}};
        @%p2 bra FILL;
        {{Fence}}
        bar.sync 0;
        @%p1 bra DONE;
        {{store}}
        {{Commit}}
        {{WaitForRead}}
        {{Wait}}
        DONE:
        bar.sync 0;
        """);

    private static string Tensor(int dimensions, int bytes) => Text($"cp.async.bulk.tensor.{dimensions}d.global.shared::cta.bulk_group "
        + $"[%rd2, {{{string.Join(", ", Enumerable.Range(1, dimensions).Select(n => $"%r{n}"))}}}], [%r6];", bytes);

    private const string PlainStore = "cp.async.bulk.global.shared::cta.bulk_group [%rd3], [%r6], 4096;";

    private static byte[] Pattern(int bytes) =>
        MemoryMarshal.AsBytes<uint>([.. Enumerable.Range(0, bytes / 4).Select(n => (uint)(4 * n) * 0x9e3779b1)]).ToArray();

    /// <summary>What memory of so many bytes, ones before, holds behind a kernel.</summary>
    private static byte[] Run(string text, int bytes, int allocated, TensorMap? map = null, int[]? at = null, int seed = 1, int blocks = 1,
        bool checks = true)
    {
        using var device = new VirtualDevice(HopperKernel.Options with { Seed = seed, Checks = checks, Workers = 1 });
        VirtualKernel kernel = device.LoadModule(text)["k"];
        byte[] ones = [.. Enumerable.Repeat((byte)0xff, allocated)];
        ulong output = device.Upload<byte>(ones, "out");
        var x = new int[5];
        at?.CopyTo(x, 0);
        KernelArgument encoded = new(map is null ? new byte[128] : (map with { Address = output }).Encode());
        device.Launch(kernel, new(blocks), new(128), Math.Max(bytes, 512), [encoded, output, new(MemoryMarshal.AsBytes<int>(x))]);
        device.Read<byte>(output, ones);
        return ones;
    }

    /// <summary>Every element of the box by its coordinates; what lies outside is dropped.</summary>
    private static byte[] Expected(byte[] box, int allocated, TensorMap map, int[] at)
    {
        int rank = map.Dimensions.Count, size = map.ElementBytes;
        byte[] tensor = [.. Enumerable.Repeat((byte)0xff, allocated)];
        for (int n = 0; n < box.Length / size; n++)
        {
            int rest = n, line = n * size / 128, place = n * size;
            long offset = 0;
            bool inside = true;
            for (int d = 0; d < rank; d++)
            {
                long c = at[d] + rest % (int)map.Box[d];
                rest /= (int)map.Box[d];
                inside &= c >= 0 && c < (long)map.Dimensions[d];
                offset += c * (d == 0 ? size : (long)map.Strides[d - 1]);
            }
            if (map.Swizzle > 0)
            {
                int pieces = map.Swizzle / 16, piece = place / 16 % pieces;
                place = place - piece * 16 + (piece ^ line % pieces) * 16;
            }
            for (int k = 0; k < size && inside; k++) tensor[offset + k] = box[place + k];
        }
        return tensor;
    }

    private static void Check(TensorMap map, int allocated, params int[][] corners)
    {
        int bytes = map.Box.Aggregate(map.ElementBytes, (x, y) => x * (int)y);
        string text = Tensor(map.Dimensions.Count, bytes);
        for (int n = 0; n < corners.Length; n++)
            Assert.Equal(Expected(Pattern(bytes), allocated, map, corners[n]), Run(text, bytes, allocated, map, corners[n], seed: n));
    }

    [Theory]
    [MemberData(nameof(TestBoxes.AcrossEdges), MemberType = typeof(TestBoxes))]
    public void What_of_a_box_lies_outside_is_dropped(int swizzle, int wide) =>
        Check(TestBoxes.Flat(swizzle, wide), TestBoxes.FlatBytes, TestBoxes.FlatCorners);

    [Fact]
    public void Boxes_have_up_to_five_dimensions()
    {
        foreach ((TensorMap map, int bytes, int[][] corners) in TestBoxes.Deep) Check(map, bytes, corners);
    }

    [Fact]
    public void A_plain_store_brings_what_it_says()
    {
        for (int seed = 0; seed < 4; seed++) Assert.Equal(Pattern(4096), Run(Text(PlainStore, 4096), 4096, 4096, seed: seed));
    }

    // ---- what can be wrong

    private static void Fault(string passage, string replacement, FaultKind kind, string at, params string[] words)
    {
        string right = Text(PlainStore, 4096), wrong = Edit(right, passage, replacement);
        for (int seed = 0; seed < 6; seed++)
        {
            Run(right, 4096, 4096, seed: seed);
            GpuFaultException fault = Assert.Throws<GpuFaultException>(() => Run(wrong, 4096, 4096, seed: seed));
            Assert.True(kind == fault.Kind, fault.Message);
            Assert.Contains(at, wrong.Split('\n')[fault.Line - 1], StringComparison.Ordinal);
            foreach (string word in words) Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        }
    }

    private static string Edit(string text, string passage, string replacement)
    {
        Assert.Contains(passage, text, StringComparison.Ordinal);
        return text.Replace(passage, replacement, StringComparison.Ordinal);
    }

    [Fact]
    public void Ordinary_stores_are_stored_without_a_fence() =>
        Fault(Fence, "", FaultKind.MissingFence, PlainStore, "a bulk store reads shared", "no fence.proxy.async between", "st.shared");

    [Fact]
    public void Nobody_waits_for_the_reading()
    {
        Fault($"{Commit}\n{WaitForRead}\n{Wait}", Commit, FaultKind.CopyInFlight, PlainStore, "the block ends before this bulk store");
        Fault(Commit, "", FaultKind.CopyInFlight, PlainStore, "the block ends before this bulk store");
        Fault($"{WaitForRead}\n{Wait}", "cp.async.bulk.wait_group.read 1;", FaultKind.CopyInFlight, PlainStore, "the block ends before");
    }

    [Fact]
    public void The_source_is_overwritten_before_it_has_been_read()
    {
        const string Overwrite = "st.shared.u32 [%r6+64], 7;";
        Fault(WaitForRead, Overwrite, FaultKind.CopyInFlight, Overwrite, "overwrites what the bulk store of line", "may still read");
        Fault(WaitForRead, $"cp.async.bulk.wait_group.read 1;\n{Overwrite}", FaultKind.CopyInFlight, Overwrite, "may still read");
        string right = Edit(Text(PlainStore, 4096), WaitForRead, $"{WaitForRead}\n{Overwrite}");
        for (int seed = 0; seed < 6; seed++) Assert.Equal(Pattern(4096), Run(right, 4096, 4096, seed: seed));
        // Another warp, which no barrier tells of the wait; which one does.
        string other = Edit(Text(PlainStore, 4096), "DONE:\nbar.sync 0;", $"DONE:\n@%p4 {Overwrite}\nbar.sync 0;");
        List<FaultKind> kinds = [];
        for (int seed = 0; seed < 12; seed++) kinds.Add(Assert.Throws<GpuFaultException>(() => Run(other, 4096, 4096, seed: seed)).Kind);
        // Where it came before the store, the store reads what nobody fenced.
        Assert.All(kinds, k => Assert.True(k is FaultKind.Race or FaultKind.CopyInFlight or FaultKind.MissingFence));
        string told = Edit(Text(PlainStore, 4096), "DONE:\nbar.sync 0;", $"DONE:\nbar.sync 0;\n@%p4 {Overwrite}");
        for (int seed = 0; seed < 6; seed++) Assert.Equal(Pattern(4096), Run(told, 4096, 4096, seed: seed));
    }

    [Fact]
    public void The_result_is_touched_before_it_has_arrived()
    {
        const string Load = "ld.global.u32 %r11, [%rd3+64];", Store = "st.global.u32 [%rd3+64], 7;",
            Add = "red.global.add.u32 [%rd3+64], 7;";
        foreach (string touch in new[] { Load, Store, Add })
            Fault(WaitForRead, $"{WaitForRead}\n{touch}", FaultKind.CopyInFlight, touch, "touches what warp 0 stores", "wait_group");
        string right = Edit(Text(PlainStore, 4096), Wait, $"{Wait}\n{Load}\nst.global.u32 [%rd3], %r11;");
        byte[] expected = Pattern(4096);
        expected.AsSpan(64, 4).CopyTo(expected);
        for (int seed = 0; seed < 6; seed++) Assert.Equal(expected, Run(right, 4096, 4096, seed: seed));
    }

    /// <summary>Without checks a source that is overwritten early, and a result that is read early, are wrong in some order.</summary>
    [Fact]
    public void Who_does_not_wait_gets_it_wrong_in_some_order()
    {
        string early = Edit(Text(PlainStore, 4096), WaitForRead, "st.shared.u32 [%r6], 7;"),
            hasty = Edit(Text(PlainStore, 4096), WaitForRead, "ld.global.u32 %r11, [%rd3+64];");
        hasty = Edit(hasty, Wait, $"{Wait}\nst.global.u32 [%rd3], %r11;");
        byte[] right = Pattern(4096), copied = [.. right];
        copied.AsSpan(64, 4).CopyTo(copied);
        int[] wrong = new int[2];
        for (int seed = 0; seed < 16; seed++)
        {
            if (!Run(early, 4096, 4096, seed: seed, checks: false).SequenceEqual(right)) wrong[0]++;
            if (!Run(hasty, 4096, 4096, seed: seed, checks: false).SequenceEqual(copied)) wrong[1]++;
        }
        Assert.All(wrong, n => Assert.InRange(n, 1, 15));
    }

    [Fact]
    public void Places_and_sizes_that_do_not_fit_are_told()
    {
        Fault(PlainStore, PlainStore.Replace("4096", "4104", StringComparison.Ordinal), FaultKind.Illegal, "4104", "multiple of 16");
        Fault(PlainStore, PlainStore.Replace("[%r6]", "[%r6+8]", StringComparison.Ordinal), FaultKind.Misaligned, "[%r6+8]",
            "multiple of 16");
        Fault(PlainStore, PlainStore.Replace("[%r6]", "[%r6+16]", StringComparison.Ordinal), FaultKind.OutOfBounds, "[%r6+16]", "outside");
        Fault(PlainStore, $"add.s64 %rd3, %rd3, 16;\n{PlainStore}", FaultKind.OutOfBounds, "bulk_group", "across the end of out");
        GpuFaultException race = Assert.Throws<GpuFaultException>(() => Run(Text(PlainStore, 4096), 4096, 4096, blocks: 2));
        Assert.Equal(FaultKind.Race, race.Kind);
        Assert.Contains("cp.async.bulk.global", race.Message, StringComparison.Ordinal);
        var map = new TensorMap { Address = 0, ElementBytes = 2, Dimensions = [64, 32], Strides = [128], Box = [64, 16] };
        string shifted = Edit(Tensor(2, 2048), "[%r6];", "[%r6+64];");
        Assert.Contains("no multiple of 128", Assert.Throws<GpuFaultException>(() => Run(shifted, 4096, 4096, map, [0, 0])).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cp.async.bulk.global.shared::cluster.bulk_group [%rd1], [%r1], 16;", "is not supported")]
    [InlineData("cp.async.bulk.global.shared::cta [%rd1], [%r1], 16;", "is not supported")]
    [InlineData("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd1, {%r1}], [%r1];", "must have 2 coordinates")]
    [InlineData("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%rd1], [%r1], 16;", "not supported")]
    [InlineData("cp.async.bulk.wait_group -1;", "must be a number")]
    public void What_is_not_executed_is_refused(string instruction, string word)
    {
        using var device = new VirtualDevice(HopperKernel.Options);
        PtxException refused = Assert.Throws<PtxException>(() => device.LoadModule(HopperKernel.Bare(instruction)));
        Assert.Contains(word, refused.Message, StringComparison.Ordinal);
    }

    /// <summary>Blocks that do nothing but store are limited by memory: 16 MiB take what device memory takes, or a little more.</summary>
    [Fact]
    public void The_model_gives_stores_their_time()
    {
        const int Blocks = 512, Bytes = 32768;
        string text = Edit(Text(PlainStore.Replace("4096", $"{Bytes}", StringComparison.Ordinal), Bytes), PlainStore[..30],
            $"mov.u32 %r20, %ctaid.x;\nmul.wide.u32 %rd9, %r20, {Bytes};\nadd.s64 %rd3, %rd3, %rd9;\n{PlainStore[..30]}");
        using var device = new VirtualDevice(HopperKernel.Options with { SampleBlocks = 4 });
        ulong output = device.Allocate(Blocks * Bytes, "out");
        ModelledTime time = device.Model(device.LoadModule(text)["k"], new(Blocks), new(128), Bytes,
            [new(new byte[128]), output, new(new byte[20])], CardRates.H200, registers: 32);
        double least = Blocks * Bytes / CardRates.H200.DramBytesPerSecond;
        Assert.InRange(time.Seconds, least, 4 * least);
    }
}
