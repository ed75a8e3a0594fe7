using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>
/// Kernels one at a time: a launch is waited for before the next one of the context begins, in whichever queue, so that a fault is that of
/// the kernel which is named. Slow: to find out which kernel fails.
/// </summary>
internal sealed unsafe class CheckedLaunches(CudaContext context)
{
    private readonly Lock _one = new();

    /// <summary>What is asked for, else what <c>SA2VA_LAUNCHES</c> says.</summary>
    /// <exception cref="DeviceException">The variable says something else.</exception>
    public static bool AreWanted(bool? asked) => asked ?? Environment.GetEnvironmentVariable(CudaDevice.LaunchesVariable) switch
    {
        null or "" => false,
        "checked" => true,
        var other => throw new DeviceException($"{CudaDevice.LaunchesVariable} is '{other}'; it may be checked."),
    };

    /// <summary>Launches a kernel and waits for it.</summary>
    /// <exception cref="DeviceException">It failed; the message names it.</exception>
    public void Launch(CudaFunction function, nint stream, Grid grid, int threads, int shared, void* parameter)
    {
        lock (_one)
        {
            CudaResult result = function.Enqueue(stream, grid, threads, shared, parameter);
            if (result == CudaResult.Success) result = context.Driver.StreamSynchronize(stream);
            if (result == CudaResult.Success) return;
            string of = context.Trails.TryGetValue(stream, out LaunchTrail? trail) ? $", {trail.Describe()}" : "";
            throw context.Failure(result, $"kernel {function.Name} in a grid of {grid} blocks of {threads} threads with {shared} bytes of "
                + $"shared memory{of}", isExact: true);
        }
    }
}
