using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>One backend in one configuration. <see cref="All"/> is the list that every test of ops and plans runs over.</summary>
/// <param name="Name">Name for messages.</param>
/// <param name="Family">Configurations of one family must give the same bits; another family may round otherwise.</param>
/// <param name="Open">A new backend.</param>
internal sealed record TestBackend(string Name, string Family, Func<IBackend> Open)
{
    public static IReadOnlyList<TestBackend> All { get; } = [.. Cpu()];

    /// <summary>The names of <see cref="All"/>, for theories.</summary>
    public static TheoryData<string> Names => [.. All.Select(b => b.Name)];

    public static IBackend OpenNamed(string name) => All.Single(b => b.Name == name).Open();

    /// <summary>Every vector width of this machine, alone and shared by an even and an odd number of threads.</summary>
    private static IEnumerable<TestBackend> Cpu() =>
        from level in CpuFeatures.Available
        from threads in (int[])[1, 2, 3]
        select new TestBackend($"cpu, {(int)level} bits, threads: {threads}", "cpu",
            () => new CpuBackend(new CpuOptions { Simd = level, Threads = threads }));
}
