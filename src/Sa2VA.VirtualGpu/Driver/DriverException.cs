namespace Sa2VA.VirtualGpu.Driver;

/// <summary>A function of the driver fails with a code; caught before the caller.</summary>
/// <param name="result">The code.</param>
/// <param name="why">What was wrong, for people.</param>
/// <param name="tellsCaller">Whether cuGetErrorString tells it: faults of kernels and modules that were refused.</param>
internal sealed class DriverException(DriverResult result, string why, bool tellsCaller = false) : Exception(why)
{
    public DriverResult Result => result;

    public bool TellsCaller => tellsCaller;
}
