using Sa2VA.Core;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>What the launches of one kernel with the same shapes take in a run of a stage.</summary>
/// <param name="Op">Kind of op.</param>
/// <param name="Kernel">The kernel's name.</param>
/// <param name="Shapes">Operands, weights and result.</param>
/// <param name="Launches">How many there are in a run.</param>
/// <param name="Seconds">What they take together: the sum of each launch's median.</param>
/// <param name="Flops">
/// Floating-point operations of them all; 0 where they do none that are counted, and for what an op launches beside its longest kernel.
/// </param>
/// <param name="Bytes">
/// Bytes that they have to read and write at least: operands and results once. 0 as for <paramref name="Flops"/>.
/// </param>
public sealed record KernelTime(string Op, string Kernel, string Shapes, int Launches, double Seconds, long Flops, long Bytes)
{
    /// <summary>What limits most of that time, for people, where it is modelled; else null.</summary>
    public string? Limit { get; init; }

    /// <summary>Blocks of all launches, where their times are modelled; else 0.</summary>
    public long Blocks { get; init; }

    /// <summary>How many of them ran and stand for all; fewer than <see cref="Blocks"/> where grids were thinned.</summary>
    public long BlocksRun { get; init; }

    /// <summary>What the launches took together in each run; null where there was one.</summary>
    public Spread? Range { get; init; }

    /// <summary>Groups what several runs of a graph were made of.</summary>
    /// <param name="runs">Of each run the kernels in their order, the same in all.</param>
    /// <param name="scalars">Values of the graph's run-time scalars.</param>
    /// <param name="precision">How many bits weights lie in where they may have fewer than 16.</param>
    /// <param name="modelled">Of each kernel of a run what its device says of it, where that is modelled.</param>
    internal static IReadOnlyList<KernelTime> Of(IReadOnlyList<IReadOnlyList<TimedKernel>> runs, ReadOnlySpan<int> scalars,
        Precision precision, IReadOnlyList<ModelledLaunch>? modelled = null)
    {
        IReadOnlyList<TimedKernel> first = runs[0];
        double[] seconds = [.. first.Select((_, i) => Spread.Of(runs.Select(r => r[i].Seconds)).Median)];
        List<KernelTime> launches = [];
        for (int i = 0; i < first.Count;)
        {
            // The launches of one op follow each other.
            Op op = first[i].Op!;
            int end = i + 1, longest = i;
            for (; end < first.Count && first[end].Op == op; end++)
                if (seconds[end] > seconds[longest]) longest = end;
            string shapes = GraphTraffic.Shapes(op, scalars);
            (long flops, long bytes) = (op.Flops(scalars), GraphTraffic.Moved(op, scalars, precision));
            for (; i < end; i++)
            {
                launches.Add(new KernelTime(op.GetType().Name, first[i].Kernel, shapes, 1, seconds[i], i == longest ? flops : 0,
                    i == longest ? bytes : 0)
                {
                    Limit = modelled?[i].Limit,
                    Blocks = modelled?[i].Blocks ?? 0,
                    BlocksRun = modelled?[i].BlocksRun ?? 0,
                });
            }
        }
        if (runs.Count == 1) return Sum(launches);
        ILookup<(string, string, string), int> places = Enumerable.Range(0, launches.Count).ToLookup(n => launches[n].Key);
        return [.. Sum(launches).Select(k => k with { Range = Spread.Of(runs.Select(r => places[k.Key].Sum(n => r[n].Seconds))) })];
    }

    /// <summary>Puts together what has the same op, kernel and shapes, the longest first.</summary>
    internal static IReadOnlyList<KernelTime> Sum(IEnumerable<KernelTime> kernels) => [.. kernels.GroupBy(k => k.Key).Select(g =>
        g.First() with
        {
            Launches = g.Sum(k => k.Launches),
            Seconds = g.Sum(k => k.Seconds),
            Flops = g.Sum(k => k.Flops),
            Bytes = g.Sum(k => k.Bytes),
            Limit = Most(g),
            Blocks = g.Sum(k => k.Blocks),
            BlocksRun = g.Sum(k => k.BlocksRun),
        }).OrderByDescending(k => k.Seconds)];

    private (string Op, string Kernel, string Shapes) Key => (Op, Kernel, Shapes);

    private static string? Most(IEnumerable<KernelTime> launches) =>
        launches.GroupBy(k => k.Limit).MaxBy(g => g.Sum(k => k.Seconds))!.Key;
}
