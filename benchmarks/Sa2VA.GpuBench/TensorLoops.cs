using static Sa2VA.GpuBench.MicroKernel;

namespace Sa2VA.GpuBench;

/// <summary>Tensor cores: products of ones, so that the sums count them.</summary>
internal static class TensorLoops
{
    private const string Measured = "measured on an H200", Sheet = "data sheet", Published = "published micro-benchmarks";

    /// <summary>Terms of a product along K.</summary>
    private const int Terms = 16;

    public static IEnumerable<MicroBenchmark> All =>
    [
        Product("mma_rate", new("mma.sync m16n8k16, clocks of a warp", "Tensor", "clk", r => r.Tensor, Measured, Sheet), warps: 8,
            chains: 8, rounds: 4),
        Product("mma_latency", new("mma.sync m16n8k16, latency", "TensorLatency", "clk", r => r.TensorLatency, Published, Published),
            warps: 1, chains: 1, rounds: 32),
        .. ((int[])[64, 72, 96, 128, 144, 192, 256]).Select(Warpgroup),
    ];

    private static LoopBenchmark Product(string name, Term term, int warps, int chains, int rounds) => new(term,
        new(name, 32 * warps)
        {
            // 1 as two bf16.
            Before = Each(6, n => $"mul.lo.s32 %r{n}, %one, 0x3F803F80;") + Each(4 * chains, n => $"mov.f32 %f{n}, 0f00000000;"),
            Turn = Each(rounds, _ => Each(chains, n => "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                + $"{Registers("f", 4 * n, 4)}, {Registers("r", 0, 4)}, {Registers("r", 4, 2)}, {Registers("f", 4 * n, 4)};")),
            Result = SumOfFloats(4 * chains),
        }, Rate.ClocksEach, chains * rounds * Math.Max(warps, 4) / 4.0, (_, turns, x) =>
            BitConverter.UInt32BitsToSingle(x) == 4 * chains * rounds * turns * Terms) { BlocksEach = warps > 1 ? 1 : 0 };

    /// <summary>Products of a warpgroup, both operands in shared memory: 64 elements of K in rows of 128 bytes, swizzled.</summary>
    private static LoopBenchmark Warpgroup(int columns)
    {
        const int Steps = 4, Rounds = 2, Left = 64 * 128;
        string steps = Each(Steps * Rounds, n => "wgmma.mma_async.sync.aligned.m64n"
            + $"{columns}k16.f32.bf16.bf16 {Registers("f", 0, columns / 2)}, %q{n % Steps}, %q{Steps + n % Steps}, %p1, 1, 1, 0, 0;");
        // Distance of groups of eight rows 1024 bytes, swizzle of 128 bytes; a step along K is 32 bytes, in units of 16.
        const ulong Layout = 1ul << 62 | 64ul << 32 | 1ul << 16;
        return new(
            new($"wgmma m64n{columns}k16, clocks of a warp for 8 columns", "WarpgroupTensor", "clk", r => r.WarpgroupTensor,
                Measured, "none"),
            new($"wgmma_n{columns}", 128)
            {
                IsOfHopper = true,
                SharedBytes = Left + 128 * columns,
                Before = $$"""
                    mul.lo.s32 %r0, %one, 0x3F803F80;
                    shl.b32 %r1, %t, 4;
                    FILL:
                    add.s32 %r2, %smem, %r1;
                    st.shared.v4.b32 [%r2], {%r0, %r0, %r0, %r0};
                    add.s32 %r1, %r1, 2048;
                    setp.lt.s32 %p0, %r1, {{Left + 128 * columns}};
                    @%p0 bra FILL;
                    fence.proxy.async;
                    shr.u32 %r3, %smem, 4;
                    cvt.u64.u32 %q8, %r3;
                    or.b64 %q8, %q8, {{Layout}};
                    setp.ge.s32 %p1, %left, 0;
                    """ + '\n' + Each(Steps, n => $"add.s64 %q{n}, %q8, {2 * n}; add.s64 %q{Steps + n}, %q8, {Left / 16 + 2 * n};")
                    + Each(columns / 2, n => $"mov.f32 %f{n}, 0f00000000;"),
                Turn = "wgmma.fence.sync.aligned;\n" + steps + "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 1;",
                Result = SumOfFloats(columns / 2),
                AfterTurns = "wgmma.wait_group.sync.aligned 0;",
            }, Rate.ClocksEach, columns / 8 * Steps * Rounds,
            (_, turns, x) => BitConverter.UInt32BitsToSingle(x) == columns / 2 * Steps * Rounds * turns * Terms) { BlocksEach = 1 };
    }
}
