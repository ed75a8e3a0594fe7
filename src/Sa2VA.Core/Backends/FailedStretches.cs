using System.Runtime.ExceptionServices;

namespace Sa2VA.Core;

/// <summary>
/// Stretches of commands that failed, or were skipped because one before them had: from the failure to the position that was the latest
/// when the failure was first reported.
/// </summary>
internal sealed class FailedStretches
{
    /// <summary>Stretches that are remembered for those who have yet to wait.</summary>
    private const int Remembered = 64;

    private readonly Lock _lock = new();
    private readonly List<(long First, long Last, ExceptionDispatchInfo Error)> _stretches = [];
    private volatile int _count;

    public void Begin(long position, Exception error)
    {
        lock (_lock)
        {
            if (_stretches.Count == Remembered) _stretches.RemoveAt(0);
            _stretches.Add((position, long.MaxValue, ExceptionDispatchInfo.Capture(error)));
            _count = _stretches.Count;
        }
    }

    public bool Covers(long position)
    {
        if (_count == 0) return false;
        lock (_lock) return Find(position, position) >= 0;
    }

    public ExceptionDispatchInfo? Report(long first, long position, long latest)
    {
        if (_count == 0) return null;
        lock (_lock)
        {
            int i = Find(first, position);
            if (i < 0) return null;
            if (_stretches[i].Last == long.MaxValue) _stretches[i] = _stretches[i] with { Last = latest };
            return _stretches[i].Error;
        }
    }

    private int Find(long first, long last)
    {
        for (int i = 0; i < _stretches.Count; i++)
            if (_stretches[i].First <= last && first <= _stretches[i].Last) return i;
        return -1;
    }
}
