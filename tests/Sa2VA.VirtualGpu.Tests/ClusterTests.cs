using System.Runtime.InteropServices;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// Clusters: blocks that reach each other's shared memory, wait for each other and get copies together; and what can be wrong about that,
/// each fault planted in a kernel that is right.
/// </summary>
public sealed class ClusterTests
{
    private const string Arrive = "barrier.cluster.arrive.aligned;", Wait = "barrier.cluster.wait.aligned;", Both = $"{Arrive}\n{Wait}";

    /// <summary>A kernel of clusters of two blocks: its rank is in %r30, the other's in %r31, its place in the output at %rd1.</summary>
    private static string Text(string body, string size = "2, 1, 1") => HopperKernel.Bare($"""
        mov.u32 %r30, %cluster_ctarank;
        xor.b32 %r31, %r30, 1;
        mov.u32 %r32, %ctaid.x;
        mov.u32 %r33, %ntid.x;
        mad.lo.u32 %r34, %r32, %r33, %t;
        mul.wide.u32 %rd2, %r34, 4;
        add.s64 %rd1, %rd1, %rd2;
        shl.b32 %r35, %t, 2;
        add.u32 %r2, %r1, %r35;
        setp.eq.u32 %p1, %t, 0;
        setp.eq.u32 %p2, %r30, 0;
        {body}
        """).Replace(".maxntid 128, 1, 1", $".maxntid 128, 1, 1\n.reqnctapercluster {size}", StringComparison.Ordinal);

    private static uint[] Run(string text, int seed = 1, int blocks = 4, int threads = 64, Dim3? grid = null)
    {
        using var device = new VirtualDevice(HopperKernel.Options with { Seed = seed, Workers = 2 });
        VirtualKernel kernel = device.LoadModule(text)["k"];
        ulong output = device.Upload<uint>(new uint[blocks * threads], "out");
        device.Launch(kernel, grid ?? new(blocks), new(threads), 4096, [output]);
        var result = new uint[blocks * threads];
        device.Read<uint>(output, result);
        return result;
    }

    private static void Fault(string right, string passage, string replacement, FaultKind[] kinds, params string[] words)
    {
        Assert.Contains(passage, right, StringComparison.Ordinal);
        string wrong = right.Replace(passage, replacement, StringComparison.Ordinal);
        for (int seed = 0; seed < 6; seed++)
        {
            Run(right, seed);
            GpuFaultException fault = Assert.Throws<GpuFaultException>(() => Run(wrong, seed));
            Assert.True(kinds.Contains(fault.Kind), fault.Message);
            if (fault.Kind == kinds[0])
                foreach (string word in words) Assert.Contains(word, fault.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Each thread stores its number and its block's, and reads what the same thread of the other block has stored.</summary>
    private static readonly string Exchange = Text($"""
        st.shared.u32 [%r2], %r34;
        {Both}
        mapa.shared::cluster.u32 %r3, %r2, %r31;
        ld.shared::cluster.u32 %r4, [%r3];
        st.global.u32 [%rd1], %r4;
        {Both}
        """);

    /// <summary>The other way round: each thread stores to the other block, by a generic address, and reads what came.</summary>
    private static readonly string Push = Text($"""
        {Both}
        mul.wide.u32 %rd3, %r2, 1;
        cvta.shared.u64 %rd3, %rd3;
        mapa.u64 %rd4, %rd3, %r31;
        st.u32 [%rd4], %r34;
        {Both}
        ld.shared.u32 %r4, [%r2];
        st.global.u32 [%rd1], %r4;
        """);

    /// <summary>Warps of block 1 tell block 0 by its mbarrier what they have stored there; block 0's warps read it.</summary>
    private static readonly string Told = Text($"""
        @%p1 mbarrier.init.shared::cta.b64 [%r1+1024], 64;
        @%p1 fence.mbarrier_init.release.cluster;
        {Both}
        @%p2 bra READ;
        mapa.shared::cluster.u32 %r3, %r2, 0;
        st.shared::cluster.u32 [%r3], %r34;
        add.u32 %r5, %r1, 1024;
        mapa.shared::cluster.u32 %r5, %r5, 0;
        mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r5];
        bra END;
        READ:
        mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p3, [%r1+1024], 0;
        @!%p3 bra READ;
        ld.shared.u32 %r4, [%r2];
        st.global.u32 [%rd1], %r4;
        END:
        """);

    private static uint[] Others => [.. Enumerable.Range(0, 256).Select(n => (uint)(n ^ 64))];

    [Fact]
    public void Blocks_reach_each_others_memory()
    {
        for (int seed = 0; seed < 6; seed++)
        {
            Assert.Equal(Others, Run(Exchange, seed));
            Assert.Equal(Others, Run(Push, seed));
            Assert.Equal([.. Others.Select((x, n) => n / 64 % 2 == 0 ? x : 0)], Run(Told, seed));
        }
    }

    [Fact]
    public void Atomics_of_all_blocks_meet_in_one()
    {
        string text = Text($"""
            @%p1 st.shared.u32 [%r1], 0;
            {Both}
            mapa.shared::cluster.u32 %r3, %r1, 0;
            red.shared::cluster.add.u32 [%r3], 1;
            getctarank.shared::cluster.u32 %r5, %r3;
            {Both}
            ld.shared.u32 %r4, [%r1];
            add.u32 %r4, %r4, %r5;
            st.global.u32 [%rd1], %r4;
            """, "4, 1, 1");
        for (int seed = 0; seed < 4; seed++)
            Assert.Equal([.. Enumerable.Range(0, 256).Select(n => n < 64 ? 256u : 0)], Run(text, seed));
    }

    [Fact]
    public void A_block_knows_its_place_in_its_cluster()
    {
        // 4 × 4 blocks in clusters of 2 × 2.
        string text = Text("""
            mov.u32 %r3, %ctaid.y;
            mul.lo.u32 %r3, %r3, 1024;
            mul.wide.u32 %rd3, %r3, 1;
            add.s64 %rd1, %rd1, %rd3;
            mov.u32 %r4, %cluster_ctaid.x;
            mov.u32 %r5, %cluster_ctaid.y;
            mov.u32 %r6, %clusterid.x;
            mov.u32 %r7, %clusterid.y;
            mov.u32 %r8, %nclusterid.y;
            mov.u32 %r9, %cluster_nctarank;
            mad.lo.u32 %r4, %r5, 10, %r4;
            mad.lo.u32 %r4, %r6, 100, %r4;
            mad.lo.u32 %r4, %r7, 1000, %r4;
            mad.lo.u32 %r4, %r30, 10000, %r4;
            mad.lo.u32 %r4, %r8, 100000, %r4;
            mad.lo.u32 %r4, %r9, 1000000, %r4;
            st.global.u32 [%rd1], %r4;
            """, "2, 2, 1");
        uint[] found = Run(text, blocks: 16, grid: new(4, 4));
        for (uint y = 0; y < 4; y++)
            for (uint x = 0; x < 4; x++)
                Assert.Equal(4_200_000 + 10000 * (x % 2 + 2 * (y % 2)) + 1000 * (y / 2) + 100 * (x / 2) + 10 * (y % 2) + x % 2,
                    found[(4 * y + x) * 64]);
        using var device = new VirtualDevice(HopperKernel.Options);
        ArgumentException refused = Assert.Throws<ArgumentException>(() => Run(Exchange, blocks: 3));
        Assert.Contains("no whole clusters of (2, 1, 1)", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Somebody_reads_before_the_other_block_has_written()
    {
        Fault(Exchange, $"st.shared.u32 [%r2], %r34;\n{Both}", "st.shared.u32 [%r2], %r34;", [FaultKind.Race, FaultKind.Uninitialised],
            "reads what warp", "of the cluster's block", "st.shared.u32");
        Fault(Exchange, $"st.shared.u32 [%r2], %r34;\n{Both}",
            $"st.shared.u32 [%r2], %r34;\nbarrier.cluster.arrive.relaxed.aligned;\n{Wait}", [FaultKind.Race],
            "reads what warp", "st.shared.u32");
        Fault(Push, $"st.u32 [%rd4], %r34;\n{Both}", $"st.u32 [%rd4], %r34;\nbar.sync 0;", [FaultKind.Race, FaultKind.Uninitialised,
            FaultKind.EndedBlock], "reads what warp", "st.u32");
        Fault(Told, "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r5];",
            "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r5];\nst.shared::cluster.u32 [%r3], %r4;",
            [FaultKind.Race, FaultKind.EndedBlock], "st.shared::cluster.u32");
    }

    /// <summary>Whatever the order, found from what orders the two; and where the other block has ended before, at once.</summary>
    [Fact]
    public void Somebody_uses_a_block_that_may_have_ended()
    {
        Fault(Exchange, $"st.global.u32 [%rd1], %r4;\n{Both}", "st.global.u32 [%rd1], %r4;", [FaultKind.EndedBlock],
            "ld.shared::cluster.u32");
        Fault(Told, $"mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %p3, [%r1+1024], 0;\n@!%p3 bra READ;", "bra END;",
            [FaultKind.EndedBlock], "block (");
    }

    [Fact]
    public void Blocks_do_not_wait_for_each_other_as_they_must()
    {
        Fault(Exchange, $"st.global.u32 [%rd1], %r4;\n{Both}", $"st.global.u32 [%rd1], %r4;\n{Both}\n{Wait}", [FaultKind.Illegal],
            "without having arrived");
        Fault(Exchange, $"st.global.u32 [%rd1], %r4;\n{Both}", $"st.global.u32 [%rd1], %r4;\n{Arrive}\n{Both}", [FaultKind.Illegal],
            "twice without waiting");
        Fault(Told, "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r5];", "", [FaultKind.Deadlock, FaultKind.EndedBlock],
            "0 of 64 have arrived");
        // A warp of one block never comes to the barrier: it waits for the other block at a barrier of its own.
        Fault(Exchange, $"st.shared.u32 [%r2], %r34;\n{Both}", $"st.shared.u32 [%r2], %r34;\n@%p2 bar.sync 1, 128;\n{Both}",
            [FaultKind.Deadlock], "at the barrier of its cluster", "of block (");
    }

    [Fact]
    public void Addresses_of_other_blocks_are_used_as_they_may_be()
    {
        Fault(Exchange, "mapa.shared::cluster.u32 %r3, %r2, %r31;", "mapa.shared::cluster.u32 %r3, %r2, 2;", [FaultKind.Illegal],
            "there is no block 2 in a cluster of 2");
        Fault(Exchange, "ld.shared::cluster.u32 %r4, [%r3];", "ld.shared::cta.u32 %r4, [%r3];", [FaultKind.OutOfBounds],
            "outside the block's shared memory");
        Fault(Exchange, "ld.shared::cluster.u32 %r4, [%r3];", "ld.shared::cluster.u32 %r4, [%r3+8192];", [FaultKind.OutOfBounds],
            "outside the block's shared memory of 4096 bytes");
    }

    /// <summary>Blocks of one cluster may order their accesses to global memory; those of two may not.</summary>
    [Fact]
    public void Clusters_race_for_global_memory()
    {
        string text = Text("mul.wide.u32 %rd3, %r35, 1;\nsub.s64 %rd1, %rd1, %rd2;\nadd.s64 %rd1, %rd1, %rd3;\nst.global.u32 [%rd1], 1;");
        Assert.Equal(1u, Run(text, blocks: 2)[0]);
        GpuFaultException fault = Assert.Throws<GpuFaultException>(() => Run(text, blocks: 4));
        Assert.Equal(FaultKind.Race, fault.Kind);
        Assert.Contains("race between blocks", fault.Message, StringComparison.Ordinal);
    }

    // ---- copies to several blocks

    private const string Copy = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r1], [%rd5], 256, "
        + "[%r6], %h1;";

    /// <summary>Block 0 has 64 words copied to both: what lies behind the output, for each cluster other ones.</summary>
    private static readonly string Multicast = Text($"""
        mov.u32 %r7, %clusterid.x;
        mul.lo.u32 %r7, %r7, 512;
        mul.wide.u32 %rd5, %r7, 1;
        sub.s64 %rd6, %rd1, %rd2;
        add.s64 %rd5, %rd6, %rd5;
        add.s64 %rd5, %rd5, 1024;
        add.u32 %r6, %r1, 1024;
        @%p1 mbarrier.init.shared::cta.b64 [%r6], 1;
        @%p1 fence.mbarrier_init.release.cluster;
        @%p1 mbarrier.arrive.expect_tx.shared::cta.b64 %rd7, [%r6], 256;
        {Both}
        mov.u16 %h1, 3;
        and.pred %p4, %p1, %p2;
        @%p4 {Copy}
        READY:
        mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r6], 0;
        @!%p3 bra READY;
        ld.shared.u32 %r4, [%r2];
        st.global.u32 [%rd1], %r4;
        """).Replace(".reg .b32 %t;", ".reg .b32 %t;\n.reg .b16 %h<3>;", StringComparison.Ordinal);

    private static uint[] Copied(string text, int seed)
    {
        using var device = new VirtualDevice(HopperKernel.Options with { Seed = seed, Workers = 1 });
        VirtualKernel kernel = device.LoadModule(text)["k"];
        uint[] words = [.. Enumerable.Range(0, 512).Select(n => (uint)n)];
        ulong output = device.Upload<uint>(words, "out");
        device.Launch(kernel, new(4), new(64), 4096, [output]);
        device.Read<uint>(output, words);
        return words[..256];
    }

    [Fact]
    public void One_copy_comes_to_several_blocks()
    {
        for (int seed = 0; seed < 6; seed++)
            Assert.Equal([.. Enumerable.Range(0, 256).Select(n => (uint)(256 + n / 128 * 128 + n % 64))], Copied(Multicast, seed));
    }

    [Fact]
    public void Copies_to_several_blocks_need_what_one_needs()
    {
        void Wrong(string passage, string replacement, FaultKind kind, string word)
        {
            Assert.Contains(passage, Multicast, StringComparison.Ordinal);
            string text = Multicast.Replace(passage, replacement, StringComparison.Ordinal);
            for (int seed = 0; seed < 6; seed++)
            {
                GpuFaultException fault = Assert.Throws<GpuFaultException>(() => Copied(text, seed));
                Assert.True(kind == fault.Kind || kind == FaultKind.Race && fault.Kind == FaultKind.CopyInFlight, fault.Message);
                Assert.Contains(word, fault.Message, StringComparison.Ordinal);
            }
        }
        Wrong("mov.u16 %h1, 3;", "mov.u16 %h1, 7;", FaultKind.Illegal, "blocks 0x7 of a cluster of 2");
        Wrong("mov.u16 %h1, 3;", "mov.u16 %h1, 1;", FaultKind.Deadlock, "256 expected bytes are missing");
        Wrong($"@%p4 {Copy}", $"st.shared.u32 [%r2], %t;\n@%p4 {Copy}", FaultKind.Race, "overwrites what");
    }

    [Theory]
    [InlineData("ld.shared::cluster.u32 %r4, [%r1];", "needs target sm_90")]
    [InlineData("barrier.cluster.arrive;", "needs target sm_90")]
    [InlineData("mapa.shared::cluster.u32 %r4, %r1, 0;", "needs target sm_90")]
    public void Older_targets_have_no_clusters(string instruction, string word)
    {
        using var device = new VirtualDevice(HopperKernel.Options);
        Assert.Contains(word, Assert.Throws<PtxException>(() => device.LoadModule(HopperKernel.Bare(instruction, "sm_80"))).Message,
            StringComparison.Ordinal);
    }
}
