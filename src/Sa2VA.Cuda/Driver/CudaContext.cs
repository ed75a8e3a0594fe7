using System.Collections.Concurrent;
using System.Text;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Driver;

/// <summary>
/// A context of a device: an engine's own, so that a fault in one leaves the others whole. Any thread may use it, within
/// <see cref="Enter"/>. After a fault the driver refuses everything; the first message is then repeated.
/// </summary>
internal sealed unsafe class CudaContext : IDisposable
{
    private readonly nint _handle;
    private readonly Lock _ending = new();
    private volatile string? _fault;
    private bool _isDisposed;

    public CudaContext(CudaDriver driver, DeviceFacts device)
    {
        (Driver, Device) = (driver, device);
        nint handle;
        Check(driver.CtxCreate(&handle, 0, device.Handle), "opening the device");
        _handle = handle;
        nint previous;
        driver.CtxPopCurrent(&previous);
    }

    public CudaDriver Driver { get; }

    public DeviceFacts Device { get; }

    /// <summary>The timers of the streams whose launches are timed.</summary>
    public ConcurrentDictionary<nint, LaunchTimer> Timers { get; } = [];

    /// <summary>What the streams of queues have launched.</summary>
    public ConcurrentDictionary<nint, LaunchTrail> Trails { get; } = [];

    /// <summary>Launches kernels one at a time; null, the usual, where they are not waited for.</summary>
    public CheckedLaunches? Checked { get; set; }

    /// <summary>What went wrong for good, or null.</summary>
    public string? Fault => _fault;

    /// <summary>Makes the context this thread's until the result is disposed.</summary>
    public Scope Enter()
    {
        Check(Driver.CtxPushCurrent(_handle), "using the device");
        return new Scope(Driver);
    }

    /// <summary>Gives something back to the driver, unless all has gone with the context, which does not end meanwhile.</summary>
    public void GiveBack(Action<CudaDriver> give)
    {
        lock (_ending)
        {
            if (_isDisposed) return;
            using Scope scope = Enter();
            give(Driver);
        }
    }

    /// <summary>Throws unless a call succeeded.</summary>
    /// <param name="result">What it returned.</param>
    /// <param name="what">What it was to do.</param>
    /// <param name="of">To what; apart, so that no text is made where nothing fails.</param>
    /// <exception cref="DeviceException">It failed.</exception>
    public void Check(CudaResult result, string what, string? of = null)
    {
        if (result != CudaResult.Success) throw Failure(result, of is null ? what : $"{what} {of}");
    }

    /// <summary>The error of a call that failed.</summary>
    /// <param name="result">What it returned.</param>
    /// <param name="what">What it was to do.</param>
    /// <param name="isExact">True if a fault is that of what it was to do, not of anything that was launched before.</param>
    public DeviceException Failure(CudaResult result, string what, bool isExact = false)
    {
        string message = $"The GPU failed at {what}: {Describe(Driver, result)}.";
        if (IsSticky(result)) _fault ??= isExact ? message : message + Ahead();
        if (_fault is not null) return new DeviceException($"{_fault} This engine's GPU context is lost; open the model anew.");
        return result == CudaResult.OutOfMemory ? new DeviceMemoryException(message) : new DeviceException(message);
    }

    public static string Describe(CudaDriver driver, CudaResult result)
    {
        byte* name, text;
        string number = $"error {(int)result}";
        string named = driver.GetErrorName(result, &name) == CudaResult.Success && name != null ? $"{Text(name)}, {number}" : number;
        return driver.GetErrorString(result, &text) == CudaResult.Success && text != null ? $"{Text(text)} ({named})" : named;
    }

    public void Dispose()
    {
        lock (_ending)
        {
            if (_isDisposed) return;
            _isDisposed = true;
            Driver.CtxDestroy(_handle);
        }
    }

    /// <summary>Errors after which a context can do nothing more.</summary>
    private static bool IsSticky(CudaResult result) =>
        (int)result is >= 700 and < 800 or 214 or 46 or (int)CudaResult.Unknown && result != CudaResult.LaunchOutOfResources;

    /// <summary>What queues launched that may have caused a fault: the driver does not say what did.</summary>
    private string Ahead()
    {
        string[] ahead = [.. Trails.Values.Select(t => t.DescribeAhead()).OfType<string>().Order(StringComparer.Ordinal)];
        return (ahead.Length == 0 ? "" : $" Under way may have been: {string.Join("; ", ahead)}.")
            + (Checked is null ? $" With {CudaDevice.LaunchesVariable}=checked in the environment kernels run one at a time, and the one "
                + "that fails is named." : "");
    }

    private static string Text(byte* text)
    {
        int length = 0;
        while (text[length] != 0) length++;
        return Encoding.UTF8.GetString(text, length);
    }

    /// <summary>While it lives, the context is this thread's.</summary>
    public readonly ref struct Scope(CudaDriver driver)
    {
        public void Dispose()
        {
            nint previous;
            driver.CtxPopCurrent(&previous);
        }
    }
}
