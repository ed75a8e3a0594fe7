using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>Compares what is going to be needed with what a device has free, before any of it is allocated.</summary>
internal static class MemoryRoom
{
    /// <summary>Sees to it that so many bytes more can be had, where the device knows.</summary>
    /// <param name="backend">The device.</param>
    /// <param name="bytes">What will be needed beside what is held.</param>
    /// <param name="what">Who needs them, for the message.</param>
    /// <param name="remedy">What to do, as sentences.</param>
    /// <exception cref="DeviceMemoryException">There are fewer, even after what forgotten owners held came back.</exception>
    public static void Check(IBackend backend, long bytes, string what, string remedy)
    {
        if (bytes <= 0 || !(bytes > backend.FreeMemory)) return;
        GC.Collect();
        GC.WaitForPendingFinalizers();
        if (backend.FreeMemory is { } free && bytes > free)
            throw new DeviceMemoryException(
                $"{what} needs {Megabytes(bytes)} on {backend.Description}; {Megabytes(free)} can be had there. {remedy}");
    }

    /// <summary>Bytes in words.</summary>
    public static string Megabytes(long bytes) => FormattableString.Invariant($"{bytes / 1048576.0:F1} MB");
}
