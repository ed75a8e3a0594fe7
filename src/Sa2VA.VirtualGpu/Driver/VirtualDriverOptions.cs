namespace Sa2VA.VirtualGpu.Driver;

/// <summary>What a virtual driver offers and how its devices run.</summary>
public sealed record VirtualDriverOptions
{
    /// <summary>The devices by their number; none is allowed.</summary>
    public IReadOnlyList<VirtualDeviceKind> Devices { get; init; } = [VirtualDeviceKind.A100];

    /// <summary>Memory of each device in place of its kind's; allocations beyond it are out of memory.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>
    /// How kernels are run and checked; the capability is the device's. Its seed also draws the order in which work of different streams
    /// and nodes of a graph run.
    /// </summary>
    public VirtualDeviceOptions Execution { get; init; } = new();

    /// <summary>
    /// Nothing runs before somebody waits for it, and then only what it depends on: whoever forgets to wait finds nothing done. With false,
    /// work runs as soon as its stream and the events it waits for allow.
    /// </summary>
    public bool LazyDispatch { get; init; }

    /// <summary>
    /// Finds work of two streams that touches the same bytes of device memory, one writing, without an event or a wait of the host between
    /// the two, in whatever order it ran: a fault of their context. Nodes of one graph are not checked against each other. Needs
    /// <see cref="VirtualDeviceOptions.Checks"/>.
    /// </summary>
    public bool CheckStreams { get; init; }

    /// <summary>
    /// Freed addresses are given again at once, so that a program which knows something by an address that it freed gets wrong results.
    /// With false no address is given twice, so that whatever uses freed memory is a fault.
    /// </summary>
    public bool ReuseAddresses { get; init; }

    /// <summary>What cuDriverGetVersion gives: 13000 for CUDA 13.0.</summary>
    public int Version { get; init; } = 13000;

    /// <summary>Unit of mapped memory, a power of two of at least 256.</summary>
    public int MappingGranularity { get; init; } = 2 << 20;

    /// <summary>Functions that this driver does not have: Export gives 0.</summary>
    public IReadOnlyCollection<string> Hidden { get; init; } = [];

    /// <summary>
    /// Each launch gets the time that a card of the device's kind would take, as modelled (<see cref="LaunchRecord.Time"/>), and events
    /// tell such times instead of this machine's: launches and copies one after the other, whatever their streams, as nodes of graphs are
    /// launched.
    /// </summary>
    public bool ModelTimes { get; init; }

    /// <summary>
    /// Registers of a thread of a kernel on a compute capability times ten, as an assembler says; null where that is not known, and then
    /// they are estimated from what is alive at once.
    /// </summary>
    public Func<string, int, int?>? Registers { get; init; }

    /// <summary>Notes every launch in <see cref="VirtualDriver.Launches"/>.</summary>
    public bool LogLaunches { get; init; }
}
