namespace Sa2VA.Cuda;

/// <summary>Completes the tasks of those who await positions of a queue: one thread for all of them, there while somebody waits.</summary>
internal sealed class StreamWatch(CudaQueue queue)
{
    private readonly object _gate = new();
    private readonly List<(long First, long Position, TaskCompletionSource Reached)> _watchers = [];
    private Thread? _thread;
    private bool _isStopped;

    public Task Add(long first, long position)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_isStopped) return Task.FromException(Closed());
            _watchers.Add((first, position, reached));
            if (_thread is null)
            {
                _thread = new Thread(Loop) { IsBackground = true, Name = $"sa2va watch {queue.Name}" };
                _thread.Start();
            }
            Monitor.Pulse(_gate);
        }
        return reached.Task;
    }

    public void Stop()
    {
        lock (_gate)
        {
            _isStopped = true;
            Monitor.Pulse(_gate);
        }
        if (_thread != Thread.CurrentThread) _thread?.Join();
    }

    private static ObjectDisposedException Closed() => new(nameof(CudaQueue), "The queue or its backend was closed.");

    private void Loop()
    {
        while (true)
        {
            (long First, long Position, TaskCompletionSource Reached) next;
            lock (_gate)
            {
                while (_watchers.Count == 0 && !_isStopped) Monitor.Wait(_gate);
                if (_watchers.Count == 0) return;
                next = _watchers.MinBy(w => w.Position);
                _watchers.Remove(next);
            }
            Exception? loss;
            try
            {
                queue.WaitOutside(next.Position);
                loss = queue.LossOf(next.First, next.Position);
            }
            catch (Exception e)
            {
                loss = e;
            }
            if (loss is null) next.Reached.SetResult();
            else next.Reached.SetException(loss);
        }
    }
}
