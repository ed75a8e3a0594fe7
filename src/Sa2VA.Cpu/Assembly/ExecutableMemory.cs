using System.Runtime.InteropServices;

namespace Sa2VA.Cpu;

/// <summary>
/// Machine code in pages of its own, which are written first and executable afterwards, never both at once. Its owner disposes of it when
/// nobody runs in it any more.
/// </summary>
internal sealed unsafe partial class ExecutableMemory : IDisposable
{
    private const int Read = 1, Write = 2, Execute = 4, Private = 2, LinuxAnonymous = 0x20, AppleAnonymous = 0x1000;
    private const uint CommitAndReserve = 0x3000, Release = 0x8000, ReadWritePages = 4, ExecuteReadPages = 0x20;

    private readonly nuint _bytes;
    private byte* _start;

    private ExecutableMemory(byte* start, nuint bytes)
    {
        _start = start;
        _bytes = bytes;
    }

    /// <summary>The code's first byte.</summary>
    public byte* Start => _start != null ? _start : throw new ObjectDisposedException(nameof(ExecutableMemory));

    /// <summary>Pages that hold this code and run it; null where the system lets no program have such, as hardened ones do.</summary>
    public static ExecutableMemory? TryCreate(ReadOnlySpan<byte> code)
    {
        nuint page = (nuint)Environment.SystemPageSize, bytes = ((nuint)code.Length + page - 1) / page * page;
        try
        {
            byte* start = Map(bytes);
            if (start == null) return null;
            var memory = new ExecutableMemory(start, bytes);
            code.CopyTo(new Span<byte>(start, code.Length));
            if (MakeExecutable(start, bytes)) return memory;
            memory.Dispose();
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        byte* start = _start;
        _start = null;
        if (start == null) return;
        if (OperatingSystem.IsWindows()) VirtualFree(start, 0, Release);
        else MUnmap(start, _bytes);
    }

    private static byte* Map(nuint bytes)
    {
        if (OperatingSystem.IsWindows()) return (byte*)VirtualAlloc(null, bytes, CommitAndReserve, ReadWritePages);
        int anonymous = OperatingSystem.IsMacOS() ? AppleAnonymous : LinuxAnonymous;
        nint start = MMap(null, bytes, Read | Write, Private | anonymous, -1, 0);
        return start == -1 ? null : (byte*)start;
    }

    private static bool MakeExecutable(byte* start, nuint bytes)
    {
        if (!OperatingSystem.IsWindows()) return MProtect(start, bytes, Read | Execute) == 0;
        uint before;
        return VirtualProtect(start, bytes, ExecuteReadPages, &before) != 0;
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint MMap(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int MProtect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int MUnmap(void* address, nuint length);

    [LibraryImport("kernel32")]
    private static partial void* VirtualAlloc(void* address, nuint size, uint kind, uint protection);

    [LibraryImport("kernel32")]
    private static partial int VirtualProtect(void* address, nuint size, uint protection, uint* before);

    [LibraryImport("kernel32")]
    private static partial int VirtualFree(void* address, nuint size, uint kind);
}
