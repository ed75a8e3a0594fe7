using System.Diagnostics;

namespace Sa2VA.Cpu;

/// <summary>
/// Queues take turns with the workers, first come first served. Whoever has them keeps them for a moment even if others wait, since handing
/// over costs as much as a small op; so another queue's op delays one by that op and this moment at most.
/// </summary>
internal sealed class Turns
{
    private static readonly long Moment = Stopwatch.Frequency / 1000;

    private readonly Lock _lock = new();
    private readonly Queue<SemaphoreSlim> _waiting = new(16);
    private long _since;
    private int _waiters;
    private bool _taken;

    /// <summary>Waits for a turn.</summary>
    /// <param name="mine">The caller's own, with count 0.</param>
    public void Enter(SemaphoreSlim mine)
    {
        lock (_lock)
        {
            if (!_taken)
            {
                (_taken, _since) = (true, Stopwatch.GetTimestamp());
                return;
            }
            _waiting.Enqueue(mine);
            _waiters++;
        }
        mine.Wait();
    }

    /// <summary>Between two ops: lets others have their turn if they wait and this one has lasted its moment.</summary>
    public void Pass(SemaphoreSlim mine)
    {
        if (Volatile.Read(ref _waiters) == 0 || Stopwatch.GetTimestamp() - _since < Moment) return;
        Exit();
        Enter(mine);
    }

    /// <summary>Ends the turn.</summary>
    public void Exit()
    {
        lock (_lock)
        {
            if (_waiting.TryDequeue(out SemaphoreSlim? next))
            {
                _waiters--;
                _since = Stopwatch.GetTimestamp();
                next.Release();
            }
            else _taken = false;
        }
    }
}
