using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>A kernel that ran to its end.</summary>
/// <param name="Kernel">Its name.</param>
/// <param name="Device">The device's number.</param>
/// <param name="Grid">Blocks.</param>
/// <param name="Block">Threads of a block.</param>
/// <param name="SharedBytes">Shared memory of a block, the kernel's own and dynamic.</param>
/// <param name="Counters">What it did.</param>
public sealed record LaunchRecord(string Kernel, int Device, Dim3 Grid, Dim3 Block, int SharedBytes, LaunchCounters Counters)
{
    /// <summary>How long a card would take, modelled; null unless <see cref="VirtualDriverOptions.ModelTimes"/> is set.</summary>
    public ModelledTime? Time { get; init; }
}
