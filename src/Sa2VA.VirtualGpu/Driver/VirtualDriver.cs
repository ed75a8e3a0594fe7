using System.Runtime.InteropServices;
using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>
/// NVIDIA's driver API on virtual GPUs: functions of the driver's names, signatures and return codes, to be called through their addresses.
/// Kernels are PTX and run on the CPU, checked as <see cref="VirtualDevice"/> checks them; work is asynchronous as on a card.
/// </summary>
/// <remarks>
/// <para>Keep it for as long as the addresses are used. After its end every function returns CUDA_ERROR_DEINITIALIZED.</para>
/// <para>Where it differs from the real driver, it is stricter, but for the last two:</para>
/// <list type="bullet">
/// <item>All but cuInit, the functions of devices, versions and errors, and those that make, push, pop and destroy contexts need a current
/// context, and handles must be of it; only events may be waited for across contexts. There is no primary context, no null stream.</item>
/// <item>Device memory, mapped memory and reserved addresses belong to a context and end with it. Other contexts cannot reach them.</item>
/// <item>Pinned host memory has an address for kernels that is not its address for the host.</item>
/// <item>cuMemFree, cuMemFreeHost, cuMemUnmap and cuModuleUnload wait for no work but the piece that runs; what runs later and uses what is
/// gone is a fault. cuCtxDestroy drops work that has not begun.</item>
/// <item>Pageable host memory cannot be part of a graph.</item>
/// <item>cuGetErrorString tells a fault's or a refused module's full message to the thread whose last failing call it was.</item>
/// <item>Times of events are those of this machine, or modelled ones (<see cref="VirtualDriverOptions.ModelTimes"/>). Contexts, streams
/// and modules take no device memory.</item>
/// <item>Machine code cannot be loaded: an ELF image or a fat binary has no code for these devices.</item>
/// </list>
/// </remarks>
public sealed unsafe partial class VirtualDriver : IDisposable
{
    private readonly object gate = new();
    private readonly Dictionary<string, nint> exports = [];

    /// <summary>Native code calls these for as long as this object lives.</summary>
    private readonly List<Delegate> functions = [];

    private readonly HandleTable handles = new();
    private readonly AddressSpace addresses;
    private readonly DriverDevice[] devices;
    private readonly Dispatcher dispatcher;
    private readonly CancellationTokenSource ending = new();

    /// <summary>Never disposed of: other threads may be in a call when this object ends.</summary>
    private readonly ThreadLocal<ThreadState> thread = new(() => new());
    private readonly Dictionary<string, nint> messages = [];
    private readonly List<LaunchRecord> launches = [];
    private HostMemory[] pinned = [];
    private bool initialised, disposed;
    private int contexts, streams;

    /// <summary>What each thread has of its own.</summary>
    private sealed class ThreadState
    {
        public Stack<DriverContext> Current { get; } = new();

        /// <summary>The last call that failed: its code and what was wrong.</summary>
        public DriverException? LastError { get; set; }
    }

    /// <param name="options">Devices and how they run; null for one A100 with all checks on.</param>
    /// <exception cref="ArgumentException">The options cannot be.</exception>
    public VirtualDriver(VirtualDriverOptions? options = null)
    {
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MemoryBytes ?? 1, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MappingGranularity, 256, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Execution.Workers, 1, nameof(options));
        if (!int.IsPow2(options.MappingGranularity)) throw new ArgumentException("The granularity is no power of two.", nameof(options));
        if (options.CheckStreams && !options.Execution.WatchesGlobalMemory)
            throw new ArgumentException("Streams are checked where kernels are: with Execution.Checks, and all blocks.", nameof(options));
        Options = options;
        addresses = new(options.ReuseAddresses);
        devices = [.. options.Devices.Select((kind, n) => new DriverDevice(n, kind, options.MemoryBytes ?? kind.MemoryBytes))];
        dispatcher = new(gate, options.LazyDispatch, options.Execution.Seed);
        Inject = new(LoseDevice);
        Ending = ending.Token;
        AddDeviceCalls();
        AddContextCalls();
        AddModuleCalls();
        AddMemoryCalls();
        AddMappingCalls();
        AddStreamCalls();
        AddEventCalls();
        AddGraphCalls();
        AddTensorMapCalls();
        foreach (string hidden in options.Hidden) exports.Remove(hidden);
    }

    /// <summary>What messages call it.</summary>
    public string Name => "the virtual GPU";

    /// <summary>What it was made with.</summary>
    public VirtualDriverOptions Options { get; }

    /// <summary>Faults that tests ask for.</summary>
    public FaultInjection Inject { get; }

    /// <summary>Why the last call of this thread that failed did so, in words; null if none has.</summary>
    public string? LastError => thread.Value!.LastError?.Message;

    internal CancellationToken Ending { get; }

    /// <summary>What is alive.</summary>
    public LiveObjects Live
    {
        get
        {
            lock (gate)
            {
                DriverContext[] all = [.. handles.All<DriverContext>()];
                return new(
                    all.Length, handles.All<DriverModule>().Count(), handles.All<DriverStream>().Count(),
                    handles.All<DriverEvent>().Count(),
                    handles.All<CapturedGraph>().Count() + handles.All<GraphExecutable>().Count(),
                    all.Sum(c => c.Allocations.Count + c.Physical.Count), devices.Sum(d => d.Used),
                    all.Sum(c => c.HostMemory.Count), all.Sum(c => c.HostMemory.Values.Sum(h => h.Piece.Bytes)),
                    all.Sum(c => c.Mappings.Reservations), all.Sum(c => c.Mappings.Mapped));
            }
        }
    }

    /// <summary>The launches that have run, if <see cref="VirtualDriverOptions.LogLaunches"/> is set, in order of their ends.</summary>
    public IReadOnlyList<LaunchRecord> Launches
    {
        get
        {
            lock (launches) return [.. launches];
        }
    }

    /// <summary>How often a function was called, failed calls too.</summary>
    public long Calls(string function) => Inject.Calls(function);

    /// <summary>The address of a function by its exported name, as <c>cuMemAlloc_v2</c>; 0 where there is none.</summary>
    public nint Export(string name) => exports.GetValueOrDefault(name);

    internal void NoteLaunch(LaunchRecord launch)
    {
        if (!Options.LogLaunches) return;
        lock (launches) launches.Add(launch);
    }

    private void Add<T>(string name, T function) where T : Delegate
    {
        functions.Add(function);
        exports.Add(name, Marshal.GetFunctionPointerForDelegate(function));
    }

    /// <summary>Runs a call under the gate. Nothing is thrown to the caller, who may be native.</summary>
    private int Call(string name, Action body, bool needsInit = true)
    {
        DriverException failure;
        try
        {
            lock (gate)
            {
                Inject.OnCall(name);
                if (disposed) throw new DriverException(DriverResult.Deinitialized, "the driver was disposed");
                if (needsInit && !initialised) throw new DriverException(DriverResult.NotInitialized, "cuInit was not called");
                body();
                return (int)DriverResult.Success;
            }
        }
        catch (DriverException e)
        {
            failure = e;
        }
        catch (OutOfMemoryException)
        {
            failure = new(DriverResult.OutOfMemory, "this process has no memory left");
        }
        catch (Exception e)
        {
            failure = new(DriverResult.Unknown, $"{name}: {e}", tellsCaller: true);
        }
        if (!disposed) thread.Value!.LastError = failure;
        return (int)failure.Result;
    }

    /// <summary>The same for what needs a current context.</summary>
    private int Call(string name, Action<DriverContext> body) => Call(name, () => body(Current()));

    private DriverContext Current()
    {
        if (!thread.Value!.Current.TryPeek(out DriverContext? context))
            throw new DriverException(DriverResult.InvalidContext, "no context is current");
        context.Check();
        return context;
    }

    /// <summary>An object of a context by its handle.</summary>
    private T Get<T>(DriverContext context, nint handle) where T : ContextObject
    {
        T found = handles.Get<T>(handle);
        if (found.Context == context) return found;
        found.Context.Check();
        throw new DriverException(DriverResult.InvalidHandle, $"handle 0x{handle:x} is of another context");
    }

    private static DriverException Invalid(string why) => new(DriverResult.InvalidValue, why);

    private static void NotNull(void* pointer, string name)
    {
        if (pointer == null) throw Invalid($"{name} is null");
    }

    private void LoseDevice(int device)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(device);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(device, devices.Length);
        lock (gate)
        {
            dispatcher.Between(() =>
            {
                devices[device].IsLost = true;
                foreach (DriverContext c in handles.All<DriverContext>().Where(c => c.Device.Ordinal == device))
                {
                    c.Fault ??= new(DriverResult.DeviceUnavailable, $"device {device} is gone", tellsCaller: true);
                    dispatcher.Drop(c);
                }
            });
        }
    }

    /// <summary>Ends all: work that runs is cancelled, work that waits is dropped, all memory is freed.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (disposed) return;
            disposed = true;
        }
        ending.Cancel();
        dispatcher.Dispose();
        lock (gate)
        {
            foreach (DriverContext c in handles.All<DriverContext>().ToArray())
            {
                c.IsDestroyed = true;
                c.Dispose();
                handles.RemoveAllOf(c);
            }
            pinned = [];
            foreach (nint message in messages.Values) NativeMemory.Free((void*)message);
            messages.Clear();
        }
        ending.Dispose();
    }
}
