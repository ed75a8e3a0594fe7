using Sa2VA.Core;
using Sa2VA.Cpu;

namespace Sa2VA.Tests.Sessions;

/// <summary>The CPU, with something happening before or after runs of its plans.</summary>
internal sealed class FaultyDevice : Device
{
    private readonly Device _device = new CpuDevice { Threads = 2 };

    /// <summary>Told before a plan runs, by the graph's name.</summary>
    public Action<string>? Before { get; set; }

    /// <summary>Told when a plan has written all it writes.</summary>
    public Action<string>? After { get; set; }

    /// <summary>Told before a graph is compiled, by its name.</summary>
    public Action<string>? Compiling { get; set; }

    /// <summary>Told before a buffer is allocated, by its name.</summary>
    public Action<string>? Allocating { get; set; }

    /// <summary>Plans that were compiled and not disposed.</summary>
    public int PlansAlive { get; private set; }

    public override string Name => "faulty";

    public override string Description => "a CPU that fails when it is told to";

    public override IBackend Open(long memoryBudget = 0) => new Backend(this, _device.Open(memoryBudget));

    private sealed class Backend(FaultyDevice device, IBackend inner) : IBackend
    {
        public string Name => device.Name;

        public string Description => device.Description;

        public BackendMemory Memory => inner.Memory;

        public DeviceBuffer Allocate(string name, DType type, Shape shape)
        {
            device.Allocating?.Invoke(name);
            return inner.Allocate(name, type, shape);
        }

        public ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default)
        {
            device.Compiling?.Invoke(graph.Name);
            return new Plan(device, inner.Compile(graph, cancellation));
        }

        public void Dispose() => inner.Dispose();
    }

    private sealed class Plan : ExecutionPlan
    {
        private readonly FaultyDevice _device;
        private readonly ExecutionPlan _inner;

        public Plan(FaultyDevice device, ExecutionPlan inner) : base(inner.Graph)
        {
            (_device, _inner) = (device, inner);
            device.PlansAlive++;
        }

        public override long ArenaBytes => _inner.ArenaBytes;

        public override void Run(PlanBindings bindings, CancellationToken cancellation = default)
        {
            _device.Before?.Invoke(Graph.Name);
            _inner.Run(bindings, cancellation);
            _device.After?.Invoke(Graph.Name);
        }

        public override void Dispose()
        {
            _device.PlansAlive--;
            _inner.Dispose();
        }
    }
}
