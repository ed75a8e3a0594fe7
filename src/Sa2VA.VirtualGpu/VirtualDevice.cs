using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Lowering;
using Sa2VA.VirtualGpu.Memory;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.VirtualGpu;

/// <summary>
/// A GPU that executes PTX on the CPU and checks what kernels do: device memory, modules, launches. Launches run when they are called and
/// have ended when the call returns. A device is used by one thread at a time.
/// </summary>
public sealed class VirtualDevice : IDisposable
{
    private const int MostShared = 227 << 10;

    private readonly VirtualDeviceOptions options;
    private readonly DeviceMemory memory;

    /// <param name="options">How kernels are run; null for the defaults, with all checks on.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are no workers or no steps.</exception>
    public VirtualDevice(VirtualDeviceOptions? options = null)
    {
        this.options = options ?? new();
        ArgumentOutOfRangeException.ThrowIfLessThan(this.options.Workers, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(this.options.StepLimit, 1, nameof(options));
        memory = new(this.options.WatchesGlobalMemory, new AddressSpace());
    }

    /// <summary>Live allocations, variables of modules among them.</summary>
    public int Allocations => memory.Count;

    /// <summary>Takes device memory, its content undefined.</summary>
    /// <param name="bytes">0 or more.</param>
    /// <param name="name">What faults call it.</param>
    /// <returns>The address, a multiple of 256.</returns>
    public ulong Allocate(long bytes, string name) => memory.Allocate(bytes, name).Address;

    /// <summary>Takes device memory that holds those values.</summary>
    public ulong Upload<T>(ReadOnlySpan<T> values, string name) where T : unmanaged
    {
        ulong address = Allocate((long)values.Length * Unsafe.SizeOf<T>(), name);
        Write(address, values);
        return address;
    }

    /// <summary>Gives device memory back; a later access is a fault that names it.</summary>
    /// <exception cref="ArgumentException">No allocation begins there.</exception>
    public void Free(ulong address) => memory.Free(address);

    /// <summary>
    /// Says whose a piece of an allocation is, as pages of a pool belong to sequences. With checks, a block of a launch that is told for
    /// whom its blocks work faults where it touches another's; what belongs to nobody is everybody's.
    /// </summary>
    /// <param name="address">Where it begins.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="owner">A name of whoever owns it from now on; null: nobody.</param>
    /// <exception cref="ArgumentException">The bytes are not all in one live allocation.</exception>
    public void Give(ulong address, int bytes, string? owner)
    {
        Check(address, bytes);
        memory.Owned.Give(address, bytes, owner);
    }

    /// <summary>Copies values to device memory.</summary>
    /// <exception cref="ArgumentException">The bytes are not all in one live allocation.</exception>
    public unsafe void Write<T>(ulong address, ReadOnlySpan<T> values) where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        Check(address, bytes.Length);
        fixed (byte* from = bytes) memory.Write(address, from, (ulong)bytes.Length);
    }

    /// <summary>Copies device memory to values. With checks, bytes that nothing wrote are ones (NaN in every float type).</summary>
    /// <exception cref="ArgumentException">The bytes are not all in one live allocation.</exception>
    public unsafe void Read<T>(ulong address, Span<T> values) where T : unmanaged
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(values);
        Check(address, bytes.Length);
        fixed (byte* to = bytes) memory.Read(address, to, (ulong)bytes.Length);
    }

    private void Check(ulong address, int bytes)
    {
        if (memory.Find(address, bytes) is null)
            throw new ArgumentException($"{bytes} bytes at 0x{address:x} are {memory.Describe(address)}.", nameof(address));
    }

    /// <summary>Loads a module: parses all, refuses what cannot be executed, places its variables.</summary>
    /// <param name="ptx">The module's text.</param>
    /// <exception cref="PtxException">The text is malformed, or holds what the device does not execute.</exception>
    public VirtualModule LoadModule(string ptx)
    {
        ArgumentNullException.ThrowIfNull(ptx);
        LoweredModule module = LoweredModule.Load(ptx, options.Capability);
        ulong[] addresses = module.PlaceVariables(memory);
        var variables = module.Variables.Select((v, n) => (v.Name, Address: addresses[n])).Where(v => v.Address != 0);
        return new(
            module.Kernels.ToDictionary(k => k.Key, k => new VirtualKernel(this, k.Value, addresses)),
            variables.ToDictionary(v => v.Name, v => v.Address));
    }

    /// <summary>Runs a kernel to its end.</summary>
    /// <param name="kernel">A kernel of a module on this device.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads of a block, at most <see cref="VirtualKernel.MaxThreads"/>.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block; with the kernel's own at most 227 KiB.</param>
    /// <param name="arguments">One for each parameter, of its size.</param>
    /// <param name="ownerOf">For whom a block works, by its place in the grid; null: for all.</param>
    /// <param name="cancellation">Ends the launch between two steps of a block.</param>
    /// <returns>What the launch did.</returns>
    /// <exception cref="ArgumentException">The launch does not fit the kernel.</exception>
    /// <exception cref="GpuFaultException">The kernel did what is forbidden.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public LaunchCounters Launch(VirtualKernel kernel, Dim3 grid, Dim3 block, int sharedBytes, ReadOnlySpan<KernelArgument> arguments,
        Func<Dim3, string?>? ownerOf = null, CancellationToken cancellation = default) =>
        Grid.Run(Plan(kernel, grid, block, sharedBytes, arguments, cancellation) with { OwnerOf = ownerOf });

    /// <summary>Runs a kernel and says how long a card would take for it, with its data in L2 as far as that holds it.</summary>
    /// <param name="kernel">A kernel of a module on this device.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">Threads of a block, at most <see cref="VirtualKernel.MaxThreads"/>.</param>
    /// <param name="sharedBytes">Dynamic shared memory of a block.</param>
    /// <param name="arguments">One for each parameter, of its size.</param>
    /// <param name="card">The card.</param>
    /// <param name="registers">Registers of a thread, as the assembler says.</param>
    /// <exception cref="ArgumentException">The launch does not fit the kernel.</exception>
    /// <exception cref="GpuFaultException">The kernel did what is forbidden.</exception>
    public ModelledTime Model(VirtualKernel kernel, Dim3 grid, Dim3 block, int sharedBytes, ReadOnlySpan<KernelArgument> arguments,
        CardRates card, int registers)
    {
        var trace = new LaunchTrace();
        LaunchPlan plan = Plan(kernel, grid, block, sharedBytes, arguments, default) with { Trace = trace };
        if (plan.Cluster.Count > 1) throw new ArgumentException($"{kernel.Name}: the time of clusters is not modelled.", nameof(kernel));
        Grid.Run(plan);
        var touched = new TouchedMemory(card.L2Bytes);
        var launch = TracedLaunch.Of(plan, trace, card, registers);
        touched.Missed(launch);
        return TimeModel.Of(launch, card, touched.Missed(launch));
    }

    private LaunchPlan Plan(VirtualKernel kernel, Dim3 grid, Dim3 block, int sharedBytes, ReadOnlySpan<KernelArgument> arguments,
        CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        if (kernel.Device != this) throw new ArgumentException($"{kernel.Name} belongs to another device.", nameof(kernel));
        if (grid.X < 1 || grid.Y is < 1 or > 65535 || grid.Z is < 1 or > 65535)
            throw new ArgumentException($"{kernel.Name}: a grid of {grid} blocks cannot be launched.", nameof(grid));
        if (block.X is < 1 or > 1024 || block.Y is < 1 or > 1024 || block.Z is < 1 or > 64 || block.Count > kernel.MaxThreads)
            throw new ArgumentException(
                $"{kernel.Name}: a block of {block} threads, at most {kernel.MaxThreads} are allowed.", nameof(block));
        LoweredKernel lowered = kernel.Lowered;
        if (sharedBytes < 0 || sharedBytes > MostShared - lowered.StaticShared)
            throw new ArgumentException($"{kernel.Name}: {sharedBytes} bytes of dynamic shared memory beside "
                + $"{lowered.StaticShared} of its own, at most {MostShared} are allowed.", nameof(sharedBytes));
        Dim3 cluster = lowered.Cluster ?? new(1);
        if (grid.X % cluster.X != 0 || grid.Y % cluster.Y != 0 || grid.Z % cluster.Z != 0)
            throw new ArgumentException($"{kernel.Name}: a grid of {grid} blocks is no whole clusters of {cluster}.", nameof(grid));
        byte[] parameters = Parameters(lowered, arguments);
        return new(lowered, grid, block, lowered.StaticShared + sharedBytes, parameters, kernel.Variables, memory, options, cancellation)
        {
            Cluster = cluster,
        };
    }

    private static byte[] Parameters(LoweredKernel kernel, ReadOnlySpan<KernelArgument> arguments)
    {
        if (arguments.Length != kernel.Parameters.Length)
            throw new ArgumentException($"{kernel.Name} has {kernel.Parameters.Length} parameters, {arguments.Length} were given.",
                nameof(arguments));
        var block = new byte[kernel.ParameterBytes];
        for (int n = 0; n < arguments.Length; n++)
        {
            ParameterSlot slot = kernel.Parameters[n];
            if (arguments[n].Bytes.Length != slot.Bytes)
                throw new ArgumentException($"Parameter {slot.Name} has {slot.Bytes} bytes, {arguments[n].Bytes.Length} were given.",
                    nameof(arguments));
            arguments[n].Bytes.CopyTo(block.AsSpan(slot.Offset));
        }
        return block;
    }

    /// <summary>Frees all device memory.</summary>
    public void Dispose() => memory.Dispose();
}
