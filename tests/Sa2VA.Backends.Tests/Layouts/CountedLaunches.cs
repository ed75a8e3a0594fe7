using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>What instructions of a kernel with one opcode asked of shared memory (turns) or of global memory (sectors).</summary>
/// <param name="Kernel">The kernel.</param>
/// <param name="Opcode">The instructions.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Count">How many there were.</param>
/// <param name="Least">How many there would be at best.</param>
internal readonly record struct CountedAccess(string Kernel, string Opcode, string Unit, long Count, long Least)
{
    public const string Turns = "turns", Sectors = "sectors";

    /// <summary>1 where a layout is as good as it can be.</summary>
    public double Share => (double)Count / Least;

    public override string ToString() => FormattableString.Invariant($"{Kernel}, {Opcode}: {Count} {Unit}, {Share:0.00} of the least");
}

/// <summary>
/// Runs cases on a virtual H100 that counts and checks nothing, two blocks of each launch: the first and the last. What that gives is
/// garbage, what it asks of memory is not.
/// </summary>
internal sealed unsafe class CountedLaunches
{
    private static Func<string, string> s_change = ptx => ptx;
    private static delegate* unmanaged<nint*, byte*, uint, int*, void**, int> s_load;

    private readonly List<LaunchRecord> _launches = [];

    /// <summary>Those whose PTX is changed by <paramref name="change"/> before it is loaded.</summary>
    public CountedLaunches(IEnumerable<LaunchCase> cases, Func<string, string>? change = null)
    {
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Devices = [VirtualDeviceKind.H100], LogLaunches = true, MappingGranularity = 1 << 16,
            Execution = new VirtualDeviceOptions { Checks = false, ExactProducts = false, SampleBlocks = 2 },
        });
        CudaDriver functions = VirtualGpus.DriverOf(driver);
        if (change is not null)
        {
            s_change = change;
            s_load = (delegate* unmanaged<nint*, byte*, uint, int*, void**, int>)driver.Export("cuModuleLoadDataEx");
            functions = new CudaDriver(driver.Name, name => name == "cuModuleLoadDataEx"
                ? (nint)(delegate* unmanaged<nint*, byte*, uint, int*, void**, int>)&LoadChanged : driver.Export(name));
        }
        foreach (LaunchCase c in cases) c.Launch(functions);
        if (change is null) Queues(functions);
        _launches.AddRange(driver.Launches);
    }

    public IEnumerable<string> Kernels => _launches.Select(l => l.Kernel).Distinct();

    public IEnumerable<CountedAccess> Accesses =>
        from launch in _launches
        from access in launch.Counters.Accesses
        group access by (launch.Kernel, access.Opcode) into of
        from counted in (CountedAccess[])
        [
            new(of.Key.Kernel, of.Key.Opcode, CountedAccess.Turns, of.Sum(a => a.SharedWavefronts), of.Sum(a => a.LeastWavefronts)),
            new(of.Key.Kernel, of.Key.Opcode, CountedAccess.Sectors, of.Sum(a => a.GlobalSectors), of.Sum(a => a.LeastSectors)),
        ]
        where counted.Least > 0
        select counted;

    /// <summary>What queues launch by themselves: copies, and what one takes over from another.</summary>
    public static void Queues(CudaDriver functions)
    {
        using IBackend backend = new CudaDevice(functions).Open();
        using DeviceQueue first = backend.CreateQueue("first"), second = backend.CreateQueue("second");
        using DeviceBuffer from = backend.Allocate("from", DType.F32, new Shape(8192)), to = backend.Allocate("to", DType.F32, from.Shape);
        first.Write<float>(from, new float[8192]);
        second.WaitFor(first.Mark());
        second.Copy(from, 0, to, 0, 8192);
        second.Mark().Wait();
    }

    [UnmanagedCallersOnly]
    private static int LoadChanged(nint* module, byte* image, uint options, int* keys, void** values)
    {
        byte[] text = [.. System.Text.Encoding.UTF8.GetBytes(s_change(Marshal.PtrToStringUTF8((nint)image)!)), 0];
        fixed (byte* p = text) return s_load(module, p, options, keys, values);
    }
}
