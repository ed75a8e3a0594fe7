using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>
/// Finds out who it was: while the blocks of a launch in which two raced for a byte run once more, one after the other, it notes who
/// touches that byte.
/// </summary>
internal sealed class RaceWatch(ulong watched) : TouchWatch(watched)
{
    /// <summary>Of each kind the accesses of two blocks at most: one of them is another block than whoever comes.</summary>
    private readonly List<(GlobalTouch Touch, Dim3 Block, Dim3 Cluster, int Thread, Instruction By)> seen = [];

    /// <exception cref="GpuFaultException">The access races with one that was seen.</exception>
    protected override void Found(Warp w, Instruction i, int lane)
    {
        Dim3 block = w.Block.At, cluster = w.Block.ClusterAt;
        int thread = 32 * w.Id + lane;
        int other = seen.FindIndex(s => s.Cluster != cluster && GlobalTouches.Races(s.Touch, i.Touch));
        if (other >= 0)
        {
            (GlobalTouch touch, Dim3 before, _, int beforeThread, Instruction by) = seen[other];
            throw w.Fault(FaultKind.Race, i, $"race between blocks at {Place(w.Block.Memory, Watched)}: block {block}, thread {thread}, "
                + $"{i.Touch.Verb(past: false)} what block {before}, thread {beforeThread}, {touch.Verb(past: true)} "
                + $"at line {by.Source.Line} ({by.Source}); nothing orders the blocks of a launch");
        }
        if (!seen.Exists(s => s.Touch == i.Touch && s.Cluster == cluster) && seen.Count(s => s.Touch == i.Touch) < 2)
            seen.Add((i.Touch, block, cluster, thread, i));
    }

    /// <summary>The byte in words.</summary>
    public static string Place(DeviceMemory memory, ulong address) => memory.Around(address) is { } a
        ? $"byte {address - a.Address} of {a.Name}" : $"0x{address:x}";
}
