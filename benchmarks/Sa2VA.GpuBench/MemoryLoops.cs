using static System.Numerics.BitOperations;
using static Sa2VA.GpuBench.MicroKernel;

namespace Sa2VA.GpuBench;

/// <summary>L1, L2 and device memory: bandwidths, and latencies by chains of addresses.</summary>
internal static class MemoryLoops
{
    private const string Published = "published micro-benchmarks", Measured = "measured on an H200", Estimate = "estimate";
    private const string Fitted = "fitted to kernels on an H200";

    /// <summary>Bytes that a thread takes at once, how often in a turn, and what all threads of a block take in a turn.</summary>
    private const int Vector = 16, Accesses = 4, Threads = 512, Chunk = Vector * Accesses * Threads;

    /// <summary>Memory that fits every L2 and no L1.</summary>
    private const int InL2 = 16 << 20;

    /// <summary>Loads of a chain in a turn.</summary>
    private const int Links = 64;

    /// <summary>Turns of device memory's loops: each of the runs takes far more of it than L2 holds.</summary>
    private const int LongTurns = 32;

    public static IEnumerable<MicroBenchmark> All =>
    [
        Ring("l1_latency", new("ld.global in L1, latency", "L1Latency", "clk", r => r.L1Latency, Published, Published), 32, 128, "ca"),
        Ring("l2_latency", new("ld.global in L2, latency", "L2Latency", "clk", r => r.L2Latency, Fitted, Published), 16384, 256, "cg"),
        DramLatency(),
        L2("l2_all", new("L2, all multiprocessors", "L2BytesPerClock", "B/clk", r => r.L2BytesPerClock, Measured, Published),
            1, Threads),
        L2("l2_one", new("L2, one multiprocessor alone", "L2BytesPerMultiprocessor", "B/clk", r => r.L2BytesPerMultiprocessor, Published,
            Published), 0, 2 * Threads),
        AsyncCopies(),
        AsyncLatency(),
        Read(),
        Copy(),
        Mbarrier(),
        BulkLatency(),
    ];

    /// <summary>Loads of four words each by <c>%q1</c>, added to %r5.</summary>
    private static string Loads(string cache, int threads = Threads) => Each(Accesses, n =>
            $"ld.global.{cache}.v4.b32 {Registers("r", 10 + 4 * n, 4)}, [%q1+{n * Vector * threads}];")
        + Each(4 * Accesses, n => $"add.s32 %r5, %r5, %r{10 + n};");

    private static bool IsSum(int thread, int turns, uint x) => x == (uint)(4 * Accesses * turns) * LoopBenchmark.Filled;

    /// <summary>Each block begins elsewhere in what all read, and goes round.</summary>
    private static string AroundBegin(int chunk) => $"""
        mov.u32 %r0, %ctaid.x;
        mul.lo.s32 %r0, %r0, {chunk};
        and.b32 %r0, %r0, {InL2 - 1};
        shl.b32 %r1, %t, 4;
        cvt.u64.u32 %q0, %r1;
        add.s64 %in, %in, %q0;
        mov.b32 %r5, 0;
        """;

    private static string Around(int chunk) => $"""
        cvt.u64.u32 %q1, %r0;
        add.s64 %q1, %in, %q1;
        add.s32 %r0, %r0, {chunk};
        and.b32 %r0, %r0, {InL2 - 1};

        """;

    private static LoopBenchmark L2(string name, Term term, int blocksEach, int threads) => new(term,
        new(name, threads)
        {
            Before = AroundBegin(Vector * Accesses * threads),
            Turn = Around(Vector * Accesses * threads) + Loads("cg", threads),
            Result = "mov.b32 %result, %r5;",
        }, Rate.AllPerClock, Vector * Accesses * threads, IsSum) { BlocksEach = blocksEach, Bytes = InL2 };

    /// <summary>Copies to shared memory, of which one stage comes while the other is on its way.</summary>
    private static LoopBenchmark AsyncCopies()
    {
        const int Copies = 2, Stage = Copies * Vector * Threads;
        return new(
            new("cp.async from L2, all multiprocessors", "L2BytesPerClock", "B/clk", r => r.L2BytesPerClock, Measured, Published),
            new("async_copy", Threads)
            {
                SharedBytes = 2 * Stage,
                Before = AroundBegin(Chunk) + "\nadd.s32 %r2, %smem, %r1;",
                Turn = Around(Chunk) + Each(Copies, n =>
                        $"cp.async.cg.shared.global [%r2+{n * Vector * Threads}], [%q1+{n * Vector * Threads}], {Vector};")
                    + $"cp.async.commit_group; cp.async.wait_group 1; xor.b32 %r2, %r2, {Stage};",
                AfterTurns = "cp.async.wait_all;",
                Result = Each(2 * Copies, n => $"ld.shared.b32 %r{10 + n}, [%r2+{n % Copies * Vector * Threads}];"
                        + (n == Copies - 1 ? $"xor.b32 %r2, %r2, {Stage};" : ""))
                    + Each(2 * Copies, n => $"add.s32 %r5, %r5, %r{10 + n};") + "mov.b32 %result, %r5;",
            }, Rate.AllPerClock, Stage, (_, _, x) => x == 4 * LoopBenchmark.Filled) { BlocksEach = 1, Bytes = InL2 };
    }

    /// <summary>A copy of one warp, and the wait for it.</summary>
    private static LoopBenchmark AsyncLatency() => new(
        new("cp.async from L2 and its wait, one warp", "L2Latency", "clk", r => r.L2Latency, Fitted, Published),
        new("async_latency", 32)
        {
            SharedBytes = 512,
            Before = "shl.b32 %r1, %t, 4; cvt.u64.u32 %q0, %r1; add.s64 %in, %in, %q0; add.s32 %r2, %smem, %r1;",
            Turn = Each(32, n =>
                $"cp.async.cg.shared.global [%r2], [%in+{512 * n}], {Vector}; cp.async.commit_group; cp.async.wait_group 0;"),
            Result = "ld.shared.b32 %result, [%r2];",
        }, Rate.ClocksEach, 32, (_, _, x) => x == LoopBenchmark.Filled) { Bytes = 512 * 32 };

    /// <summary>Chunks of memory that blocks take in turn: %q0 is the distance of two of a block.</summary>
    private static string Stream(int chunks) => $"""
        mov.u32 %r0, %ctaid.x;
        mov.u32 %r1, %nctaid.x;
        mul.wide.u32 %q0, %r1, {chunks * Chunk};
        mul.wide.u32 %q1, %r0, {chunks * Chunk};
        add.s64 %q1, %q1, %in;
        mul.wide.u32 %q2, %t, {Vector};
        add.s64 %q1, %q1, %q2;
        mov.b32 %r5, 0;
        """;

    private static LoopBenchmark Read() => new(
        new("device memory, read", "DramBytesPerSecond", "B/s", r => r.DramBytesPerSecond, Measured, "data sheet, less what copies lose"),
        ReadKernel, Rate.AllPerSecond, Chunk, IsSum) { BlocksEach = 2, Turns = LongTurns, BytesOfTurn = Chunk };

    private static MicroKernel ReadKernel => new("dram_read", Threads)
    {
        Before = Stream(1), Turn = Loads("cs") + "add.s64 %q1, %q1, %q0;", Result = "mov.b32 %result, %r5;",
    };

    /// <summary>Every second chunk becomes what the one before it is.</summary>
    private static LoopBenchmark Copy() => new(
        new("device memory, copy (read and written)", "DramBytesPerSecond", "B/s", r => r.DramBytesPerSecond, Measured,
            "data sheet, less what copies lose"),
        new("dram_copy", Threads)
        {
            Before = Stream(2),
            Turn = Each(Accesses, n =>
                    $"ld.global.cs.v4.b32 {Registers("r", 10 + 4 * n, 4)}, [%q1+{n * Vector * Threads}];")
                + Each(Accesses, n => $"st.global.cs.v4.b32 [%q1+{Chunk + n * Vector * Threads}], {Registers("r", 10 + 4 * n, 4)};")
                + "mov.b64 %q3, %q1; add.s64 %q1, %q1, %q0;",
            Result = Each(Accesses, n => $"ld.global.b32 %r{10 + n}, [%q3+{Chunk + n * Vector * Threads + 4 * n}];")
                + Each(Accesses, n => $"add.s32 %r5, %r5, %r{10 + n};") + "mov.b32 %result, %r5;",
        }, Rate.AllPerSecond, 2 * Chunk, (_, _, x) => x == Accesses * LoopBenchmark.Filled)
    { BlocksEach = 2, Turns = LongTurns, BytesOfTurn = 2 * Chunk };

    /// <summary>A chain of addresses that goes round some lines, each of which holds where the next one is.</summary>
    private static LoopBenchmark Ring(string name, Term term, int lines, int distance, string cache) => new(term,
        new(name, 32)
        {
            Before = "mov.b64 %q1, %in;",
            Turn = Each(Links, _ => $"ld.global.{cache}.b64 %q1, [%q1];"),
            Result = $"sub.s64 %q1, %q1, %in; shr.u64 %q1, %q1, {Log2(Links)}; cvt.u32.u64 %result, %q1;",
        }, Rate.ClocksEach, Links, (_, turns, x) => x == turns * Links % lines * distance / Links)
    {
        Bytes = (long)lines * distance,
        Prepare = (device, memory) => device.Run(RingKernel(lines, distance), 1, lines / 32, memory),
    };

    /// <summary>Writes such a chain.</summary>
    private static MicroKernel RingKernel(int lines, int distance) => new($"ring_{lines}", 32)
    {
        Before = "mov.b32 %r0, %t;",
        Turn = $"""
            mul.wide.u32 %q0, %r0, {distance};
            add.s64 %q0, %q0, %in;
            add.s32 %r1, %r0, 1;
            rem.u32 %r1, %r1, {lines};
            mul.wide.u32 %q1, %r1, {distance};
            add.s64 %q1, %q1, %in;
            st.global.b64 [%q0], %q1;
            add.s32 %r0, %r0, 32;
            """,
        Result = "mov.b32 %result, %r0;",
    };

    /// <summary>A chain through more pages than a cache of addresses has, behind other memory than L2 holds.</summary>
    private static LoopBenchmark DramLatency()
    {
        const int Lines = 4096, Distance = (64 << 10) + 256;
        LoopBenchmark ring = Ring("dram_latency", new("ld.global in device memory, latency", "DramLatency", "clk", r => r.DramLatency,
            Published, Published), Lines, Distance, "cg");
        // A quarter of a gibibyte is read before each run.
        const long Other = 1 << 28;
        return ring with
        {
            Turns = 20,
            Bytes = ring.Bytes + Other,
            Before = (device, memory) =>
            {
                int blocks = 2 * device.Facts.Multiprocessors;
                device.Run(ReadKernel, blocks, (int)(Other / Chunk / blocks), memory with { Input = memory.Input + (ulong)ring.Bytes });
            },
        };
    }

    /// <summary>An arrival that ends a phase, and the test that finds it ended.</summary>
    private static LoopBenchmark Mbarrier()
    {
        const int Phases = 16;
        return new(
            new("an arrival at an mbarrier, a test, a selection by it", "MbarrierLatency + 3", "clk", r => r.MbarrierLatency + 3, Estimate,
                "none"),
            new("mbarrier", 1)
            {
                IsOfHopper = true,
                Before = "mbarrier.init.shared.b64 [%smem], 1; fence.mbarrier_init.release.cluster; mov.b32 %r5, %one;",
                Turn = Each(Phases, n => $"""
                    mbarrier.arrive.shared.b64 %q3, [%smem];
                    mbarrier.test_wait.parity.shared.b64 %p1, [%smem], {n % 2};
                    selp.b32 %r5, %r5, 0, %p1;
                    """),
                Result = "mov.b32 %result, %r5;",
            }, Rate.ClocksEach, Phases, (_, _, x) => x == 1);
    }

    /// <summary>A bulk copy of one thread, and the wait for it.</summary>
    private static LoopBenchmark BulkLatency()
    {
        const int Copies = 16, Size = 512;
        return new(
            new("cp.async.bulk from L2 and its wait", "L2Latency + BulkLatency + MbarrierLatency", "clk",
                r => r.L2Latency + r.BulkLatency + r.MbarrierLatency, Estimate, "none"),
            new("bulk_latency", 1)
            {
                IsOfHopper = true,
                SharedBytes = 128 + Size,
                Before = "mbarrier.init.shared.b64 [%smem], 1; fence.mbarrier_init.release.cluster;"
                    + "add.s32 %r2, %smem, 128; mov.b64 %q1, %in;",
                Turn = Each(Copies, n => $"""
                    mbarrier.arrive.expect_tx.shared.b64 %q3, [%smem], {Size};
                    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%q1], {Size}, [%smem];
                    WAIT{n}:
                    mbarrier.try_wait.parity.shared.b64 %p1, [%smem], {n % 2};
                    @!%p1 bra WAIT{n};
                    """),
                Result = "ld.shared.b32 %result, [%r2];",
            }, Rate.ClocksEach, Copies, (_, _, x) => x == LoopBenchmark.Filled) { Bytes = Size };
    }
}
