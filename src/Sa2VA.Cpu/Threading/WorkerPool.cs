using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Sa2VA.Cpu;

/// <summary>Work that splits into parts which may run at once, in any order.</summary>
internal interface IParallelWork
{
    /// <summary>Does part <paramref name="part"/>.</summary>
    void Run(int part);
}

/// <summary>
/// Persistent threads that share the parts of one piece of work at a time: they spin for a moment between pieces, then park. New threads or
/// the framework's pool cost more than a 10 ms GEMM gains. The caller does its share. One caller at a time: the backend's lock sees to
/// that. The threads know their <see cref="Team"/> and nothing else, so that a pool nobody holds any more is collected and they end.
/// </summary>
internal sealed class WorkerPool : IDisposable
{
    private readonly Team _team;
    private readonly Thread[] _threads;

    public WorkerPool(int workers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(workers, 1);
        var team = new Team(workers - 1);
        _team = team;
        _threads = new Thread[workers - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int index = i;
            _threads[i] = new Thread(() => team.Loop(index)) { IsBackground = true, Name = $"sa2va worker {i + 1}" };
            _threads[i].Start();
        }
    }

    /// <summary>A pool that nobody disposed: the threads are told to end, and not waited for.</summary>
    ~WorkerPool() => _team.Stop();

    /// <summary>The threads besides the caller's.</summary>
    public IReadOnlyList<Thread> Threads => _threads;

    /// <summary>Runs all parts and returns when the last has ended; if parts failed, the exception of one of them is thrown here.</summary>
    public void Run(IParallelWork work, int parts)
    {
        ObjectDisposedException.ThrowIf(_team.Stopping, this);
        if (parts == 1 || _threads.Length == 0)
        {
            for (int part = 0; part < parts; part++) work.Run(part);
            return;
        }
        _team.Run(work, parts);
        GC.KeepAlive(this);
    }

    public void Dispose()
    {
        if (_team.Stopping) return;
        GC.SuppressFinalize(this);
        _team.Stop();
        foreach (Thread t in _threads) t.Join();
    }

    /// <summary>What the threads share.</summary>
    private sealed class Team
    {
        private const int SpinsBeforeParking = 200;

        private readonly SemaphoreSlim[] _wake;
        private readonly int[] _parked;
        private volatile IParallelWork? _work;
        private volatile int _generation;
        private volatile bool _stopping;
        private int _parts;
        private int _next;
        private int _running;
        private ExceptionDispatchInfo? _fault;

        public Team(int threads)
        {
            _wake = new SemaphoreSlim[threads];
            _parked = new int[threads];
            for (int i = 0; i < threads; i++) _wake[i] = new SemaphoreSlim(0);
        }

        public bool Stopping => _stopping;

        public void Run(IParallelWork work, int parts)
        {
            (_parts, _next, _fault) = (parts, 0, null);
            Volatile.Write(ref _running, _wake.Length);
            _work = work;
            Interlocked.Increment(ref _generation);
            for (int i = 0; i < _wake.Length; i++)
                if (Interlocked.Exchange(ref _parked[i], 0) == 1) _wake[i].Release();

            DoParts();
            var spin = new SpinWait();
            while (Volatile.Read(ref _running) > 0) spin.SpinOnce(sleep1Threshold: -1);
            _work = null;
            ExceptionDispatchInfo? fault = _fault;
            if (fault is null) return;
            _fault = null;
            fault.Throw();
        }

        public void Stop()
        {
            _stopping = true;
            Interlocked.Increment(ref _generation);
            foreach (SemaphoreSlim w in _wake) w.Release();
        }

        public void Loop(int index)
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
                DoParts();
                Interlocked.Decrement(ref _running);
            }
        }

        // In a method of its own: a reference to the work left in a waiting thread's frame would keep the backend alive.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private void DoParts()
        {
            if (_work is not { } work) return;
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
}
