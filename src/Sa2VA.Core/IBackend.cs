namespace Sa2VA.Core;

/// <summary>A device that compiles graphs and owns the memory they run in. Nothing above this interface knows which device it is.</summary>
public interface IBackend : IDisposable
{
    /// <summary>Short name: <c>cpu</c>.</summary>
    string Name { get; }

    /// <summary>What the device is, for people.</summary>
    string Description { get; }

    /// <summary>How many bits it stores numbers in; chosen when it is opened.</summary>
    Precision Precision { get; }

    /// <summary>Bytes held now, by purpose.</summary>
    BackendMemory Memory { get; }

    /// <summary>
    /// Bytes that it can take now: what its budget leaves, and what the device has free. Null where nobody knows beforehand, as on a
    /// processor, whose memory the system shares out, and in a backend that only counts. A device whose backends tell can also count
    /// (<see cref="Device.OpenCounting"/>).
    /// </summary>
    long? FreeMemory { get; }

    /// <summary>
    /// Where runs are noted kernel by kernel; null, the usual, to note nothing. It slows runs down: a GPU launches the kernels of the
    /// bindings that are made meanwhile one by one, and only their runs are noted in full.
    /// </summary>
    Timeline? Timeline { get; set; }

    /// <summary>Memory of the device for inputs, states and outputs; contents are zero.</summary>
    /// <exception cref="DeviceMemoryException">The budget does not suffice.</exception>
    DeviceBuffer Allocate(string name, DType type, Shape shape);

    /// <summary>
    /// A place for memory that comes as it is needed (<see cref="DeviceBuffer.Commit"/>), at an address that never changes: a pool that
    /// grows without moving. It holds nothing yet.
    /// </summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="type">Element type.</param>
    /// <param name="atMost">Extents that it may grow to.</param>
    /// <exception cref="DeviceMemoryException">The device has no room for addresses of that many elements.</exception>
    DeviceBuffer Reserve(string name, DType type, Shape atMost);

    /// <summary>
    /// Chooses kernels, packs the weights that no earlier plan has packed, and places intermediates. Runs go on meanwhile.
    /// </summary>
    /// <exception cref="DeviceException">The budget does not suffice, or the backend lacks an op; the message names it.</exception>
    ExecutionPlan Compile(Graph graph, CancellationToken cancellation = default);

    /// <summary>A new ordered stream of work.</summary>
    /// <param name="name">Name for messages.</param>
    /// <param name="priority">Who goes first where queues compete.</param>
    DeviceQueue CreateQueue(string name, QueuePriority priority = QueuePriority.Normal);
}

/// <summary>Who goes first where the queues of a backend compete.</summary>
public enum QueuePriority
{
    /// <summary>Runs that wait a moment while an urgent queue has work: a token is late by that moment and a run in progress.</summary>
    Normal,

    /// <summary>
    /// Runs that go first: a frame of live video is late by the run that is in progress. For work that comes now and then.
    /// </summary>
    Urgent,
}
