using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>What a context owns and what calls know it by.</summary>
internal abstract class ContextObject(DriverContext context)
{
    public DriverContext Context => context;

    public nint Handle { get; set; }
}

/// <summary>A context: memory of its own on a device, and an error of its own.</summary>
internal sealed class DriverContext(DriverDevice device, AddressSpace addresses, bool tracked, StreamRaces? races, int number) : IDisposable
{
    private int pieces;

    public nint Handle { get; set; }

    public DriverDevice Device => device;

    public int Number => number;

    /// <summary>What kernels see: allocations, mapped memory, variables, host memory.</summary>
    public DeviceMemory Memory { get; } = new(tracked, addresses) { Races = races };

    /// <summary>Memory by cuMemAlloc, by address: what the device counts for it.</summary>
    public Dictionary<ulong, long> Allocations { get; } = [];

    public Dictionary<nint, HostMemory> HostMemory { get; } = [];

    public AddressMappings Mappings { get; } = new();

    /// <summary>Memory by cuMemCreate that is not freed yet.</summary>
    public HashSet<PhysicalMemory> Physical { get; } = [];

    /// <summary>The error that every call on this context gives; null while there is none.</summary>
    public DriverException? Fault { get; set; }

    public bool IsDestroyed { get; set; }

    /// <summary>Whether launches may come that begin before others have ended: then what each touched is kept for the next.</summary>
    public bool HasDependentLaunches { get; set; }

    /// <summary>A name for a piece of memory, for faults.</summary>
    public string NextName(string kind) => $"{kind} {++pieces} of context {number}";

    /// <exception cref="DriverException">The context has a sticky error, or is no more.</exception>
    public void Check()
    {
        if (IsDestroyed) throw new DriverException(DriverResult.InvalidContext, "the context was destroyed");
        if (Fault is not null) throw new DriverException(Fault.Result, Fault.Message, Fault.TellsCaller);
    }

    public void Dispose()
    {
        foreach (long bytes in Allocations.Values) device.GiveBack(bytes);
        Allocations.Clear();
        Mappings.Clear(Memory);
        foreach (PhysicalMemory m in Physical.ToArray()) m.Free();
        Memory.Dispose();
        HostMemory.Clear();
    }
}
