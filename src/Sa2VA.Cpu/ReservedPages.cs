using System.Runtime.InteropServices;

namespace Sa2VA.Cpu;

/// <summary>
/// A range of addresses whose pages come when they are asked for and can go back while the addresses stay. On Windows pages are reserved
/// and committed; elsewhere a large allocation has no pages until somebody writes into them.
/// </summary>
internal static unsafe partial class ReservedPages
{
    private const int DontNeed = 4;
    private const uint CommitPages = 0x1000, ReservePages = 0x2000, DecommitPages = 0x4000, ReleasePages = 0x8000;
    private const uint NoAccess = 1, ReadWrite = 4;

    /// <summary>Addresses for that many bytes, aligned to 64.</summary>
    /// <exception cref="OutOfMemoryException">The machine has no such range.</exception>
    public static byte* Reserve(nuint bytes)
    {
        if (!OperatingSystem.IsWindows()) return (byte*)NativeMemory.AlignedAlloc(bytes, 64);
        void* start = VirtualAlloc(null, bytes, ReservePages, NoAccess);
        return start != null ? (byte*)start : throw new OutOfMemoryException();
    }

    /// <summary>Has the bytes [from, to) be there, as zeros.</summary>
    /// <exception cref="OutOfMemoryException">The machine has no pages for them.</exception>
    public static void Commit(byte* start, long from, long to)
    {
        if (OperatingSystem.IsWindows() && VirtualAlloc(start + from, (nuint)(to - from), CommitPages, ReadWrite) == null)
            throw new OutOfMemoryException();
        NativeMemory.Clear(start + from, (nuint)(to - from));
    }

    /// <summary>Gives the first bytes back.</summary>
    /// <returns>False where the machine does not take them.</returns>
    public static bool TryDecommit(byte* start, long bytes)
    {
        if (bytes == 0) return true;
        if (OperatingSystem.IsWindows()) return VirtualFree(start, (nuint)bytes, DecommitPages) != 0;
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

    /// <summary>Ends the use of the addresses.</summary>
    public static void Free(byte* start)
    {
        if (OperatingSystem.IsWindows()) VirtualFree(start, 0, ReleasePages);
        else NativeMemory.AlignedFree(start);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MAdvise(void* address, nuint length, int advice);

    [LibraryImport("kernel32")]
    private static partial void* VirtualAlloc(void* address, nuint size, uint kind, uint protection);

    [LibraryImport("kernel32")]
    private static partial int VirtualFree(void* address, nuint size, uint kind);
}
