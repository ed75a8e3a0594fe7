using Sa2VA.VirtualGpu.Lowering;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>A module of a context: its variables have addresses.</summary>
internal sealed class DriverModule(DriverContext context, LoweredModule lowered, ulong[] variables) : ContextObject(context)
{
    public ulong[] Variables => variables;

    public bool IsUnloaded { get; set; }

    public Dictionary<string, DriverFunction> Functions { get; } = [];

    public LoweredKernel? Find(string name) => lowered.Kernels.GetValueOrDefault(name);
}

/// <summary>A kernel of a module.</summary>
internal sealed class DriverFunction(DriverModule module, LoweredKernel kernel) : ContextObject(module.Context)
{
    /// <summary>Shared memory that a block may have without the attribute.</summary>
    public const int SharedWithoutAttribute = 48 << 10;

    public DriverModule Module => module;

    public LoweredKernel Kernel => kernel;

    /// <summary>CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES.</summary>
    public int MostDynamicShared { get; set; } = SharedWithoutAttribute - kernel.StaticShared;
}
