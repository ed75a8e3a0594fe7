using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>
/// What checks on the device find in a queue's runs: a record that stops what follows while something stands in it, and copies of what
/// stood there before, for work of other queues that waited for what failed. Used under the queue's lock, within the context.
/// </summary>
internal sealed unsafe class QueueFaults
{
    /// <summary>Failures that are remembered; as many as <see cref="FailedStretches"/> does.</summary>
    private const int Remembered = 64;

    /// <summary>Of <see cref="CheckFinding.Position"/>.</summary>
    private const int PositionOffset = 2 * sizeof(int);

    private readonly CudaQueue _queue;
    private readonly CudaMemory _memory;
    private readonly CheckFinding* _seen;
    private readonly Queue<(long Position, Fence Fence)> _waits = new(64);
    private CudaFunction? _carry;
    private CheckFinding _finding;
    private Exception? _stands;
    private Fence _cause;
    private long _lastFinding = -1;
    private int _told;

    public QueueFaults(CudaQueue queue)
    {
        _queue = queue;
        _memory = CudaMemory.Allocate(queue.Backend, MemoryPurpose.Arena, sizeof(CheckFinding) + Remembered * sizeof(Told),
            $"what checks of queue '{queue.Name}' find");
        if (queue.Backend.Account.CountsOnly) return;
        using CudaContext.Scope scope = Context.Enter();
        void* seen;
        Context.Check(Driver.MemHostAlloc(&seen, (nuint)sizeof(CheckFinding), 0), "allocating page-locked memory");
        _seen = (CheckFinding*)seen;
        *_seen = default;
        queue.Backend.Clear(_memory.Address, _memory.Bytes);
        Forget(queue.Backend.Service);
        Context.Check(Driver.StreamSynchronize(queue.Backend.Service), "clearing memory");
    }

    /// <summary>Where a check on the device writes what it found.</summary>
    public ulong Address => _memory.Address;

    private ulong ToldAddress => _memory.Address + (ulong)sizeof(CheckFinding);

    private CudaContext Context => _queue.Backend.Context;

    private CudaDriver Driver => Context.Driver;

    /// <summary>Enqueues a look at the record.</summary>
    public CudaResult Look() => Driver.MemcpyDtoHAsync(_seen, _memory.Address, (nuint)sizeof(CheckFinding), _queue.Stream);

    /// <summary>Takes note of what was last seen; everything up to a position has happened.</summary>
    public void Settle(long position, FailedStretches failures)
    {
        if (_seen->Code != 0 && _seen->Position > _lastFinding)
        {
            _finding = *_seen;
            _lastFinding = _finding.Position;
            _stands = _queue.Backend.Sites.ErrorOf(_finding);
            _cause = default;
            foreach ((long at, Fence fence) in _waits)
                if (at == _lastFinding) _cause = fence;
            failures.Begin(_lastFinding, _stands);
        }
        while (_waits.TryPeek(out (long Position, Fence) wait) && wait.Position <= position) _waits.Dequeue();
    }

    /// <summary>Enqueues: whatever failed before a point of another queue takes with it what follows here.</summary>
    public void Carry(Fence fence, QueueFaults from, long position)
    {
        _carry ??= _queue.Backend.Modules.Function("carry_fault", "carry_fault");
        _carry.Launch(_queue.Stream, new Grid(1), 32, 0, new CarryArguments
        {
            Run = new RunArguments { Fault = Address },
            From = from.Address,
            Told = from.ToldAddress,
            First = fence.First,
            Last = fence.Position,
            Position = position,
        });
        _waits.Enqueue((position, fence));
    }

    /// <summary>
    /// The host has been told of a failure: if that is the one which stands in the record, what is enqueued from now on runs again.
    /// </summary>
    /// <param name="failure">What it was told.</param>
    /// <param name="stage">Gives page-locked bytes for what is enqueued next.</param>
    /// <param name="latest">The last position that is enqueued.</param>
    /// <returns>The point of another queue from which the failure came, if it did.</returns>
    public Fence Tell(Exception failure, Func<long, nint> stage, long latest)
    {
        if (failure != _stands) return default;
        _stands = null;
        // First it is remembered, then it no longer stands: who looks meanwhile sees one of the two.
        var told = (Told*)stage(sizeof(Told));
        *told = new Told { Fault = _finding, Last = latest };
        Context.Check(Driver.MemcpyHtoDAsync(ToldAddress + (ulong)(_told++ % Remembered * sizeof(Told)), told, (nuint)sizeof(Told),
            _queue.Stream), "remembering a fault");
        Forget(_queue.Stream);
        return _cause;
    }

    /// <summary>Gives memory back once nothing that is enqueued anywhere reads it.</summary>
    public void Free()
    {
        if (_seen != null) Context.GiveBack(driver => driver.MemFreeHost(_seen));
        _queue.Backend.Retire(_memory.Free);
    }

    /// <summary>Nothing stands in the record, and its position is larger than any (<c>kernels/carry_fault.cu</c>).</summary>
    private void Forget(nint stream)
    {
        Context.Check(Driver.MemsetD8Async(Address + PositionOffset, 0x7f, sizeof(long), stream), "clearing a fault");
        Context.Check(Driver.MemsetD8Async(Address, 0, sizeof(int), stream), "clearing a fault");
    }

    /// <summary>Told of <c>kernels/carry_fault.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Told
    {
        public CheckFinding Fault;
        public long Last;
    }

    /// <summary>CarryFaultArguments of <c>kernels/carry_fault.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct CarryArguments
    {
        public RunArguments Run;
        public ulong From, Told;
        public long First, Last, Position;
    }
}
