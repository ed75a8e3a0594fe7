using Sa2VA.Tests;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// What can be wrong with mbarriers, bulk copies and products of warpgroups is found, each fault planted in a kernel that is right.
/// </summary>
public sealed class HopperFaultTests
{
    private const int Columns = 16, Bytes = 16384;

    private static GpuFaultException Fault(Action run, string text, FaultKind kind, string at, params string[] words)
    {
        GpuFaultException fault = Assert.Throws<GpuFaultException>(run);
        Assert.True(kind == fault.Kind, fault.Message);
        string line = text.Split('\n')[fault.Line - 1];
        Assert.True(line.Contains(at, StringComparison.Ordinal), $"'{line}': {fault.Message}");
        foreach (string word in words) Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        return fault;
    }

    private static string Edit(string text, string passage, string replacement)
    {
        int at = text.IndexOf(passage, StringComparison.Ordinal);
        Assert.True(at >= 0, $"the kernel does not hold '{passage}'.");
        return text[..at] + replacement + text[(at + passage.Length)..];
    }

    // ---- products

    private const string Product = "wgmma.mma_async.sync.aligned.m64n16k16", WaitForProducts = "wgmma.wait_group.sync.aligned 0;";

    /// <summary>Descriptors of K-major operands at 0 and at 8192, their lines of 128 bytes exchanged.</summary>
    private const ulong Left = 0x4000004000010000, Right = Left + (8192 >> 4);

    private static void Multiply(string text, int seed = 1) =>
        HopperKernel.Multiply(text, Columns, new ushort[Bytes / 2], Left, Right, adds: true, seed);

    private static void ProductFault(string passage, string replacement, FaultKind kind, string at, params string[] words)
    {
        string right = HopperKernel.Product(Columns, Bytes, "1, 1, 0, 0");
        Multiply(right);
        string wrong = Edit(right, passage, replacement);
        Fault(() => Multiply(wrong), wrong, kind, at, words);
    }

    [Fact]
    public void Sums_are_read_before_their_wait() =>
        ProductFault(WaitForProducts, "", FaultKind.ProductInFlight, "st.global.f32 [%rd3+0], %f0", "reads a register", "wgmma.wait_group");

    [Fact]
    public void A_wait_lets_the_group_in_flight_that_is_needed() =>
        ProductFault(WaitForProducts, "wgmma.wait_group.sync.aligned 1;", FaultKind.ProductInFlight, "st.global.f32 [%rd3+0]");

    [Fact]
    public void A_product_that_was_not_committed_is_not_waited_for() =>
        ProductFault("wgmma.commit_group.sync.aligned;", "", FaultKind.ProductInFlight, "st.global.f32 [%rd3+0]");

    [Fact]
    public void Sums_are_written_while_a_product_adds_to_them() =>
        ProductFault(WaitForProducts, $"mov.f32 %f3, 0f00000000;\n{WaitForProducts}", FaultKind.ProductInFlight, "mov.f32 %f3",
            "writes a register");

    [Fact]
    public void Sums_are_written_without_a_fence() =>
        ProductFault("wgmma.fence.sync.aligned;", "", FaultKind.MissingFence, Product, "no wgmma.fence", "mov.f32 %f");

    [Fact]
    public void Ordinary_stores_are_read_without_a_fence() =>
        ProductFault("fence.proxy.async;", "", FaultKind.MissingFence, Product, "no fence.proxy.async", "st.shared.v4.u32");

    [Fact]
    public void A_fence_behind_the_barrier_is_one_too()
    {
        string text = Edit(HopperKernel.Product(Columns, Bytes, "1, 1, 0, 0"), "fence.proxy.async;", "");
        Multiply(Edit(text, "bar.sync 0;", "bar.sync 0;\nfence.proxy.async;"));
    }

    [Fact]
    public void Stores_and_products_race()
    {
        string text = Edit(HopperKernel.Product(Columns, Bytes, "1, 1, 0, 0"), "bar.sync 0;", "");
        var faults = new List<GpuFaultException>();
        for (int seed = 0; seed < 12; seed++)
            faults.Add(Assert.Throws<GpuFaultException>(() => Multiply(text, seed)));
        // A warp that comes first finds what nobody wrote.
        Assert.All(faults, f => Assert.True(f.Kind is FaultKind.Race or FaultKind.Uninitialised, f.Message));
        GpuFaultException race = faults.First(f => f.Kind == FaultKind.Race);
        Assert.Contains("reads in a product what warp", race.Message, StringComparison.Ordinal);
        Assert.Contains("st.shared.v4.u32", race.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_product_reads_is_overwritten() =>
        ProductFault(WaitForProducts, $"mov.u32 %r9, smem;\nsetp.eq.u32 %p3, %t, 0;\n@%p3 st.shared.u32 [%r9], %t;\n{WaitForProducts}",
            FaultKind.Race, "st.shared.u32 [%r9]", "overwrites what the product of warp", "may still read", Product);

    [Fact]
    public void A_part_of_a_warpgroup_multiplies() =>
        ProductFault("wgmma.fence.sync.aligned;", "setp.ge.u32 %p3, %t, 96;\n@%p3 exit;\nwgmma.fence.sync.aligned;", FaultKind.Deadlock,
            "wgmma.wait_group", "for products of its warpgroup that other warps have not issued");

    [Fact]
    public void A_lane_gives_another_descriptor() =>
        ProductFault("setp.ne.u32 %p2, %r1, 0;", "setp.ne.u32 %p2, %r1, 0;\nsetp.eq.u32 %p3, %t, 5;\n@%p3 add.s64 %rd5, %rd5, 1;",
            FaultKind.DivergentCollective, Product, "different matrix descriptors");

    [Fact]
    public void A_descriptor_reaches_beyond_shared_memory()
    {
        string text = HopperKernel.Product(Columns, Bytes, "1, 1, 0, 0");
        void Run() => HopperKernel.Multiply(text, Columns, new ushort[Bytes / 2], Left, Left + 0x3f0, adds: true);
        Fault(Run, text, FaultKind.OutOfBounds, Product, "outside the block's shared memory of 16384 bytes");
    }

    [Fact]
    public void Products_of_several_groups_add_in_order()
    {
        // Two groups on the same sums, both in flight; then a wait for the first lets the second be in flight still.
        string twice = Edit(HopperKernel.Product(Columns, Bytes, "1, 1, 0, 0"), WaitForProducts, """
            wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3, %f4, %f5, %f6, %f7}, %rd4, %rd5, 1, 1, 1, 0, 0;
            wgmma.commit_group.sync.aligned;
            wgmma.wait_group.sync.aligned 1;
            wgmma.wait_group.sync.aligned 0;
            """);
        var image = new ushort[Bytes / 2];
        Array.Fill(image, PtxFiles.ToBFloat16(1));
        float[,] sums = HopperKernel.Multiply(twice, Columns, image, Left, Right, adds: true);
        foreach (float sum in sums) Assert.Equal(2 + 2 * 16, sum);
        string early = Edit(twice, "wgmma.wait_group.sync.aligned 0;", "");
        Fault(() => Multiply(early), early, FaultKind.ProductInFlight, "st.global.f32 [%rd3+0]");
    }

    // ---- mbarriers and bulk copies

    private static readonly TensorMap Map = new()
    {
        Address = 0, ElementBytes = 2, Dimensions = [64, 32], Strides = [128], Box = [64, 32], Swizzle = 128,
    };

    private static void Copy(string text, int seed) =>
        HopperKernel.Copy(text, Map, d => d.Upload<byte>(new byte[4096], "tensor"), 4096, [0, 0], seed);

    private const string Bulk = "cp.async.bulk.tensor.2d", Expect = "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r7], 4096;",
        Ready = "mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r7], 0;";

    private static void CopyFault(string passage, string replacement, FaultKind kind, string at, params string[] words)
    {
        string right = HopperKernel.Box(2, 4096);
        string wrong = Edit(right, passage, replacement);
        for (int seed = 0; seed < 4; seed++)
        {
            Copy(right, seed);
            Fault(() => Copy(wrong, seed), wrong, kind, at, words);
        }
    }

    [Fact]
    public void Bytes_are_not_expected() =>
        CopyFault(Expect, "", FaultKind.Deadlock, "mbarrier.try_wait", "0 of 1 have arrived", "4096 bytes more have come than");

    [Fact]
    public void A_phase_ends_before_its_copy_has_come()
    {
        const string Arrive = "mbarrier.arrive.shared::cta.b64 _, [%r7];";
        CopyFault(Expect, Arrive, FaultKind.CopyInFlight, "ld.shared.u32 %r11", Bulk);
        string behind = Edit(Edit(HopperKernel.Box(2, 4096), Expect, ""), "READY:", $"{Arrive}\nREADY:");
        Fault(() => Copy(behind, seed: 0), behind, FaultKind.Mbarrier, Arrive, "4096 bytes of copies", Bulk);
    }

    [Fact]
    public void Too_few_bytes_are_expected() =>
        CopyFault("[%r7], 4096;", "[%r7], 4080;", FaultKind.Deadlock, "mbarrier.try_wait", "16 bytes more have come than were expected");

    [Fact]
    public void Too_many_bytes_are_expected() =>
        CopyFault("[%r7], 4096;", "[%r7], 4112;", FaultKind.Deadlock, "mbarrier.try_wait", "16 expected bytes are missing");

    [Fact]
    public void The_other_phase_is_waited_for() =>
        // That phase has not begun, so the wait ends at once.
        CopyFault(Ready, Ready.Replace(", 0;", ", 1;", StringComparison.Ordinal), FaultKind.CopyInFlight, "ld.shared.u32 %r11",
            "bulk copy copies by line", "which it has not waited for");

    [Fact]
    public void The_next_phase_is_waited_for() =>
        CopyFault("shl.b32 %r8, %t, 2;", """
            AGAIN:
            mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r7], 1;
            @!%p2 bra AGAIN;
            shl.b32 %r8, %t, 2;
            """, FaultKind.Deadlock, "mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r7], 1;", "in whose phase 1 0 of 1 have arrived");

    [Fact]
    public void A_copy_is_not_waited_for()
    {
        CopyFault(Ready, "setp.eq.u32 %p2, %t, %t;", FaultKind.CopyInFlight, "ld.shared.u32 %r11");
        // Nobody waits at all: found where the block ends before the copy has landed.
        string deaf = Edit(HopperKernel.Box(2, 4096), Ready, "ret;\nsetp.eq.u32 %p2, %t, %t;");
        int found = 0;
        for (int seed = 0; seed < 8; seed++)
        {
            try
            {
                Copy(deaf, seed);
            }
            catch (GpuFaultException e) when (e.Message.Contains("the block ends before this bulk copy", StringComparison.Ordinal))
            {
                found++;
            }
        }
        Assert.InRange(found, 1, 8);
    }

    [Fact]
    public void An_mbarrier_is_used_before_its_fence_or_its_making()
    {
        CopyFault("fence.mbarrier_init.release.cluster;", "", FaultKind.MissingFence, Bulk, "fence.mbarrier_init");
        CopyFault("mbarrier.init.shared::cta.b64 [%r7], 1;", "", FaultKind.Uninitialised, "mbarrier", "no mbarrier was made");
    }

    [Fact]
    public void More_arrive_than_the_barrier_is_for() =>
        CopyFault(Expect, $"mbarrier.expect_tx.shared::cta.b64 [%r7], 8;\n{Expect}\nmbarrier.arrive.shared::cta.b64 _, [%r7];",
            FaultKind.Mbarrier, "mbarrier.arrive.shared::cta", "one arrival too many");

    [Fact]
    public void A_copy_goes_where_another_is_in_flight()
    {
        string right = HopperKernel.Box(2, 4096), bulk = right.Split('\n').Single(l => l.Contains(Bulk, StringComparison.Ordinal)).Trim();
        CopyFault(bulk, $"mbarrier.expect_tx.shared::cta.b64 [%r7], 4096;\n{bulk}\n{bulk}", FaultKind.CopyInFlight, Bulk, "overwrites");
        CopyFault(bulk, bulk.Replace("[%r6]", "[%r6+64]", StringComparison.Ordinal), FaultKind.Misaligned, Bulk, "multiple of 128");
        CopyFault(bulk, bulk.Replace("[%r6]", "[%r6+128]", StringComparison.Ordinal), FaultKind.OutOfBounds, Bulk,
            "outside the block's shared");
    }

    [Fact]
    public void Lanes_sleep_while_others_of_their_warp_go_on()
    {
        // Lane 0 waits for what lane 1 does later; both are one warp.
        const string Body = """
            add.u32 %r2, %r1, 64;
            setp.eq.u32 %p1, %t, 0;
            @%p1 mbarrier.init.shared.b64 [%r2], 31;
            bar.warp.sync 0xffffffff;
            setp.ne.u32 %p2, %t, 0;
            @%p2 bra OTHERS;
            WAIT:
            mbarrier.try_wait.parity.shared.b64 %p3, [%r2], 0;
            @!%p3 bra WAIT;
            ld.shared.u32 %r4, [%r1];
            st.global.u32 [%rd1], %r4;
            bra END;
            OTHERS:
            setp.eq.u32 %p4, %t, 1;
            @%p4 st.shared.u32 [%r1], 77;
            mbarrier.arrive.shared.b64 %rd2, [%r2];
            END:
            elect.sync %r5|%p5, 0xffffffff;
            @%p5 st.global.u32 [%rd1+4], %r5;
            @%p5 st.global.u32 [%rd1+8], 5;
            """;
        Assert.Equal([77, 0, 5], HopperKernel.Run(HopperKernel.Bare(Body), threads: 32)[..3]);
        string few = HopperKernel.Bare(Edit(Body, "[%r2], 31;", "[%r2], 32;"));
        Fault(() => HopperKernel.Run(few, threads: 32), few, FaultKind.Deadlock, "mbarrier.try_wait", "31 of 32 have arrived");
    }

    [Fact]
    public void A_state_tells_the_phase_that_is_waited_for()
    {
        const string Body = """
            setp.ne.u32 %p1, %t, 0;
            @%p1 bra END;
            mbarrier.init.shared.b64 [%r1], 2;
            mbarrier.arrive.shared.b64 %rd2, [%r1];
            mbarrier.test_wait.shared.b64 %p2, [%r1], %rd2;
            selp.u32 %r2, 1, 2, %p2;
            mbarrier.arrive.shared.b64 %rd3, [%r1];
            mbarrier.test_wait.shared.b64 %p2, [%r1], %rd2;
            selp.u32 %r3, 1, 2, %p2;
            mbarrier.arrive.shared.b64 %rd3, [%r1], 2;
            mbarrier.test_wait.parity.shared.b64 %p2, [%r1], 1;
            selp.u32 %r4, 1, 2, %p2;
            mbarrier.inval.shared.b64 [%r1];
            st.global.u32 [%rd1], %r2;
            st.global.u32 [%rd1+4], %r3;
            st.global.u32 [%rd1+8], %r4;
            END:
            """;
        Assert.Equal([2, 1, 1], HopperKernel.Run(HopperKernel.Bare(Body))[..3]);
    }

    [Fact]
    public void Registers_are_taken_from_those_that_others_gave_back()
    {
        // 128 threads of .maxntid begin with 255 / 8 · 8 = 248; the first two warps take what the others give.
        const string Body = """
            setp.ge.u32 %p1, %t, 64;
            @%p1 bra GIVE;
            setmaxnreg.inc.sync.aligned.u32 256;
            st.global.u32 [%rd1], 1;
            bra END;
            GIVE:
            setmaxnreg.dec.sync.aligned.u32 240;
            END:
            """;
        for (int seed = 0; seed < 4; seed++) HopperKernel.Run(HopperKernel.Bare(Body), seed: seed);
        string greedy = HopperKernel.Bare(Edit(Body, "setmaxnreg.dec.sync.aligned.u32 240;", ""));
        Fault(() => HopperKernel.Run(greedy), greedy, FaultKind.Deadlock, "setmaxnreg.inc", "for registers, of which 0 a thread are free");
    }

    // ---- what is refused when it is loaded

    [Theory]
    [InlineData("wgmma.fence.sync.aligned;", "sm_90", "needs target sm_90a")]
    [InlineData("setmaxnreg.dec.sync.aligned.u32 40;", "sm_90", "needs target sm_90a")]
    [InlineData("mbarrier.init.shared.b64 [%r1], 1;", "sm_80", "needs target sm_90")]
    [InlineData("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1], 16, [%r1];", "sm_80",
        "needs target sm_90")]
    [InlineData("setmaxnreg.dec.sync.aligned.u32 41;", "sm_90a", "a multiple of 8")]
    [InlineData("wgmma.mma_async.sync.aligned.m64n12k16.f32.bf16.bf16 {%f0}, %rd1, %rd1, 1, 1, 1, 0, 0;", "sm_90a", "not supported")]
    [InlineData("wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 {%f0}, %rd1, %rd1, 1, 1, 1;", "sm_90a", "the instruction has no type")]
    [InlineData("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1}, %rd1, %rd1, 1, 1, 1, 0, 0;", "sm_90a",
        "must have 4 registers")]
    [InlineData("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0, %f1, %f2, %f3}, %rd1, %rd1, 1, 2, 1, 0, 0;", "sm_90a",
        "1 or -1")]
    [InlineData("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], [%rd1, {%r1}], [%r1];", "sm_90a",
        "must have 2 coordinates")]
    [InlineData("cp.async.bulk.tensor.1d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r1], [%rd1, {%r1}], "
        + "[%r1];", "sm_90a", "an operand is missing")]
    [InlineData("mbarrier.arrive_drop.shared.b64 %rd1, [%r1];", "sm_90a", "not supported")]
    [InlineData("fence.proxy.alias;", "sm_90a", "not supported")]
    public void What_is_not_executed_is_refused(string instruction, string target, string word)
    {
        string text = HopperKernel.Bare(instruction, target);
        using var device = new VirtualDevice(HopperKernel.Options);
        PtxException refused = Assert.Throws<PtxException>(() => device.LoadModule(text));
        Assert.Contains(word, refused.Message, StringComparison.Ordinal);
        Assert.Contains(instruction[..16], refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(89)]
    [InlineData(100)]
    public void A_module_for_Hopper_runs_on_Hopper_only(int capability)
    {
        using var device = new VirtualDevice(HopperKernel.Options with { Capability = capability });
        PtxException refused = Assert.Throws<PtxException>(() => device.LoadModule(PtxFiles.Text("gemm_sm90")));
        Assert.Contains($"the module is for sm_90a, this device is an sm_{capability}", refused.Message, StringComparison.Ordinal);
    }
}
