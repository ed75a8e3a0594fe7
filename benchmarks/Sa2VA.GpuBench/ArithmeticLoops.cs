using static Sa2VA.GpuBench.MicroKernel;

namespace Sa2VA.GpuBench;

/// <summary>Rates and latencies of what is done in registers.</summary>
internal static class ArithmeticLoops
{
    private const string Guide = "programming guide", Published = "published micro-benchmarks", Measured = "measured on an H200";

    /// <summary>Chains of a thread that do not wait for each other, and rounds of them in a turn.</summary>
    private const int Chains = 8, Rounds = 16;

    /// <summary>Instructions of a chain in a turn where one warp waits for each.</summary>
    private const int Long = 128;

    /// <summary>Warps of a block whose quarters are kept busy.</summary>
    private const int Warps = 16;

    public static IEnumerable<MicroBenchmark> All =>
    [
        Busy("float-rate", new("FFMA, clocks of a warp", "Float", "clk", r => r.Float, Guide, Guide), Fma,
            IsCounted(Chains, Chains * Rounds)),
        Chain("float-latency", new("FFMA, latency", "ArithmeticLatency", "clk", r => r.ArithmeticLatency, Published, Published), Fma,
            IsCounted(1, Long)),
        Double(),
        Logic(),
        Issue(),
        Busy("conversion-rate", new("two floats to bf16, clocks of a warp", "Conversion", "clk", r => r.Conversion, Guide, Guide),
            n => $"cvt.rn.bf16x2.f32 %r{n}, %f{n}, %f{n}; mov.b32 %f{n}, %r{n};", IsNarrowed),
        Busy("ex2-rate", new("ex2, clocks of a warp", "SpecialFunction", "clk", r => r.SpecialFunction, Measured, Guide), Exponential,
            (_, _, x) => IsNear(x, Chains * 0.6411857)),
        Chain("ex2-latency", new("ex2, latency", "SpecialLatency", "clk", r => r.SpecialLatency, Published, Published), Exponential,
            (_, _, x) => IsNear(x, 0.6411857)),
        Busy("rcp-rate", new("rcp (and an addition), clocks of a warp", "SpecialFunction", "clk", r => r.SpecialFunction, Measured, Guide),
            n => $"add.rn.f32 %f{n}, %f{n}, %f120; rcp.approx.ftz.f32 %f{n}, %f{n};", (_, _, x) => IsNear(x, Chains * 0.6180340)),
        Shuffle("shuffle-rate", new("shuffle, clocks of a warp", "4, in InstructionCosts", "clk", _ => 4, Guide, Guide), Warps, Chains),
        Shuffle("shuffle-latency", new("shuffle, latency", "SharedLatency - 6", "clk", r => r.SharedLatency - 6, Published, Published),
            1, 1),
        Branch(),
    ];

    private static string Fma(int n) => $"fma.rn.f32 %f{n}, %f{n}, %f120, %f120;";

    /// <summary>x to the power of two of -x: it comes to rest at 0.6411857.</summary>
    private static string Exponential(int n) => $"neg.f32 %f{n}, %f{n}; ex2.approx.ftz.f32 %f{n}, %f{n};";

    /// <summary>A number of chains begins at 1 / 4, and %f120 is 1.</summary>
    private static string Begin(int chains) => "cvt.rn.f32.u32 %f120, %one; mul.rn.f32 %f121, %f120, 0f3E800000;\n"
        + Each(chains, n => $"mov.f32 %f{n}, %f121;");

    private static LoopBenchmark Busy(string name, Term term, Func<int, string> step, Func<int, int, uint, bool> isRight) => new(term,
        new(name.Replace('-', '_'), 32 * Warps)
        {
            Before = Begin(Chains), Turn = Each(Rounds, _ => Each(Chains, step)), Result = SumOfFloats(Chains),
        }, Rate.ClocksEach, Chains * Rounds * Warps / 4, isRight) { BlocksEach = 1 };

    private static LoopBenchmark Chain(string name, Term term, Func<int, string> step, Func<int, int, uint, bool> isRight) => new(term,
        new(name.Replace('-', '_'), 32)
        {
            Before = Begin(1), Turn = Each(Long, _ => step(0)), Result = SumOfFloats(1),
        }, Rate.ClocksEach, Long, isRight);

    /// <summary>Every step adds 1 to a chain: the sum is exact.</summary>
    private static Func<int, int, uint, bool> IsCounted(int chains, int steps) => (_, turns, x) =>
        BitConverter.UInt32BitsToSingle(x) == chains * 0.25f + steps * turns;

    private static bool IsNear(uint bits, double value) => Math.Abs(BitConverter.UInt32BitsToSingle(bits) / value - 1) < 1e-5;

    /// <summary>A float of two equal bf16: 1 / 4 and the same 16 bits lower.</summary>
    private static bool IsNarrowed(int thread, int turns, uint bits) =>
        IsNear(bits, Chains * (double)BitConverter.UInt32BitsToSingle(0x3E803E80));

    private static LoopBenchmark Double() => new(
        new("DFMA, clocks of a warp", "Double", "clk", r => r.Double, Guide, Guide),
        new("double_rate", 32 * Warps)
        {
            Before = "cvt.rn.f64.u32 %d60, %one;\n" + Each(Chains, n => $"mov.f64 %d{n}, %d60;"),
            Turn = Each(2, _ => Each(Chains, n => $"fma.rn.f64 %d{n}, %d{n}, %d60, %d60;")),
            Result = Each(Chains - 1, n => $"add.rn.f64 %d0, %d0, %d{n + 1};") + "cvt.rn.f32.f64 %f0, %d0; mov.b32 %result, %f0;",
        }, Rate.ClocksEach, 2 * Chains * Warps / 4, (_, turns, x) => BitConverter.UInt32BitsToSingle(x) == Chains * (1 + 2 * turns))
    { BlocksEach = 1 };

    /// <summary>The xor of three registers, none of which can be foretold.</summary>
    private static string Lop3(int n) => $"lop3.b32 %r{n}, %r{n}, %r{(n + 1) % Chains}, %r{(n + 3) % Chains}, 0x96;";

    private static string BeginLogic => Each(Chains, n => $"mad.lo.s32 %r{n}, %t, {7919 * (2 * n + 1)}, %one;");

    private static string SumOfLogic => Each(Chains - 1, n => $"add.s32 %r0, %r0, %r{n + 1};") + "mov.b32 %result, %r0;";

    private static uint Logic(int thread, int rounds)
    {
        uint[] r = [.. Enumerable.Range(0, Chains).Select(n => (uint)(thread * 7919 * (2 * n + 1) + 1))];
        for (int round = 0; round < rounds; round++)
            for (int n = 0; n < Chains; n++) r[n] ^= r[(n + 1) % Chains] ^ r[(n + 3) % Chains];
        return r.Aggregate((a, b) => a + b);
    }

    private static LoopBenchmark Logic() => new(
        new("LOP3, clocks of a warp", "Integer", "clk", r => r.Integer, Guide, Guide),
        new("integer_rate", 32 * Warps)
        {
            Before = BeginLogic, Turn = Each(Rounds, _ => Each(Chains, Lop3)), Result = SumOfLogic,
        }, Rate.ClocksEach, Chains * Rounds * Warps / 4, (thread, turns, x) => x == Logic(thread, Rounds * turns)) { BlocksEach = 1 };

    /// <summary>Three of one unit and one of another: on cards where a warp's FFMA takes a clock only issuing binds.</summary>
    private static LoopBenchmark Issue() => new(
        new("three FFMA and a LOP3, clocks of each", "1, in MultiprocessorReplay, or Float", "clk", r => Math.Max(1, 0.75 * r.Float),
            Guide, Guide),
        new("issue_rate", 32 * Warps)
        {
            Before = BeginLogic + Begin(Chains),
            Turn = Each(Rounds / 2, _ => Each(Chains, n => Each(3, m => Fma((n + 2 * m) % Chains)) + Lop3(n))),
            Result = SumOfLogic + Each(Chains - 1, n => $"\nadd.rn.f32 %f0, %f0, %f{n + 1};")
                + "mov.b32 %r1, %f0; xor.b32 %result, %r0, %r1;",
        }, Rate.ClocksEach, 4 * Chains * Rounds / 2 * Warps / 4, (thread, turns, x) => x ==
            (Logic(thread, Rounds / 2 * turns) ^ BitConverter.SingleToUInt32Bits(Chains * (0.25f + 3 * Rounds / 2 * turns))))
    { BlocksEach = 1 };

    /// <summary>Each lane takes what the next one has.</summary>
    private static LoopBenchmark Shuffle(string name, Term term, int warps, int chains) => new(term,
        new(name.Replace('-', '_'), 32 * warps)
        {
            Before = "add.s32 %r60, %t, 1; and.b32 %r60, %r60, 31;\n" + Each(chains, n => $"mad.lo.s32 %r{n}, %t, {n + 3}, %one;"),
            Turn = Each(32 / chains, _ => Each(chains, n => $"shfl.sync.idx.b32 %r{n}, %r{n}, %r60, 31, -1;")),
            Result = Each(chains - 1, n => $"mad.lo.s32 %r0, %r0, 31, %r{n + 1};") + "mov.b32 %result, %r0;",
        }, Rate.ClocksEach, 32.0 * Math.Max(warps, 4) / 4, (thread, turns, x) =>
        {
            int from = thread & ~31 | (thread + 32 / chains * turns) & 31;
            uint all = 0;
            for (int n = 0; n < chains; n++) all = all * 31 + (uint)(from * (n + 3) + 1);
            return x == all;
        }) { BlocksEach = warps > 1 ? 1 : 0 };

    /// <summary>
    /// A loop of nothing but its counter in one warp. The constant is what a branch costs; the subtraction and the comparison before it are
    /// two latencies of arithmetic and its own slot is one clock.
    /// </summary>
    private static LoopBenchmark Branch() => new(
        new("a loop of a counter, a comparison and a branch", "Branch + 1 + 2 ArithmeticLatency", "clk",
            r => r.Branch + 1 + 2 * r.ArithmeticLatency, "assumed", "assumed"),
        new("branch", 32) { Turn = "", Result = "add.s32 %result, %one, %left;" }, Rate.ClocksEach, 1, (_, _, x) => x == 1);
}
