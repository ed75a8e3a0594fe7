using Sa2VA.VirtualGpu.Lowering;

namespace Sa2VA.VirtualGpu;

/// <summary>A kernel of a loaded module.</summary>
public sealed class VirtualKernel
{
    internal VirtualKernel(VirtualDevice device, LoweredKernel lowered, ulong[] variables)
    {
        Device = device;
        Lowered = lowered;
        Variables = variables;
    }

    /// <summary>The device that the module was loaded on.</summary>
    public VirtualDevice Device { get; }

    /// <summary>Name of the entry.</summary>
    public string Name => Lowered.Name;

    /// <summary>Threads that a block may have.</summary>
    public int MaxThreads => Lowered.MaxThreads;

    /// <summary>Bytes of shared memory that the kernel declares; dynamic shared memory is given at the launch.</summary>
    public int StaticSharedBytes => Lowered.StaticShared;

    internal LoweredKernel Lowered { get; }

    /// <summary>Addresses of the module's variables.</summary>
    internal ulong[] Variables { get; }
}

/// <summary>A PTX module on a device, every instruction of every kernel known to run.</summary>
public sealed class VirtualModule
{
    private readonly Dictionary<string, VirtualKernel> kernels;
    private readonly Dictionary<string, ulong> variables;

    internal VirtualModule(Dictionary<string, VirtualKernel> kernels, Dictionary<string, ulong> variables)
    {
        this.kernels = kernels;
        this.variables = variables;
    }

    /// <summary>The kernels, in order of their names.</summary>
    public IReadOnlyList<VirtualKernel> Kernels => [.. kernels.Values.OrderBy(k => k.Name, StringComparer.Ordinal)];

    /// <summary>The kernel of that name.</summary>
    /// <exception cref="KeyNotFoundException">The module has none.</exception>
    public VirtualKernel this[string name] =>
        kernels.TryGetValue(name, out VirtualKernel? k) ? k : throw new KeyNotFoundException($"The module has no kernel {name}.");

    /// <summary>Address of a global or constant variable.</summary>
    /// <exception cref="KeyNotFoundException">The module has none of that name.</exception>
    public ulong AddressOf(string variable) =>
        variables.TryGetValue(variable, out ulong a) ? a : throw new KeyNotFoundException($"The module has no variable {variable}.");
}
