using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Sa2VA.Cpu;

/// <summary>
/// How a system passes a kernel's four arguments. Kernels find them in the registers below and use, besides them, rax, r10, r11 and all
/// vectors; what a caller may count on stays as it was.
/// </summary>
internal readonly record struct Abi(bool IsWindows)
{
    /// <summary>The first vector that a function on Windows has to leave as it was, and how many there are.</summary>
    private const int FirstKept = 6, Kept = 10;

    /// <summary>This system's.</summary>
    public static Abi Here => new(OperatingSystem.IsWindows());

    public static AssemblerRegister64 A => rcx;

    public static AssemblerRegister64 B => rdx;

    public static AssemblerRegister64 Depth => r8;

    public static AssemblerRegister64 Tile => r9;

    /// <summary>A kernel's first instructions.</summary>
    /// <param name="c">The program.</param>
    /// <param name="keepsVectors">False for a kernel that uses none.</param>
    public void Enter(Assembler c, bool keepsVectors = true)
    {
        if (IsWindows)
        {
            if (!keepsVectors) return;
            // Windows passes them where they are wanted. A multiple of 16 and the return address: the stack is aligned behind it.
            c.sub(rsp, Kept * 16 + 8);
            for (int i = 0; i < Kept; i++) c.vmovaps(__xmmword_ptr[rsp + 16 * i], new AssemblerRegisterXMM(Register.XMM0 + FirstKept + i));
            return;
        }
        c.mov(r9, rcx);
        c.mov(r8, rdx);
        c.mov(rdx, rsi);
        c.mov(rcx, rdi);
    }

    /// <summary>A kernel's last instructions.</summary>
    /// <param name="c">The program.</param>
    /// <param name="keepsVectors">As it was entered.</param>
    public void Leave(Assembler c, bool keepsVectors = true)
    {
        if (IsWindows && keepsVectors)
        {
            for (int i = 0; i < Kept; i++) c.vmovaps(new AssemblerRegisterXMM(Register.XMM0 + FirstKept + i), __xmmword_ptr[rsp + 16 * i]);
            c.add(rsp, Kept * 16 + 8);
        }
        c.ret();
    }
}
