using Iced.Intel;

namespace Sa2VA.Tests;

/// <summary>Copies of a kernel that each have one fault.</summary>
internal static class KernelFaults
{
    /// <summary>For each instruction: left out; reading or writing four bytes further; writing the next register.</summary>
    /// <param name="code">A kernel, constants behind it.</param>
    public static IEnumerable<(string What, byte[] Code)> Of(byte[] code)
    {
        List<Instruction> all = Decode(code);
        for (int i = 0; i < all.Count; i++)
        {
            Instruction at = all[i];
            // Without these two a kernel is slower, not wrong: what is fetched early, and the jump back to several steps at once.
            if (at.Mnemonic is Mnemonic.Prefetcht0 or Mnemonic.Jge) continue;
            yield return ($"{at} left out", With(code, all, i, Nothing(at.IP)));
            if (at.MemoryBase is not (Register.None or Register.RIP))
            {
                Instruction moved = at;
                moved.MemoryDisplacement64 += 4;
                moved.MemoryDisplSize = 8;
                yield return ($"{at} moved by four", With(code, all, i, moved));
            }
            // The short form of an addition to rax has no other register.
            if (at.OpCount > 0 && at.Op0Kind == OpKind.Register && at.Code != Code.Add_RAX_imm32
                && at.Op0Register is not (Register.RSP or Register.R15 or Register.XMM15 or Register.YMM15 or Register.TMM7))
            {
                Instruction other = at;
                other.Op0Register = at.Op0Register + 1;
                yield return ($"{at} into {other.Op0Register}", With(code, all, i, other));
            }
        }
    }

    // Does nothing, by an instruction that the machine knows.
    private static Instruction Nothing(ulong ip)
    {
        var i = Instruction.Create(Code.Lea_r64_m, Register.RSP, new MemoryOperand(Register.RSP, 0L));
        i.IP = ip;
        return i;
    }

    private static List<Instruction> Decode(byte[] code)
    {
        List<Instruction> all = [];
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(code));
        do all.Add(decoder.Decode());
        while (all[^1].Mnemonic != Mnemonic.Ret);
        return all;
    }

    // Instructions are encoded anew, since a fault may change their length; constants stay where they were, or move behind longer code.
    private static byte[] With(byte[] code, List<Instruction> all, int index, Instruction instead)
    {
        List<Instruction> changed = [.. all];
        changed[index] = instead;
        using var to = new MemoryStream();
        var block = new InstructionBlock(new StreamCodeWriter(to), changed, 0);
        if (!BlockEncoder.TryEncode(64, block, out string? error, out _)) throw new InvalidOperationException(error);
        // Constants begin where the original's instructions end. Longer code would lie over them, so they are reached from further on.
        int end = (int)all[^1].NextIP;
        if (to.Length > end) return Shifted(code, changed, end, (int)to.Length - end);
        while (to.Length < end) to.WriteByte(0xcc);
        to.Write(code, end, code.Length - end);
        return to.ToArray();
    }

    private static byte[] Shifted(byte[] code, List<Instruction> changed, int end, int by)
    {
        List<Instruction> moved = [.. changed.Select(i =>
        {
            if (i.IsIPRelativeMemoryOperand) i.MemoryDisplacement64 += (ulong)by;
            return i;
        })];
        using var to = new MemoryStream();
        var block = new InstructionBlock(new StreamCodeWriter(to), moved, 0);
        if (!BlockEncoder.TryEncode(64, block, out string? error, out _)) throw new InvalidOperationException(error);
        to.Write(code, end, code.Length - end);
        return to.ToArray();
    }
}
