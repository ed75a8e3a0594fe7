using System.Globalization;

namespace Sa2VA.VirtualGpu.Timing;

/// <summary>What the time of a launch is spent on.</summary>
public enum TimeLimit
{
    /// <summary>Tensor cores.</summary>
    Tensor,

    /// <summary>The pipe of shared memory and L1: bank conflicts and uncoalesced accesses count.</summary>
    SharedMemory,

    /// <summary>Special functions.</summary>
    SpecialFunction,

    /// <summary>Float32 and float64 units, and the products of integers.</summary>
    Float,

    /// <summary>Integer units, conversions, shuffles.</summary>
    Integer,

    /// <summary>Slots in which warps issue instructions.</summary>
    Issue,

    /// <summary>Bandwidth of L2.</summary>
    L2,

    /// <summary>Bandwidth of device memory.</summary>
    Dram,

    /// <summary>Chains of instructions, barriers and loads that too few warps hide, and multiprocessors without a block.</summary>
    Latency,

    /// <summary>The launch itself.</summary>
    Launch,
}

/// <summary>What the <see cref="TimeModel"/> says of a launch. It is a model: no card has measured it.</summary>
/// <param name="Seconds">From the end of the kernel before to the end of this one.</param>
/// <param name="Limit">What limits it.</param>
/// <param name="Shares">Of each resource the part of the time for which the busiest multiprocessor, L2 or device memory uses it.</param>
/// <param name="Resident">Blocks that a multiprocessor holds at once.</param>
/// <param name="Waves">Blocks of the grid, over what all multiprocessors hold at once.</param>
public sealed record ModelledTime(double Seconds, TimeLimit Limit, IReadOnlyDictionary<TimeLimit, double> Shares, int Resident,
    double Waves)
{
    /// <summary>What is busy for most of the time, whether that limits the launch or not; never latency or the launch.</summary>
    public TimeLimit Busiest => Shares.Where(s => s.Key != TimeLimit.Launch).MaxBy(s => s.Value).Key;

    /// <summary>Part of the multiprocessors that get a block, 0 … 1.</summary>
    public required double Occupied { get; init; }

    /// <inheritdoc/>
    public override string ToString()
    {
        IEnumerable<string> shares = Shares.Where(s => s.Value >= 0.05).OrderByDescending(s => s.Value)
            .Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Key} {100 * s.Value:F0} %"));
        return string.Create(CultureInfo.InvariantCulture,
            $"{1e6 * Seconds:F1} us modelled, limited by {Limit}: {string.Join(", ", shares)}; {Resident} blocks, {Waves:F2} waves");
    }
}
