using System.Globalization;
using System.Text;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;
using Sa2VA.VirtualGpu.Timing;

namespace Sa2VA.GpuBench;

/// <summary>Memory of a loop: what it reads, a word of each thread, clocks of each block.</summary>
internal record struct LoopMemory(ulong Input, ulong Output, ulong Clocks);

/// <summary>A GPU, or a virtual one with modelled times: memory, kernels, a stream and its clock. Used by one thread.</summary>
internal sealed unsafe class BenchDevice : IDisposable
{
    private static readonly (string Name, VirtualDeviceKind Kind)[] Cards =
    [
        ("a100", VirtualDeviceKind.A100), ("rtx4090", VirtualDeviceKind.Rtx4090), ("h100", VirtualDeviceKind.H100),
        ("h200", VirtualDeviceKind.H200),
    ];

    private readonly CudaContext context;
    private readonly VirtualDriver? ofVirtual;
    private readonly Dictionary<string, nint> functions = [];
    private readonly nint stream, begin, end;

    private BenchDevice(CudaDriver driver, int index, VirtualDriver? ofVirtual)
    {
        this.ofVirtual = ofVirtual;
        CudaAvailability found = CudaAvailability.Find(driver);
        if ((uint)index >= (uint)found.Facts.Count)
            throw new DeviceException($"There is no GPU {index}: {found.Reason ?? $"the driver has {found.Facts.Count}, from 0 on"}.");
        Facts = found.Facts[index];
        if (Facts.Unusable is { } reason) throw new DeviceException($"GPU {index} cannot be used: {reason}.");
        Rates = ofVirtual is not null ? ofVirtual.Options.Devices[index].Rates
            : ((CardRates[])[CardRates.A100, CardRates.Rtx4090, CardRates.H200, CardRates.H100])
                .FirstOrDefault(r => Facts.Name.Contains(r.Name, StringComparison.Ordinal));
        Description = string.Create(CultureInfo.InvariantCulture, $"{Facts.Name}, compute capability {Facts.Capability / 10}.")
            + string.Create(CultureInfo.InvariantCulture, $"{Facts.Capability % 10}, {Facts.Multiprocessors} multiprocessors, ")
            + (ofVirtual is null ? $"{found.Source}, CUDA {found.DriverVersion / 1000}.{found.DriverVersion % 1000 / 10}"
                : "simulated: times are modelled, not measured");
        context = new CudaContext(driver, Facts);
        // For as long as this lives; its end takes the context with all that belongs to it.
        context.Enter();
        nint handle;
        Check(driver.StreamCreateWithPriority(&handle, 1, 0), "creating a stream");
        stream = handle;
        Check(driver.EventCreate(&handle, 0), "creating an event");
        begin = handle;
        Check(driver.EventCreate(&handle, 0), "creating an event");
        end = handle;
    }

    /// <summary>What <c>--device</c> takes.</summary>
    public static string Names => $"cuda, cuda:N, virtual or virtual:CARD (a card of {string.Join(", ", Cards.Select(c => c.Name))})";

    /// <summary>Opens a device by its name; null where there is no such name.</summary>
    /// <exception cref="DeviceException">It is not there, or cannot be used.</exception>
    public static BenchDevice? Open(string name)
    {
        string[] parts = name.Split(':', 2);
        if (parts[0] == "virtual")
        {
            string card = parts.Length == 2 ? parts[1] : Cards[0].Name;
            return Cards.FirstOrDefault(c => c.Name == card).Kind is { } kind ? Of(kind, isChecked: false) : null;
        }
        int index = 0;
        if (parts[0] != "cuda" || parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out index))
            return null;
        CudaDriver driver = CudaDriver.Load(out _, out string? reason) ?? throw new DeviceException($"No GPU can be used: {reason}.");
        return new BenchDevice(driver, index, null);
    }

    /// <summary>A virtual device: with all checks and all blocks, or by a sample of the blocks of large grids.</summary>
    public static BenchDevice Of(VirtualDeviceKind kind, bool isChecked)
    {
        var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [kind],
            // What is timed is of blocks that do the same; what is checked are grids of few blocks.
            Execution = new() { Checks = isChecked, SampleBlocks = isChecked ? 0 : 2, WholeGrids = 2, Workers = 1 },
            ModelTimes = true,
            LogLaunches = true,
        });
        return new BenchDevice(new CudaDriver(driver.Name, driver.Export), 0, driver);
    }

    /// <summary>What the driver says of it.</summary>
    public DeviceFacts Facts { get; }

    /// <summary>The model's constants for it; null for a card that the model does not know.</summary>
    public CardRates? Rates { get; }

    /// <summary>For people.</summary>
    public string Description { get; }

    /// <summary>Whether its times are the model's, and none of its clocks ticks.</summary>
    public bool IsVirtual => ofVirtual is not null;

    /// <summary>What a virtual device has launched.</summary>
    public IReadOnlyList<LaunchRecord> Launches => ofVirtual?.Launches ?? [];

    /// <summary>The driver's functions.</summary>
    public CudaDriver Driver => context.Driver;

    /// <summary>The stream of all that is done here.</summary>
    public nint Stream => stream;

    /// <summary>Throws unless a call succeeded.</summary>
    public void Check(CudaResult result, string what) => context.Check(result, what);

    /// <summary>A kernel, from PTX that the driver compiles when it is first asked for.</summary>
    public nint Function(string name, string ptx)
    {
        if (functions.TryGetValue(ptx, out nint function)) return function;
        nint module;
        fixed (byte* text = Encoding.UTF8.GetBytes(ptx + '\0'))
            Check(Driver.ModuleLoadDataEx(&module, text, 0, null, null), $"compiling {name}");
        fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
            Check(Driver.ModuleGetFunction(&function, module, text), $"looking for {name}");
        functions.Add(ptx, function);
        return function;
    }

    /// <summary>Puts a launch in the stream.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="blocks">Of the grid.</param>
    /// <param name="threads">Of a block.</param>
    /// <param name="parameters">Their addresses.</param>
    /// <param name="sharedBytes">Dynamic shared memory.</param>
    public void Launch(nint function, int blocks, int threads, void** parameters, int sharedBytes = 0) => Check(
        Driver.LaunchKernel(function, (uint)blocks, 1, 1, (uint)threads, 1, 1, (uint)sharedBytes, stream, parameters, null), "launching");

    /// <summary>The same, and the launch may begin before the one ahead of it has ended.</summary>
    /// <exception cref="NotSupportedException">The driver is too old.</exception>
    public void LaunchEarly(nint function, int blocks, int threads, void** parameters)
    {
        if (Driver.LaunchKernelEx == null) throw new NotSupportedException("the driver has no cuLaunchKernelEx");
        var attribute = new LaunchAttribute();
        var configuration = new LaunchConfiguration(blocks, threads, stream, &attribute, 1);
        Check(Driver.LaunchKernelEx(&configuration, function, parameters, null), "launching");
    }

    /// <summary>Runs a loop.</summary>
    /// <returns>Seconds that the device took.</returns>
    public double Run(MicroKernel kernel, int blocks, int turns, LoopMemory memory)
    {
        nint function = Function(kernel.Name, kernel.Ptx);
        uint one = 1;
        (ulong input, ulong output, ulong clocks) = memory;
        void** parameters = stackalloc void*[] { &input, &output, &clocks, &turns, &one };
        return Seconds(() => Launch(function, blocks, kernel.Threads, parameters));
    }

    /// <summary>Takes device memory.</summary>
    public ulong Allocate(long bytes)
    {
        ulong address;
        Check(Driver.MemAlloc(&address, (nuint)bytes), $"allocating {bytes} bytes");
        return address;
    }

    /// <summary>Gives it back.</summary>
    public void Free(ulong address) => Check(Driver.MemFree(address), "freeing memory");

    /// <summary>Sets all bytes.</summary>
    public void Fill(ulong address, byte value, long bytes) =>
        Check(Driver.MemsetD8Async(address, value, (nuint)bytes, stream), "filling memory");

    /// <summary>Waits for the stream, and reads memory.</summary>
    public T[] Read<T>(ulong address, int count) where T : unmanaged
    {
        var values = new T[count];
        fixed (T* to = values)
        {
            Check(Driver.MemcpyDtoHAsync(to, address, (nuint)((long)count * sizeof(T)), stream), "reading memory");
            Synchronize();
        }
        return values;
    }

    /// <summary>Waits for all that was put in the stream.</summary>
    public void Synchronize() => Check(Driver.StreamSynchronize(stream), "running a kernel");

    /// <summary>Seconds that the device takes for what an action puts in the stream.</summary>
    public double Seconds(Action enqueue)
    {
        Check(Driver.EventRecord(begin, stream), "recording an event");
        enqueue();
        Check(Driver.EventRecord(end, stream), "recording an event");
        Synchronize();
        float milliseconds;
        Check(Driver.EventElapsedTime(&milliseconds, begin, end), "reading a clock");
        return 1e-3 * milliseconds;
    }

    /// <summary>Captures what an action puts in the stream.</summary>
    /// <returns>A graph that can be launched.</returns>
    public nint Capture(Action enqueue)
    {
        nint graph, executable;
        Check(Driver.StreamBeginCapture(stream, 1), "capturing");
        try
        {
            enqueue();
        }
        catch
        {
            // Else the stream would be captured for ever.
            if (Driver.StreamEndCapture(stream, &graph) == CudaResult.Success) Driver.GraphDestroy(graph);
            throw;
        }
        Check(Driver.StreamEndCapture(stream, &graph), "capturing");
        Check(Driver.GraphInstantiate(&executable, graph, 0), "making a graph");
        Check(Driver.GraphDestroy(graph), "making a graph");
        return executable;
    }

    public void LaunchGraph(nint executable) => Check(Driver.GraphLaunch(executable, stream), "launching a graph");

    public void DestroyGraph(nint executable) => Check(Driver.GraphExecDestroy(executable), "ending a graph");

    public void Dispose()
    {
        nint previous;
        Driver.CtxPopCurrent(&previous);
        context.Dispose();
        ofVirtual?.Dispose();
    }
}
