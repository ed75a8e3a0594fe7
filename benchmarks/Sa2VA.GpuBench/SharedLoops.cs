using static Sa2VA.GpuBench.MicroKernel;

namespace Sa2VA.GpuBench;

/// <summary>Shared memory, and barriers of a block.</summary>
internal static class SharedLoops
{
    private const string Published = "published micro-benchmarks", Measured = "measured on an H200", Known = "programming guide";

    /// <summary>Two halves of shared memory, of which a turn reads one: what is read twice is not the same twice.</summary>
    private const int Half = 8192, Warps = 8, Accesses = 16;

    public static IEnumerable<MicroBenchmark> All =>
    [
        Load("shared_load_32", "ld.shared of 32 bits", 1),
        Load("shared_load_64", "ld.shared of 64 bits", 2),
        Load("shared_load_128", "ld.shared of 128 bits", 4),
        Matrices(),
        Store(),
        Chase(),
        .. ((int[])[4, 8, 12, 16]).Select(Barrier),
    ];

    private static Term Bandwidth(string name) =>
        new(name, "128, a wavefront in MultiprocessorReplay", "B/clk", _ => 128, Known, Known);

    /// <summary>Word n of shared memory is 3 n + 1; %r0 is the address of the thread's bytes.</summary>
    private static string Begin(int bytes) => $$"""
        shl.b32 %r1, %t, 2;
        FILL:
        add.s32 %r2, %smem, %r1;
        mad.lo.s32 %r3, %r1, 3, 4;
        shr.u32 %r3, %r3, 2;
        st.shared.b32 [%r2], %r3;
        add.s32 %r1, %r1, {{128 * Warps}};
        setp.lt.s32 %p0, %r1, {{2 * Half}};
        @%p0 bra FILL;
        bar.sync 0;
        and.b32 %r4, %t, 31;
        mad.lo.s32 %r0, %r4, {{bytes}}, %smem;
        mov.b32 %r5, 0;

        """;

    /// <summary>What the words at some offsets add up to over turns, in which the halves take turns.</summary>
    private static uint Sum(int turns, IEnumerable<int> offsets)
    {
        uint all = 0;
        for (int turn = 0; turn < turns; turn++)
            foreach (int offset in offsets) all += (uint)((offset + turn % 2 * Half) / 4 * 3 + 1);
        return all;
    }

    private static LoopBenchmark Load(string name, string what, int words) => new(Bandwidth(what),
        new(name, 32 * Warps)
        {
            SharedBytes = 2 * Half,
            Before = Begin(4 * words),
            Turn = Each(Accesses, n => $"ld.shared{(words == 1 ? "" : $".v{words}")}.b32 "
                    + $"{(words == 1 ? $"%r{10 + n}" : Registers("r", 10 + n % 8 * words, words))}, [%r0+{128 * words * n % Half}];"
                    + Each(words, w => $"add.s32 %r5, %r5, %r{10 + n % (words == 1 ? 16 : 8) * words + w};"))
                + $"xor.b32 %r0, %r0, {Half};",
            Result = "mov.b32 %result, %r5;",
        }, Rate.PerClock, 128.0 * words * Accesses * Warps, (thread, turns, x) => x == Sum(turns,
            from n in Enumerable.Range(0, Accesses)
            from w in Enumerable.Range(0, words)
            select 128 * words * n % Half + (thread & 31) * 4 * words + 4 * w)) { BlocksEach = 1 };

    /// <summary>Each lane gives the address of a row of 16 bytes, and gets of each of four matrices the word that is its own.</summary>
    private static LoopBenchmark Matrices() => new(Bandwidth("ldmatrix.x4"),
        new("ldmatrix", 32 * Warps)
        {
            SharedBytes = 2 * Half,
            Before = Begin(16),
            Turn = Each(Accesses, n => "ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                    + $"{Registers("r", 10 + n % 8 * 4, 4)}, [%r0+{512 * n}];" + Each(4, w => $"add.s32 %r5, %r5, %r{10 + n % 8 * 4 + w};"))
                + $"xor.b32 %r0, %r0, {Half};",
            Result = "mov.b32 %result, %r5;",
        }, Rate.PerClock, 512.0 * Accesses * Warps, (thread, turns, x) => x == Sum(turns,
            from n in Enumerable.Range(0, Accesses)
            from w in Enumerable.Range(0, 4)
            select 512 * n + 128 * w + 4 * (thread & 31))) { BlocksEach = 1 };

    /// <summary>Each warp stores to memory of its own what it has counted.</summary>
    private static LoopBenchmark Store() => new(Bandwidth("st.shared of 128 bits"),
        new("shared_store_128", 32 * Warps)
        {
            SharedBytes = 512 * 4 * Warps,
            Before = "shl.b32 %r1, %t, 4; add.s32 %r0, %smem, %r1; mov.b32 %r5, %t;",
            Turn = Each(Accesses, n => "add.s32 %r5, %r5, %one;\n"
                + $"st.shared.v4.b32 [%r0+{512 * Warps * (n % 4)}], {{%r5, %r5, %r5, %r5}};"),
            Result = Each(4, n => $"ld.shared.b32 %r{10 + n}, [%r0+{512 * Warps * n + 4 * n}];")
                + Each(3, n => $"mad.lo.s32 %r10, %r10, 31, %r{11 + n};") + "mov.b32 %result, %r10;",
        }, Rate.PerClock, 512.0 * Accesses * Warps, (thread, turns, x) =>
        {
            uint all = 0;
            for (int n = 0; n < 4; n++) all = all * 31 + (uint)(thread + Accesses * turns - 3 + n);
            return x == all;
        }) { BlocksEach = 1 };

    /// <summary>Each lane's word is its own address.</summary>
    private static LoopBenchmark Chase() => new(
        new("ld.shared, latency", "SharedLatency", "clk", r => r.SharedLatency, Published, Published),
        new("shared_latency", 32)
        {
            SharedBytes = 128,
            Before = "shl.b32 %r1, %t, 2; add.s32 %r0, %smem, %r1; st.shared.b32 [%r0], %r0;",
            Turn = Each(64, _ => "ld.shared.b32 %r0, [%r0];"),
            Result = "sub.s32 %r0, %r0, %smem; mov.b32 %result, %r0;",
        }, Rate.ClocksEach, 64, (thread, _, x) => x == 4 * thread);

    private static LoopBenchmark Barrier(int warps) => new(
        new($"bar.sync of {warps} warps", "Barrier", "clk", r => r.Barrier.Base + r.Barrier.PerWarp * warps, Measured, "an H200's"),
        new($"barrier_{warps}", 32 * warps)
        {
            Turn = Each(32, _ => "bar.sync 0;"),
            Result = "add.s32 %result, %t, %left;",
        }, Rate.ClocksEach, 32, (thread, _, x) => x == thread) { BlocksEach = 1 };
}
