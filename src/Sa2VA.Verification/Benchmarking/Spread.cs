namespace Sa2VA.Verification.Benchmarking;

/// <summary>Several measurements of one thing: other work on the machine shows as distance between them.</summary>
/// <param name="Median">The middle one.</param>
/// <param name="Min">The smallest one.</param>
/// <param name="Max">The largest one.</param>
/// <param name="Count">How many there are.</param>
public readonly record struct Spread(double Median, double Min, double Max, int Count)
{
    /// <summary>Median and range of at least one value.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        if (sorted.Length == 0) throw new ArgumentException("There is nothing to take the median of.", nameof(values));
        int middle = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Spread(median, sorted[0], sorted[^1], sorted.Length);
    }

    /// <summary>The same measurements in another unit.</summary>
    public Spread Times(double factor) => new(Median * factor, Min * factor, Max * factor, Count);
}
