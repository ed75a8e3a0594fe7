using Sa2VA.Core;
using Sa2VA.Cuda;

namespace Sa2VA.Tests;

/// <summary>The CUDA backend on this machine's first GPU, where it has one that can be used.</summary>
internal static class Gpus
{
    /// <summary>Captured graphs, and single launches; none without a GPU.</summary>
    public static IEnumerable<TestBackend> All() =>
        CudaAvailability.Find().Reason is null ? [Kept("graphs", usesGraphs: true), Kept("launches", usesGraphs: false)] : [];

    private static TestBackend Kept(string name, bool usesGraphs)
    {
        IBackend Open(Precision precision) => new CudaDevice { Precision = precision, UsesGraphs = usesGraphs }.Open();
        Dictionary<Precision, Lazy<IBackend>> open =
            Enum.GetValues<Precision>().ToDictionary(p => p, p => new Lazy<IBackend>(() => Open(p)));
        return new TestBackend($"cuda on a GPU, {name}", "gpu", Open) { Kept = precision => new KeptBackend(open[precision].Value) };
    }

    /// <summary>A backend that outlives who uses it: a driver takes a sixth of a second to open one.</summary>
    private sealed class KeptBackend(IBackend kept) : IBackend
    {
        public string Name => kept.Name;

        public string Description => kept.Description;

        public Precision Precision => kept.Precision;

        public BackendMemory Memory => kept.Memory;

        public long? FreeMemory => kept.FreeMemory;

        public Timeline? Timeline
        {
            get => kept.Timeline;
            set => kept.Timeline = value;
        }

        public DeviceBuffer Allocate(string name, DType type, Shape shape) => kept.Allocate(name, type, shape);

        public DeviceBuffer Reserve(string name, DType type, Shape atMost) => kept.Reserve(name, type, atMost);

        public ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default) => kept.Compile(graph, cancellation);

        public DeviceQueue CreateQueue(string name, QueuePriority priority = QueuePriority.Normal) => kept.CreateQueue(name, priority);

        public void Dispose() { }
    }
}
