using System.Diagnostics;

namespace Sa2VA.Core;

/// <summary>
/// What the queues of a backend ran and when, kernel by kernel (<see cref="IBackend.Timeline"/>). It grows with every run, until it is
/// taken. Any thread may call any member.
/// </summary>
public sealed class Timeline
{
    private readonly Lock _lock = new();
    private readonly long _began = Stopwatch.GetTimestamp();
    private List<TimedKernel> _kernels = [];

    /// <summary>Seconds since this was made: what <see cref="TimedKernel.Start"/> counts from.</summary>
    public double Now => Stopwatch.GetElapsedTime(_began).TotalSeconds;

    /// <summary>Raised when what was noted is about to be taken: who notes behind the event does it now.</summary>
    public event Action? Taking;

    /// <summary>Notes a kernel that has run.</summary>
    public void Add(in TimedKernel kernel)
    {
        lock (_lock) _kernels.Add(kernel);
    }

    /// <summary>
    /// All that was noted since the last call, of each queue in its order: of a GPU's kernels those that somebody has waited for.
    /// </summary>
    public IReadOnlyList<TimedKernel> Take()
    {
        Taking?.Invoke();
        lock (_lock)
        {
            List<TimedKernel> taken = _kernels;
            _kernels = [];
            return taken;
        }
    }
}

/// <summary>A kernel that has run.</summary>
/// <param name="Queue">The queue's name.</param>
/// <param name="Graph">Name of the graph; that of the queue for what is no graph's.</param>
/// <param name="Op">The op that it is of, in the graph as it was rewritten; null for a copy. Several kernels may be of one op.</param>
/// <param name="Kernel">The kernel's name.</param>
/// <param name="Start">When it began, in seconds on the timeline.</param>
/// <param name="Seconds">How long it took, on a GPU with the launch.</param>
public readonly record struct TimedKernel(string Queue, string Graph, Op? Op, string Kernel, double Start, double Seconds);
