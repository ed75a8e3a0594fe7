using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>One backend in one configuration. <see cref="All"/> is the list that every test of ops and plans runs over.</summary>
/// <param name="Name">Name for messages.</param>
/// <param name="Family">Configurations of one family must give the same bits; another family may round otherwise.</param>
/// <param name="OpenWith">A new backend of that precision.</param>
internal sealed record TestBackend(string Name, string Family, Func<Precision, IBackend> OpenWith)
{
    /// <summary>A backend for one op, which need not be new, as a driver takes long to open one; null: a new one.</summary>
    public Func<Precision, IBackend>? Kept { get; init; }

    /// <inheritdoc cref="Kept"/>
    public IBackend ForOneOp(Precision precision = Precision.Float32) => (Kept ?? OpenWith)(precision);

    /// <summary>
    /// True if a second run of an op would show nothing that one on the family's first configuration does not: the same kernels in the
    /// same order.
    /// </summary>
    public bool RunsOnce { get; init; }

    /// <summary>True if it takes its time: an op that runs in BF16 as well is run a second time there alone.</summary>
    public bool IsSlow { get; init; }

    /// <summary>
    /// All of them; of one family alone where the environment variable SA2VA_BACKENDS names it: cpu, cuda (virtual GPUs), gpu.
    /// </summary>
    public static IReadOnlyList<TestBackend> All { get; } = Chosen(Environment.GetEnvironmentVariable("SA2VA_BACKENDS"));

    /// <summary>The families of <see cref="All"/>.</summary>
    public static TheoryData<string> Families => [.. All.Select(b => b.Family).Distinct()];

    /// <summary>The names of <see cref="All"/>, for theories.</summary>
    public static TheoryData<string> Names => [.. All.Select(b => b.Name)];

    /// <summary>A new backend of F32.</summary>
    public IBackend Open() => OpenWith(Precision.Float32);

    /// <summary>The names, in either precision.</summary>
    public static TheoryData<string, Precision> NamesAndPrecisions => InEitherPrecision(All);

    /// <summary>The CPU's names, in either precision.</summary>
    public static TheoryData<string, Precision> CpuNamesAndPrecisions =>
        InEitherPrecision(All.Where(b => b.Family.StartsWith("cpu", StringComparison.Ordinal)));

    // Tests that ran on nothing would pass.
    private static IReadOnlyList<TestBackend> Chosen(string? family)
    {
        TestBackend[] all = [.. Cpu(), .. VirtualGpus.All(), .. Gpus.All()];
        if (string.IsNullOrEmpty(family)) return all;
        TestBackend[] chosen = [.. all.Where(b => b.Family == family)];
        return chosen.Length > 0 ? chosen
            : throw new InvalidOperationException($"SA2VA_BACKENDS is {family}, of which there is none here.");
    }

    private static TheoryData<string, Precision> InEitherPrecision(IEnumerable<TestBackend> backends) =>
        [.. from backend in backends
            from precision in (Precision[])[Precision.Float32, Precision.BFloat16]
            select (backend.Name, precision)];

    public static IBackend OpenNamed(string name, Precision precision = Precision.Float32) =>
        All.Single(b => b.Name == name).OpenWith(precision);

    /// <summary>
    /// Every vector width of this machine, alone and shared by an even and an odd number of threads; where a width has assembled register
    /// blocks and managed ones, those that are not taken by themselves too. Then what multiplies pairs of BF16, a family for each order of
    /// sums: in C#, and on the processor where it can.
    /// </summary>
    private static IEnumerable<TestBackend> Cpu() =>
    [
        .. from level in CpuFeatures.Available
           from threads in (int[])[1, 2, 3]
           from kernels in threads == 2 && CanAssemble(level) ? Both : [Usual(level)]
           select Of("cpu", level, threads, kernels),
        .. from unit in (PairUnit[])[PairUnit.Matrix, PairUnit.Dot]
           let isMatrix = unit == PairUnit.Matrix
           let lacking = isMatrix ? PairSupport.WithoutMatrix : PairSupport.WithoutDot
           from choice in (KernelChoice[])
           [
               isMatrix ? KernelChoice.ManagedAmx : KernelChoice.ManagedAvx512BFloat16,
               .. lacking is null ? (KernelChoice[])[isMatrix ? KernelChoice.Amx : KernelChoice.Avx512BFloat16] : [],
           ]
           from threads in (int[])[1, 3]
           select Of(isMatrix ? "cpu-amx" : "cpu-avx512bf16", CpuFeatures.Available[threads == 1 ? 0 : ^1], threads, choice),
    ];

    private static KernelChoice Usual(SimdLevel level) =>
        FloatBlocks.Choose(level, null) is null ? KernelChoice.Managed : KernelChoice.Assembled;

    private static KernelChoice[] Both => [KernelChoice.Managed, KernelChoice.Assembled];

    private static TestBackend Of(string family, SimdLevel level, int threads, KernelChoice kernels) => new(
        $"{family}, {(int)level} bits, threads: {threads}, {kernels}", family, precision => new CpuBackend(
            new CpuOptions { Simd = level, Threads = threads, Precision = precision, Kernels = kernels }));

    private static bool CanAssemble(SimdLevel level)
    {
        using var blocks = FloatBlocks.TryAssemble(level);
        return blocks is not null;
    }
}
