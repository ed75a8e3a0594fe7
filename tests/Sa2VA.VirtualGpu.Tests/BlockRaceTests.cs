namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// Blocks of one launch that touch the same bytes of global memory, one of them writing, are found; what is allowed is silent.
/// </summary>
public sealed class BlockRaceTests
{
    private const int Threads = 64, Blocks = 5;

    /// <summary>Thread t of block b has element 64 b + t in %in and %out, and its block in %r1.</summary>
    private const string Own = """
        mov.u32 %r1, %ctaid.x;
        mul.wide.u32 %rd1, %r1, 512;
        add.s64 %in, %in, %rd1;
        add.s64 %out, %out, %rd1;

        """;

    private static VirtualDeviceOptions[] Ways =>
    [
        new() { Seed = 1, Workers = 1, CountMemory = false }, new() { Seed = 2, Workers = 2, CountMemory = false },
        new() { Seed = 3, Workers = 2 },
    ];

    private static void Run(string body, VirtualDeviceOptions options, int blocks = Blocks)
    {
        using var device = new VirtualDevice(options);
        VirtualKernel kernel = device.LoadModule(Kernel.Text(body))["k"];
        ulong[] zeros = new ulong[Threads * (Blocks + 1)];
        device.Launch(kernel, new(blocks), new(Threads), 0, [device.Upload<ulong>(zeros, "in"), device.Upload<ulong>(zeros, "out")]);
    }

    [Theory]
    [InlineData(Own + "st.global.u64 [%out], %rd1;")]
    [InlineData(Own + "st.global.v2.u32 [%out], {%t, %t};")]
    [InlineData(Own + "ld.global.u64 %rd2, [%out];\nst.global.u64 [%out], %rd2;\nst.global.u64 [%out], %rd1;")]
    [InlineData("ld.global.u64 %rd2, [%in];")]
    // Two blocks in one word, but not in one byte.
    [InlineData("mov.u32 %r1, %ctaid.x;\ncvt.u64.u32 %rd1, %r1;\nadd.s64 %out, %out, %rd1;\nst.global.u8 [%out], %r1;")]
    // Atomics and strong accesses may meet.
    [InlineData("red.global.add.u32 [%out], %t;\natom.global.add.u32 %r2, [%out], 1;\nld.relaxed.gpu.global.u32 %r3, [%out];")]
    [InlineData("st.volatile.global.u32 [%out], %t;\nld.volatile.global.u32 %r3, [%out];\nst.release.gpu.global.u32 [%out], %t;")]
    [InlineData("ld.volatile.global.u32 %r3, [%in];\nld.global.u32 %r4, [%in];")]
    // Only one block does it.
    [InlineData("mov.u32 %r1, %ctaid.x;\nsetp.eq.u32 %p1, %r1, 3;\n@%p1 st.global.u64 [%out], %wide;")]
    public void What_blocks_may_do_is_silent(string body)
    {
        foreach (VirtualDeviceOptions o in Ways) Run(body, o);
    }

    private const string Line = "?";

    [Theory]
    // All write the same values to the same place.
    [InlineData("st.global.u64 [%out], %wide;", "writes what block", "wrote at line ? (st.global.u64 [%out], %wide)", "of out")]
    [InlineData("st.global.v2.u32 [%out], {%t, %t};", "writes what block", "wrote at line ?", "of out")]
    [InlineData("cvt.u16.u32 %h1, %t;\nst.global.u16 [%out+2], %h1;", "writes what block", "wrote at line ?", "of out")]
    // Each block reads what its neighbour writes.
    [InlineData(Own + "ld.global.u64 %rd2, [%out+512];\nst.global.u64 [%out], %rd2;", "what block", "at line ?", "of out")]
    [InlineData(Own + "st.global.u64 [%out], %rd1;\nld.global.u8 %r2, [%out+517];", "what block", "at line ?", "of out")]
    // One byte at the edge of the block's piece belongs to the next.
    [InlineData(Own + "st.global.u64 [%out], %rd1;\nst.global.u8 [%out+8], %t;", "writes what block", "wrote at line ?", "of out")]
    [InlineData(Own + """
        st.global.u64 [%out], %rd1;
        mov.u32 %r2, smem;
        shl.b32 %r3, %t, 4;
        add.u32 %r2, %r2, %r3;
        sub.s64 %rd3, %out, %wide;
        cp.async.cg.shared.global [%r2], [%rd3+512], 16;
        cp.async.wait_all;
        """, "what block", "at line ?", "of out")]
    // An atomic orders nothing else.
    [InlineData("red.global.add.u32 [%out], %t;\nld.global.u32 %r3, [%out];", "what block", "at line ?", "of out")]
    [InlineData("atom.global.add.u32 %r3, [%in], %t;\nst.global.u32 [%in], %r3;", "what block", "at line ?", "of in")]
    [InlineData("ld.volatile.global.u32 %r3, [%in];\nst.global.u32 [%in], %r3;", "what block", "at line ?", "of in")]
    public void Blocks_that_race_are_named_with_both_accesses(string body, params string[] words)
    {
        string text = Kernel.Text(body);
        foreach (VirtualDeviceOptions o in Ways)
        {
            var fault = Assert.Throws<GpuFaultException>(() => Run(body, o));
            Assert.Equal(FaultKind.Race, fault.Kind);
            Assert.Contains($"k, PTX line {fault.Line}: race between blocks at byte", fault.Message, StringComparison.Ordinal);
            const string Place = @"block \(\d, 0, 0\), thread \d+, ";
            Assert.Matches($"{Place}(reads|writes) what {Place}(read|wrote) at", fault.Message);
            foreach (string word in words) Assert.Contains(word.Split(Line)[0], fault.Message, StringComparison.Ordinal);
            int other = int.Parse(fault.Message.Split(" at line ")[1].Split(' ')[0], null);
            foreach (int line in new[] { fault.Line, other })
                Assert.Matches(@"(ld|st|atom|red)[.a-z]*\.global|cp\.async\.cg", text.Split('\n')[line - 1]);
            Assert.NotEqual(fault.Message.Split("block (")[1][0], fault.Message.Split("block (")[2][0]);
        }
        // Alone, and without checks, nobody is told.
        Run(body, Ways[0], blocks: 1);
        Run(body, Ways[0] with { Checks = false });
    }

    /// <summary>A launch is over before the next one begins: no two of its blocks, no race.</summary>
    [Fact]
    public void Launches_one_after_the_other_do_not_race()
    {
        using var device = new VirtualDevice();
        const string Body = Own + "ld.global.u64 %rd2, [%in+512];\nst.global.u64 [%out], %rd2;";
        VirtualKernel kernel = device.LoadModule(Kernel.Text(Body))["k"];
        ulong[] zeros = new ulong[Threads * (Blocks + 1)];
        ulong a = device.Upload<ulong>(zeros, "a"), b = device.Upload<ulong>(zeros, "b");
        device.Launch(kernel, new(Blocks), new(Threads), 0, [a, b]);
        device.Launch(kernel, new(Blocks), new(Threads), 0, [b, a]);
        var fault = Assert.Throws<GpuFaultException>(() => { device.Launch(kernel, new(Blocks), new(Threads), 0, [a, a]); });
        Assert.Contains("of a:", fault.Message, StringComparison.Ordinal);
    }

    /// <summary>Who it was is found by running the blocks again; where they then do something else, the byte is told.</summary>
    [Fact]
    public void A_race_that_does_not_come_again_is_told_without_its_lines()
    {
        // Every block writes to one place, if it holds what it held at first.
        const string Body = """
            ld.global.u64 %rd2, [%in];
            setp.ne.u64 %p1, %rd2, 0;
            @%p1 bra DONE;
            st.global.u64 [%in], 7;
            DONE:
            """;
        var fault = Assert.Throws<GpuFaultException>(() => Run(Body, Ways[0]));
        Assert.Equal(FaultKind.Race, fault.Kind);
        Assert.Contains("race between blocks at byte 0 of in: two of them touched it", fault.Message, StringComparison.Ordinal);
    }

    /// <summary>No race, and yet a result of the order: what running a kernel with two seeds is for.</summary>
    [Fact]
    public void A_sum_by_atomics_on_floats_is_another_with_another_seed()
    {
        // Thread t of block b adds 1e8, 1 or −1e8, which floats cannot add in any order.
        const string Body = """
            mov.u32 %r1, %ctaid.x;
            shr.u32 %r2, %t, 5;
            add.u32 %r1, %r1, %r2;
            rem.u32 %r1, %r1, 3;
            setp.eq.u32 %p1, %r1, 0;
            setp.eq.u32 %p2, %r1, 1;
            selp.f32 %f1, 0f4CBEBC20, 0f3F800000, %p1;
            selp.f32 %f1, 0fCCBEBC20, %f1, %p2;
            sub.s64 %out, %out, %wide;
            red.global.add.f32 [%out], %f1;
            """;
        var sums = new HashSet<ulong>();
        for (int seed = 0; seed < 8; seed++)
            sums.Add(Kernel.Run(Body, new ulong[96], 96, new() { Seed = seed, Workers = 1 }, blocks: 3)[0]);
        Assert.True(sums.Count > 1, "the seed changes no order");
    }
}
