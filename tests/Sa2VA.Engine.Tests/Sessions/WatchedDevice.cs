using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests.Sessions;

/// <summary>
/// The CPU, with a watcher of everything that is asked of it: who counts, and who fails what is to fail.
/// </summary>
/// <param name="device">The CPU; null for one of two threads.</param>
internal sealed class WatchedDevice(CpuDevice? device = null) : Device
{
    private readonly CpuDevice _device = device ?? new CpuDevice { Threads = 2 };

    /// <summary>Told before a run is enqueued, by the graph's name.</summary>
    public Action<string>? Before { get; set; }

    /// <summary>Told when a plan has written all it writes; not when it was cancelled.</summary>
    public Action<string>? After { get; set; }

    /// <summary>Told before a graph is compiled, by its name.</summary>
    public Action<string>? Compiling { get; set; }

    /// <summary>Told before a buffer is allocated, by its name.</summary>
    public Action<string>? Allocating { get; set; }

    /// <summary>Told before elements move to the device, by the buffer's name.</summary>
    public Action<string>? Writing { get; set; }

    /// <summary>Told before elements move within the device, by the names of both buffers.</summary>
    public Action<string, string>? Copying { get; set; }

    /// <summary>Told before elements move from the device, by the buffer's name.</summary>
    public Action<string>? Reading { get; set; }

    /// <summary>What it says that it has free, as a GPU does; null, as a CPU, for nothing.</summary>
    public long? Free { get; set; }

    /// <summary>Takes notes of every kernel, from the opening on.</summary>
    public Timeline? Timeline { get; init; }

    /// <summary>Plans that were compiled and not disposed.</summary>
    public int PlansAlive { get; private set; }

    public override string Name => "watched";

    public override string Description => "a CPU that is watched";

    public override IBackend Open(long memoryBudget = 0)
    {
        IBackend inner = _device.Open(memoryBudget);
        inner.Timeline = Timeline;
        return new Backend(this, inner);
    }

    public override IBackend OpenCounting() => _device.OpenCounting();

    private sealed class Backend(WatchedDevice device, IBackend inner) : IBackend
    {
        public string Name => device.Name;

        public string Description => device.Description;

        public Precision Precision => inner.Precision;

        public BackendMemory Memory => inner.Memory;

        public long? FreeMemory => device.Free;

        public Timeline? Timeline
        {
            get => inner.Timeline;
            set => inner.Timeline = value;
        }

        public DeviceBuffer Allocate(string name, DType type, Shape shape)
        {
            device.Allocating?.Invoke(name);
            return inner.Allocate(name, type, shape);
        }

        public DeviceBuffer Reserve(string name, DType type, Shape atMost)
        {
            device.Allocating?.Invoke(name);
            return inner.Reserve(name, type, atMost);
        }

        public ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default)
        {
            device.Compiling?.Invoke(graph.Name);
            return new Plan(device, inner.Compile(graph, cancellation));
        }

        public DeviceQueue CreateQueue(string name, QueuePriority priority = QueuePriority.Normal) =>
            new Queue(device, inner.CreateQueue(name, priority));

        public void Dispose() => inner.Dispose();
    }

    private sealed class Queue(WatchedDevice device, DeviceQueue inner) : DeviceQueue
    {
        public DeviceQueue Inner => inner;

        public override string Name => inner.Name;

        public override void Reserve(ExecutionPlan plan) => inner.Reserve(((Plan)plan).Inner);

        public override void Write<T>(DeviceBuffer to, ReadOnlySpan<T> source, long offset = 0)
        {
            device.Writing?.Invoke(to.Name);
            inner.Write(to, source, offset);
        }

        public override void Copy(DeviceBuffer from, long fromOffset, DeviceBuffer to, long toOffset, long count)
        {
            device.Copying?.Invoke(from.Name, to.Name);
            inner.Copy(from, fromOffset, to, toOffset, count);
        }

        public override void Run(BoundPlan plan, CancellationToken cancellation = default)
        {
            device.Before?.Invoke(plan.Graph.Name);
            inner.Run(plan, cancellation);
            if (device.After is null) return;
            inner.Mark().Wait();
            if (!cancellation.IsCancellationRequested) device.After(plan.Graph.Name);
        }

        public override Fence BeginRead<T>(DeviceBuffer from, T[] destination, long offset = 0)
        {
            device.Reading?.Invoke(from.Name);
            return inner.BeginRead(from, destination, offset);
        }

        public override void Read<T>(DeviceBuffer from, Span<T> destination, long offset = 0)
        {
            device.Reading?.Invoke(from.Name);
            inner.Read(from, destination, offset);
        }

        public override Fence Mark() => inner.Mark();

        public override void WaitFor(Fence fence) => inner.WaitFor(fence);

        public override void Dispose() => inner.Dispose();

        // Fences are the inner queue's.
        protected override bool IsReached(long position) => throw new NotSupportedException();

        protected override void Wait(long first, long position) => throw new NotSupportedException();

        protected override Task WhenReached(long first, long position) => throw new NotSupportedException();
    }

    private sealed class Plan : ExecutionPlan
    {
        private readonly WatchedDevice _device;

        public Plan(WatchedDevice device, ExecutionPlan inner) : base(inner.Graph)
        {
            (_device, Inner) = (device, inner);
            device.PlansAlive++;
        }

        public ExecutionPlan Inner { get; }

        public override long ArenaBytes => Inner.ArenaBytes;

        public override BoundPlan Bind(DeviceQueue queue, PlanBuffers buffers) => Inner.Bind(((Queue)queue).Inner, buffers);

        public override void Dispose()
        {
            _device.PlansAlive--;
            Inner.Dispose();
        }
    }
}
