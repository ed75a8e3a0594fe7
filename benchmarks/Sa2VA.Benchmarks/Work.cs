namespace Sa2VA.Benchmarks;

/// <summary>A benchmark's case: what one run computes and must read, for the columns that show rates.</summary>
/// <param name="Name">Shown in the table.</param>
/// <param name="Flops">Floating-point operations.</param>
/// <param name="Bytes">Bytes that have to come from memory: weights, caches; 0 where that is not what limits.</param>
public abstract record Work(string Name, double Flops, double Bytes)
{
    /// <inheritdoc/>
    public sealed override string ToString() => Name;
}
