using System.Runtime.ExceptionServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>Work that splits into parts which may run at once, in any order.</summary>
internal interface IParallelWork
{
    /// <summary>Does part <paramref name="part"/>.</summary>
    void Run(int part);
}

/// <summary>
/// Persistent threads that share the parts of one piece of work at a time: they spin for a moment between pieces, then park. New threads or
/// the framework's pool cost more than a 10 ms GEMM gains. The caller does its share. One caller at a time: the backend's lock sees to that.
/// </summary>
internal sealed class WorkerPool : IDisposable
{
    private const int SpinsBeforeParking = 200;

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _parked;
    private volatile IParallelWork? _work;
    private volatile int _generation;
    private volatile bool _stopping;
    private int _parts;
    private int _next;
    private int _running;
    private ExceptionDispatchInfo? _fault;

    public WorkerPool(int workers)
    {
        if (workers < 1) throw new ArgumentOutOfRangeException(nameof(workers));
        _threads = new Thread[workers - 1];
        _wake = new SemaphoreSlim[workers - 1];
        _parked = new int[workers - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int index = i;
            _wake[i] = new SemaphoreSlim(0);
            _threads[i] = new Thread(() => Loop(index)) { IsBackground = true, Name = $"sa2va worker {i + 1}" };
            _threads[i].Start();
        }
    }

    /// <summary>Runs all parts and returns when the last has ended; a part's exception is thrown here.</summary>
    public void Run(IParallelWork work, int parts)
    {
        ObjectDisposedException.ThrowIf(_stopping, this);
        if (parts == 1 || _threads.Length == 0)
        {
            for (int part = 0; part < parts; part++) work.Run(part);
            return;
        }
        (_parts, _next, _fault) = (parts, 0, null);
        Volatile.Write(ref _running, _threads.Length);
        _work = work;
        Interlocked.Increment(ref _generation);
        for (int i = 0; i < _threads.Length; i++)
            if (Interlocked.Exchange(ref _parked[i], 0) == 1) _wake[i].Release();

        DoParts(work);
        var spin = new SpinWait();
        while (Volatile.Read(ref _running) > 0) spin.SpinOnce(sleep1Threshold: -1);
        _work = null;
        ExceptionDispatchInfo? fault = _fault;
        if (fault is null) return;
        _fault = null;
        fault.Throw();
    }

    public void Dispose()
    {
        if (_stopping) return;
        _stopping = true;
        Interlocked.Increment(ref _generation);
        foreach (SemaphoreSlim w in _wake) w.Release();
        foreach (Thread t in _threads) t.Join();
        foreach (SemaphoreSlim w in _wake) w.Dispose();
    }

    private void Loop(int index)
    {
        int seen = 0;
        while (true)
        {
            for (int spins = 0; _generation == seen && spins < SpinsBeforeParking; spins++) Thread.SpinWait(10);
            if (_generation == seen)
            {
                Volatile.Write(ref _parked[index], 1);
                Interlocked.MemoryBarrier();
                // The caller raises the generation before it looks at the flag, so one of the two sees the other.
                if (_generation == seen || Interlocked.Exchange(ref _parked[index], 0) == 0) _wake[index].Wait();
            }
            if (_stopping) return;
            if (_generation == seen) continue;
            seen = _generation;
            if (_work is { } work) DoParts(work);
            Interlocked.Decrement(ref _running);
        }
    }

    private void DoParts(IParallelWork work)
    {
        // Which thread does a part has no influence on its result; handing parts out keeps a slow core from delaying the rest.
        while (true)
        {
            int part = Interlocked.Increment(ref _next) - 1;
            if (part >= _parts) return;
            try
            {
                work.Run(part);
            }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref _fault, ExceptionDispatchInfo.Capture(e), null);
            }
        }
    }
}
