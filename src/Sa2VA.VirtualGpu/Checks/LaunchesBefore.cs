using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Checks;

/// <summary>A launch that has ended.</summary>
/// <param name="Plan">What it was.</param>
/// <param name="Touched">What it touched.</param>
/// <param name="Removals">How often memory had been taken away by then: later the same addresses may be something else.</param>
internal sealed record EndedLaunch(LaunchPlan Plan, LaunchFootprint Touched, long Removals);

/// <summary>
/// The launches beside which the next of a stream may run if it is a dependent one. It begins when all blocks of the last have let it or
/// have ended, and its wait ends when the last has ended: no more is certain. What came before the last has ended only as far as the last
/// waited for it.
/// </summary>
/// <param name="AtStart">Those that may not have ended when it begins.</param>
/// <param name="BehindWait">Those that may not have ended even behind its wait.</param>
internal sealed record LaunchesBefore(IReadOnlyList<EndedLaunch> AtStart, IReadOnlyList<EndedLaunch> BehindWait)
{
    /// <summary>Launches of a chain in which nobody waits that are remembered.</summary>
    private const int Most = 8;

    /// <summary>What the launch behind this one may run beside.</summary>
    /// <param name="ended">This one.</param>
    /// <param name="before">What it could run beside; null: nothing.</param>
    public static LaunchesBefore Next(EndedLaunch ended, LaunchesBefore? before)
    {
        if (before is null || ended.Plan.Dependent is not { } how) return new([ended], []);
        return new([.. (how.LetsGoLate ? before.BehindWait : before.AtStart).TakeLast(Most), ended],
            how.Waited ? before.BehindWait : before.AtStart);
    }

    /// <summary>Whether a launch touched what one of these writes, or wrote what one touches, before it knew that that had ended.</summary>
    /// <exception cref="GpuFaultException">It did.</exception>
    public void Check(LaunchPlan plan)
    {
        if (plan.Dependent?.Early is not { } early || plan.Touched is not { } touched) return;
        foreach (EndedLaunch e in BehindWait)
            if (Meet(touched, e, plan.Memory) is { } at) throw Fault(plan, e, at, onlyEarly: false);
        foreach (EndedLaunch e in AtStart)
            if (Meet(early, e, plan.Memory) is { } at) throw Fault(plan, e, at, onlyEarly: true);
    }

    /// <summary>The first byte at which two launches meet of which one writes, and whether the earlier one does.</summary>
    private static (ulong Address, bool EarlierWrites)? Meet(LaunchFootprint touched, EndedLaunch earlier, DeviceMemory memory)
    {
        if (earlier.Removals != memory.Removals) return null;
        foreach ((ulong number, ulong[] bits) in touched.Pages.OrderBy(p => p.Key))
            if (earlier.Touched.Pages.TryGetValue(number, out ulong[]? before) && LaunchFootprint.Shared(bits, before) is { } at)
                return ((number << BlockFootprint.PageShift) + (ulong)at.Byte, at.SecondWrites);
        return null;
    }

    private static GpuFaultException Fault(LaunchPlan plan, EndedLaunch earlier, (ulong Address, bool EarlierWrites) at, bool onlyEarly)
    {
        string name = plan.Kernel.Name, other = earlier.Plan.Kernel.Name;
        (string Words, int Line)? mine = new FirstTouch(at.Address, onlyEarly, onlyWrites: !at.EarlierWrites).Find(plan),
            theirs = new FirstTouch(at.Address, onlyEarly: false, onlyWrites: at.EarlierWrites).Find(earlier.Plan);
        string place = RaceWatch.Place(plan.Memory, at.Address), does = at.EarlierWrites ? "writes" : "touches";
        string why = onlyEarly
            ? $"{name} touches {place} before griddepcontrol.wait, while {other}, launched before it, may still run, which {does} it"
            : $"{name} touches {place}, which {other}, launched before it, {does}; the kernel between the two never waits, so the wait of "
                + $"{name} does not say that {other} has ended";
        return new(FaultKind.MissingWait, name, mine?.Line ?? 0,
            $"{why}\n  {name} {Words(mine)}\n  {other} {Words(theirs)}\n  seed {plan.Options.Seed}");

        static string Words((string Words, int Line)? touch) => touch?.Words
            ?? "(run once more, it did not, so by which line is not known)";
    }
}
