namespace Sa2VA.GpuBench;

/// <summary>What a benchmark is of: a constant of the model of time, and where that comes from.</summary>
/// <param name="Name">The benchmark.</param>
/// <param name="Constant">The constant, as the model calls it; for people, where there is none.</param>
/// <param name="Unit">Of both.</param>
/// <param name="Value">The constant's value for a card; null where the model has none.</param>
/// <param name="OnHopper">Where an H200's and an H100's comes from.</param>
/// <param name="OnOthers">Where those of other cards come from.</param>
internal sealed record Term(string Name, string Constant, string Unit, Func<VirtualGpu.Timing.CardRates, double>? Value, string OnHopper,
    string OnOthers);

/// <summary>What several repetitions gave, in order of size.</summary>
internal sealed record Spread(double Least, double Median, double Most)
{
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return new(sorted[0], sorted[sorted.Length / 2], sorted[^1]);
    }
}

/// <summary>What came of a benchmark.</summary>
/// <param name="Of">The benchmark.</param>
/// <param name="Measured">In its unit; null where it was not measured.</param>
/// <param name="Modelled">What the model has for the card; null where it has nothing.</param>
/// <param name="Origin">Where that comes from.</param>
/// <param name="Trouble">Why it was not measured, or what was wrong; null: nothing.</param>
/// <param name="IsWrong">Whether a result was wrong or a launch failed.</param>
internal sealed record Measurement(Term Of, Spread? Measured, double? Modelled, string Origin, string? Trouble, bool IsWrong)
{
    /// <summary>Clock of the multiprocessors meanwhile, in GHz; null where it is not known.</summary>
    public double? Gigahertz { get; init; }

    /// <summary>Measured over modelled.</summary>
    public double? Ratio => Measured is { } m && Modelled is > 0 and { } constant ? m.Median / constant : null;
}

/// <summary>A benchmark.</summary>
internal abstract record MicroBenchmark(Term Term)
{
    /// <summary>Whether it needs compute capability 9.0.</summary>
    public virtual bool IsOfHopper => false;

    /// <summary>Measures it, if the device can.</summary>
    /// <param name="device">The device.</param>
    /// <param name="repetitions">How often; of a virtual device one is enough.</param>
    public Measurement Run(BenchDevice device, int repetitions)
    {
        double? constant = Term.Value is { } value && device.Rates is { } rates ? value(rates) : null;
        string origin = constant is null ? "" : device.Rates!.WarpgroupTensor > 0 ? Term.OnHopper : Term.OnOthers;
        Measurement Without(string trouble, bool isWrong) => new(Term, null, constant, origin, trouble, isWrong);
        if (IsOfHopper && device.Facts.Capability != 90) return Without("needs compute capability 9.0", isWrong: false);
        try
        {
            (Spread measured, double? gigahertz) = Measure(device, repetitions);
            return new(Term, measured, constant, origin, null, IsWrong: false) { Gigahertz = gigahertz };
        }
        catch (NotSupportedException e)
        {
            return Without(e.Message, isWrong: false);
        }
        catch (Exception e) when (e is Core.DeviceException or InvalidDataException)
        {
            return Without(e.Message, isWrong: true);
        }
    }

    /// <exception cref="NotSupportedException">The driver cannot do it.</exception>
    /// <exception cref="InvalidDataException">What it computed is wrong.</exception>
    protected abstract (Spread Measured, double? Gigahertz) Measure(BenchDevice device, int repetitions);
}
