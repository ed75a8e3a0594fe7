using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>One run of a piece of work: what there is of it before its turn comes, and what those behind it must know.</summary>
internal sealed class WorkTurn(Operation work) : IDisposable
{
    public Operation Work => work;

    /// <summary>Whether it is a launch that may begin while the launch before it runs.</summary>
    public bool MayBeginEarly => work is LaunchOperation { IsDependent: true };

    /// <summary>What it touches; null if nobody looks.</summary>
    public LaunchFootprint? Touched { get; set; }

    /// <summary>Of a launch that has begun what it is, and its blocks.</summary>
    public LaunchPlan? Plan { get; set; }

    public EarlyBlocks? Early { get; set; }

    /// <summary>What it may run beside, and what the next launch may; null: nothing, or nobody looks.</summary>
    public LaunchesBefore? Before { get; set; }

    public LaunchesBefore? After { get; set; }

    public void Dispose()
    {
        Early?.Dispose();
        Early = null;
        Plan = null;
        // Launches behind it compare themselves with what it touched.
        if (After is null) Touched?.Dispose();
        Touched = null;
    }
}
