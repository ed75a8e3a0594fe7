using System.Diagnostics;

namespace Sa2VA.Cpu;

/// <summary>
/// Urgent queues go first: as long as one has work, no run of another queue begins. A run that has begun is not stopped, and none waits for
/// longer than its patience, so that neither side can hold up the other for good.
/// </summary>
/// <param name="patience">How long a run lets others go first.</param>
internal sealed class Precedence(TimeSpan patience)
{
    /// <summary>What a run waits at most: a person hardly notices, and a frame loses little to what slips in.</summary>
    public static readonly TimeSpan UsualPatience = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly object _gate = new();
    private int _urgent;

    /// <summary>An urgent queue has work.</summary>
    public void Begin()
    {
        lock (_gate) _urgent++;
    }

    /// <summary>An urgent queue has none any more.</summary>
    public void End()
    {
        lock (_gate)
        {
            if (--_urgent == 0) Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Lets urgent work go first.</summary>
    /// <param name="loop">The queue that waits, unless it is to stop.</param>
    public void LetPass(CommandLoop loop)
    {
        if (Volatile.Read(ref _urgent) == 0) return;
        long began = Stopwatch.GetTimestamp();
        lock (_gate)
        {
            while (_urgent > 0 && !loop.IsStopping)
            {
                TimeSpan left = patience - Stopwatch.GetElapsedTime(began);
                if (left <= TimeSpan.Zero) return;
                Monitor.Wait(_gate, left < Poll ? left : Poll);
            }
        }
    }
}
