namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Faults that a test asks for. All may be asked for at any time, from any thread.</summary>
public sealed class FaultInjection
{
    private readonly Lock gate = new();
    private readonly List<(string Function, long Call, DriverResult Result)> calls = [];
    private readonly Dictionary<string, long> counts = [];
    private readonly Action<int> lose;
    private long allocations, launches;
    private long? allocation, launch;
    private DriverResult launchResult;

    internal FaultInjection(Action<int> lose) => this.lose = lose;

    /// <summary>One call of a function does nothing but return a code.</summary>
    /// <param name="function">Its exported name, as <c>cuMemAlloc_v2</c>.</param>
    /// <param name="call">Which call from now on, from 1.</param>
    /// <param name="result">The code.</param>
    public void FailCall(string function, long call, DriverResult result)
    {
        ArgumentException.ThrowIfNullOrEmpty(function);
        ArgumentOutOfRangeException.ThrowIfLessThan(call, 1);
        lock (gate) calls.Add((function, counts.GetValueOrDefault(function) + call, result));
    }

    /// <summary>An allocation (cuMemAlloc, cuMemCreate or cuMemHostAlloc) is out of memory.</summary>
    /// <param name="allocation">Which from now on, from 1.</param>
    public void FailAllocation(long allocation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(allocation, 1);
        lock (gate) this.allocation = allocations + allocation;
    }

    /// <summary>A kernel does not run when its turn comes, and its context has that error from then on.</summary>
    /// <param name="launch">Which of the kernels that run from now on, nodes of graphs among them, from 1.</param>
    /// <param name="result">The error.</param>
    public void FailLaunch(long launch, DriverResult result = DriverResult.LaunchFailed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(launch, 1);
        lock (gate) (this.launch, launchResult) = (launches + launch, result);
    }

    /// <summary>
    /// The device is gone, once the piece of work that runs has ended: every context on it gives an error from then on, as new ones do.
    /// </summary>
    /// <param name="device">Its number.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such device.</exception>
    public void LoseDevice(int device) => lose(device);

    internal void OnCall(string function)
    {
        lock (gate)
        {
            long n = counts[function] = counts.GetValueOrDefault(function) + 1;
            int k = calls.FindIndex(c => c.Function == function && c.Call == n);
            if (k < 0) return;
            DriverResult result = calls[k].Result;
            calls.RemoveAt(k);
            throw new DriverException(result, $"call {n} of {function} was to fail");
        }
    }

    internal long Calls(string function)
    {
        lock (gate) return counts.GetValueOrDefault(function);
    }

    internal void OnAllocation()
    {
        lock (gate)
        {
            if (++allocations == allocation) throw new DriverException(DriverResult.OutOfMemory, $"allocation {allocations} was to fail");
        }
    }

    internal void OnLaunch(string kernel)
    {
        lock (gate)
        {
            if (++launches == launch)
                throw new DriverException(launchResult, $"{kernel}: this launch was to fail", tellsCaller: true);
        }
    }
}
