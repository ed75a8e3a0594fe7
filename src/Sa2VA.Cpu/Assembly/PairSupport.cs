using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Sa2VA.Cpu;

/// <summary>
/// Whether this processor multiplies pairs of bfloat16, and this system lets it: .NET has neither the instructions nor a question for them.
/// </summary>
internal static unsafe partial class PairSupport
{
    // What the system keeps of a thread (XCR0): vectors of 128, 256 and 512 bits with their masks; tiles.
    private const ulong VectorState = 0xe6, TileState = 0x60000;

    // arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
    private const int ArchPrctl = 158, RequestPermission = 0x1023, TileData = 18;

    private static readonly Lazy<string?> Dot = new(FindDot), Matrix = new(FindMatrix);

    /// <summary>Why there is no AVX512-BF16; null if there is.</summary>
    public static string? WithoutDot => Dot.Value;

    /// <summary>Why there is no AMX-BF16; null if there is, and this process may use it.</summary>
    public static string? WithoutMatrix => Matrix.Value;

    private static string? FindDot()
    {
        const int Avx512F = 1 << 16, BFloat16 = 1 << 5;
        if (!HasLeaf7) return "this processor has no AVX512-BF16.";
        (int most, int ebx, _, _) = X86Base.CpuId(7, 0);
        if ((ebx & Avx512F) == 0 || most < 1 || (X86Base.CpuId(7, 1).Eax & BFloat16) == 0) return "this processor has no AVX512-BF16.";
        return (KeptState() & VectorState) == VectorState ? null : "this system does not keep 512-bit vectors.";
    }

    private static string? FindMatrix()
    {
        const int BFloat16 = 1 << 22, Tile = 1 << 24;
        if (!HasLeaf7 || (X86Base.CpuId(7, 0).Edx & (BFloat16 | Tile)) != (BFloat16 | Tile)) return "this processor has no AMX-BF16.";
        if ((KeptState() & TileState) != TileState) return "this system does not keep the tiles of AMX.";
        if (!OperatingSystem.IsLinux()) return "tiles of AMX are asked for as Linux wants it, and this is another system.";
        try
        {
            nint answer = SystemCall(ArchPrctl, RequestPermission, TileData);
            return answer == 0 ? null : $"Linux refused the tiles of AMX to this process (error {Marshal.GetLastPInvokeError()}).";
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return "this system's library has no way to ask for the tiles of AMX.";
        }
    }

    private static bool HasLeaf7 =>
        RuntimeInformation.ProcessArchitecture == Architecture.X64 && X86Base.IsSupported && X86Base.CpuId(0, 0).Eax >= 7;

    /// <summary>XCR0, or 0 where it cannot be read.</summary>
    private static ulong KeptState()
    {
        const int MayBeRead = 1 << 27;
        if ((X86Base.CpuId(1, 0).Ecx & MayBeRead) == 0) return 0;
        var c = new Assembler(64);
        c.xor(ecx, ecx);
        c.xgetbv();
        c.shl(rdx, 32);
        c.or(rax, rdx);
        c.ret();
        using var code = new MemoryStream();
        c.Assemble(new StreamCodeWriter(code), 0);
        using ExecutableMemory? memory = ExecutableMemory.TryCreate(code.ToArray());
        return memory is null ? 0 : ((delegate* unmanaged<ulong>)memory.Start)();
    }

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint first, nint second);
}
