using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// One op of a compiled plan. A run calls <see cref="Prepare"/> once and then <see cref="Run"/> for each part, from any worker, in any
/// order; parts write disjoint elements, and no result depends on how many parts there are. Neither allocates.
/// </summary>
internal abstract class Kernel(Op op) : IParallelWork
{
    /// <summary>The op.</summary>
    public Op Op { get; } = op;

    /// <summary>The op's name, for messages.</summary>
    public string Name => Op.Name;

    /// <summary>Resolves operands and lengths; returns the number of parts, 0 when there is nothing to do.</summary>
    public abstract int Prepare(in RunContext run);

    /// <inheritdoc/>
    public abstract void Run(int part);

    /// <summary>
    /// Items [first, end) of part <paramref name="part"/> of <paramref name="parts"/>: static, contiguous, as even as can be.
    /// </summary>
    protected static (long First, long End) Share(long items, int part, int parts) => (items * part / parts, items * (part + 1) / parts);
}
