using System.Runtime.InteropServices;

namespace Sa2VA.Cpu;

/// <summary>Gives the machine pages of memory back whose addresses stay in use.</summary>
internal static unsafe partial class PageRelease
{
    private const int DontNeed = 4;

    /// <returns>False where this is not known to work.</returns>
    public static bool TryRelease(byte* start, long bytes)
    {
        if (bytes == 0) return true;
        if (!OperatingSystem.IsLinux()) return false;
        long page = Environment.SystemPageSize, first = ((long)start + page - 1) / page * page, end = ((long)start + bytes) / page * page;
        try
        {
            return end <= first || MAdvise((void*)first, (nuint)(end - first), DontNeed) == 0;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MAdvise(void* address, nuint length, int advice);
}
