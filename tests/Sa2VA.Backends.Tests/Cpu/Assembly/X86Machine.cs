using Iced.Intel;
using Sa2VA.Cpu;

namespace Sa2VA.Tests;

/// <summary>
/// Executes assembled kernels, on any machine, as the manuals say: the few instructions that they are made of, any other is a fault. So
/// are accesses outside of what was given, reads of what nobody wrote (memory or register), misaligned operands of instructions that want
/// aligned ones, instructions of an extension that the kernel may not count on, and whatever a caller may count on and does not find again.
/// </summary>
/// <param name="code">Where the code lies; constants behind it are read from there.</param>
/// <param name="memory">All memory, the code's included.</param>
/// <param name="abi">The system it was assembled for.</param>
/// <param name="extensions">What the processor has.</param>
/// <param name="tiles">Its tiles, which calls before may have set up; null: nobody has.</param>
internal sealed class X86Machine(
    X86Region code, X86Memory memory, Abi abi, IReadOnlySet<CpuidFeature> extensions, X86Tiles? tiles = null)
{
    private const int StackBytes = 4096, MostSteps = 1_000_000, Lanes = 16, Rsp = 4;
    private const ulong ReturnAddress = 0x00c0ffee;

    private static readonly int[] KeptOnUnix = [3, 5, 12, 13, 14, 15], KeptOnWindows = [3, 5, 6, 7, 12, 13, 14, 15];

    private readonly ulong[] _registers = new ulong[16];
    private readonly bool[] _isDefined = new bool[16];
    private readonly uint[] _vectors = new uint[32 * Lanes];
    private readonly bool[] _isVectorDefined = new bool[32];
    private readonly Dictionary<ulong, Instruction> _decoded = [];
    private readonly X86Region _stack = memory.Add("the stack", null, StackBytes, isWritable: true, isAligned: true);
    private readonly X86Tiles _tiles = tiles ?? new X86Tiles();
    private bool _zero, _sign, _overflow, _hasFlags, _hasUpperHalves;

    /// <summary>Calls the code, from an offset on, as a function of four arguments.</summary>
    public void Call(ulong first, ulong second, ulong third, ulong fourth, int offset = 0)
    {
        int[] arguments = abi.IsWindows ? [1, 2, 8, 9] : [7, 6, 2, 1], kept = abi.IsWindows ? KeptOnWindows : KeptOnUnix;
        foreach (int register in kept) Set(register, 0xfeed0000 + (ulong)register);
        foreach ((int register, ulong value) in arguments.Zip((ulong[])[first, second, third, fourth])) Set(register, value);
        // A call leaves the stack aligned but for the return address; above that, on Windows, is room for the arguments.
        ulong top = _stack.Address + StackBytes - 48, entry = top - 8;
        memory.Write32(entry, (uint)ReturnAddress);
        memory.Write32(entry + 4, 0);
        Set(Rsp, entry);
        if (abi.IsWindows)
            for (int v = 6; v < 16; v++)
            {
                _isVectorDefined[v] = true;
                for (int lane = 0; lane < 4; lane++) _vectors[v * Lanes + lane] = Kept(v, lane);
            }

        ulong ip = code.Address + (ulong)offset;
        for (int steps = 0; ip != ReturnAddress; steps++)
        {
            if (steps == MostSteps) throw new X86Fault("does not end");
            Instruction i = Fetch(ip);
            try
            {
                ip = Step(i);
            }
            catch (X86Fault fault)
            {
                throw new X86Fault($"{i} (at {i.IP - code.Address}) {fault.Message}");
            }
        }
        if (Get(Rsp) != top) throw new X86Fault("returns with another stack pointer");
        foreach (int register in kept)
            if (Get(register) != 0xfeed0000 + (ulong)register) throw new X86Fault($"returns with another register {register}");
        if (_hasUpperHalves) throw new X86Fault("returns without vzeroupper: SSE code of the caller would be slow");
        if (!abi.IsWindows) return;
        for (int v = 6; v < 16; v++)
            for (int lane = 0; lane < 4; lane++)
                if (_vectors[v * Lanes + lane] != Kept(v, lane)) throw new X86Fault($"returns with another xmm{v}");
    }

    // What a caller left in a vector: not a number, so that no sum begins with it unnoticed.
    private static uint Kept(int vector, int lane) => 0x7fc00000 + (uint)(vector * 4 + lane);

    private Instruction Fetch(ulong ip)
    {
        if (_decoded.TryGetValue(ip, out Instruction found)) return found;
        if (ip < code.Address || ip >= code.Address + (ulong)code.Bytes.Length) throw new X86Fault($"jumps to {ip:x}");
        int at = (int)(ip - code.Address);
        var decoder = Decoder.Create(64, new ByteArrayCodeReader(code.Bytes, at, code.Bytes.Length - at), ip);
        decoder.Decode(out Instruction i);
        foreach (CpuidFeature feature in i.CpuidFeatures)
            if (!extensions.Contains(feature)) throw new X86Fault($"{i} needs {feature}");
        if (i.OpMask != Register.None || i.RoundingControl != RoundingControl.None || i.SuppressAllExceptions || i.HasLockPrefix)
            throw new X86Fault($"{i} has a form that is not known here");
        _decoded.Add(ip, i);
        return i;
    }

    private ulong Step(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Mov: Set(Number(i, 0), Operand(i, 1)); break;
            case Mnemonic.Lea: Set(Number(i, 0), Address(i)); break;
            case Mnemonic.Add: Sum(i, Operand(i, 0), Operand(i, 1)); break;
            case Mnemonic.Sub: Difference(i, Operand(i, 0), Operand(i, 1)); break;
            case Mnemonic.Je: return Jump(i, _zero);
            case Mnemonic.Jne: return Jump(i, !_zero);
            case Mnemonic.Jl: return Jump(i, _sign != _overflow);
            case Mnemonic.Jge: return Jump(i, _sign == _overflow);
            case Mnemonic.Ret:
                ulong to = memory.Read64(Get(Rsp));
                Set(Rsp, Get(Rsp) + 8);
                return to;
            case Mnemonic.Prefetcht0: break;
            default: Vector(i); break;
        }
        return i.NextIP;
    }

    private ulong Jump(in Instruction i, bool taken)
    {
        if (!_hasFlags) throw new X86Fault("jumps by flags that nothing has set");
        return taken ? i.NearBranchTarget : i.NextIP;
    }

    private void Sum(in Instruction i, ulong a, ulong b)
    {
        ulong sum = a + b;
        _overflow = (long)((a ^ sum) & (b ^ sum)) < 0;
        Flags(i, sum);
    }

    private void Difference(in Instruction i, ulong a, ulong b)
    {
        ulong difference = a - b;
        _overflow = (long)((a ^ b) & (a ^ difference)) < 0;
        Flags(i, difference);
    }

    private void Flags(in Instruction i, ulong result)
    {
        (_zero, _sign, _hasFlags) = (result == 0, (long)result < 0, true);
        Set(Number(i, 0), result);
    }

    private ulong Operand(in Instruction i, int number) => i.GetOpKind(number) switch
    {
        OpKind.Register => Get(Number(i, number)),
        OpKind.Immediate8to64 or OpKind.Immediate32to64 or OpKind.Immediate64 => i.GetImmediate(number),
        _ => throw new X86Fault("has an operand of a kind that is not known here"),
    };

    private static int Number(in Instruction i, int operand)
    {
        Register register = i.GetOpRegister(operand);
        return register.IsGPR64() ? register.GetNumber() : throw new X86Fault("has an operand that is no 64-bit register");
    }

    private ulong Address(in Instruction i)
    {
        if (i.IsIPRelativeMemoryOperand) return i.IPRelativeMemoryAddress;
        if (!i.MemoryBase.IsGPR64() || i.MemoryIndex != Register.None || i.SegmentPrefix != Register.None)
            throw new X86Fault("addresses memory in a way that is not known here");
        return Get(i.MemoryBase.GetNumber()) + i.MemoryDisplacement64;
    }

    private ulong Get(int register) =>
        _isDefined[register] ? _registers[register] : throw new X86Fault($"reads register {register}, which nobody wrote");

    private void Set(int register, ulong value) => (_registers[register], _isDefined[register]) = (value, true);

    private void Vector(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Vzeroupper:
                for (int v = 0; v < 16; v++) _vectors.AsSpan(v * Lanes + 4, Lanes - 4).Clear();
                _hasUpperHalves = false;
                break;
            case Mnemonic.Vmovups: Move(i, isAligned: false); break;
            case Mnemonic.Vmovaps: Move(i, isAligned: true); break;
            case Mnemonic.Vbroadcastss: Each(i, (_, s, _) => s, sources: 1, isScalar: true); break;
            case Mnemonic.Vxorps or Mnemonic.Vpxord: Xor(i); break;
            case Mnemonic.Vpand or Mnemonic.Vpandd: Each(i, (_, a, b) => a & b, sources: 2); break;
            case Mnemonic.Vpor or Mnemonic.Vpord: Each(i, (_, a, b) => a | b, sources: 2); break;
            case Mnemonic.Vpslld or Mnemonic.Vpsrld when i.Op2Kind != OpKind.Immediate8:
                throw new X86Fault("has a form that is not known here");
            case Mnemonic.Vpslld: Each(i, (_, a, count) => count > 31 ? 0 : a << (int)count, sources: 2); break;
            case Mnemonic.Vpsrld: Each(i, (_, a, count) => count > 31 ? 0 : a >> (int)count, sources: 2); break;
            case Mnemonic.Vaddps: Each(i, (_, a, b) => Bits(Single(a) + Single(b)), sources: 2); break;
            case Mnemonic.Vmulps: Each(i, (_, a, b) => Bits(Single(a) * Single(b)), sources: 2); break;
            case Mnemonic.Vfmadd231ps:
                Each(i, (c, a, b) => Bits(MathF.FusedMultiplyAdd(Single(a), Single(b), Single(c))), sources: 2, readsTarget: true);
                break;
            case Mnemonic.Vdpbf16ps: Each(i, BFloat16Pairs.Add, sources: 2, readsTarget: true); break;
            default: Tile(i); break;
        }
    }

    private void Tile(in Instruction i)
    {
        switch (i.Mnemonic)
        {
            case Mnemonic.Ldtilecfg: _tiles.Configure(memory.Read(Address(i), 64)); break;
            case Mnemonic.Tilerelease: _tiles.Release(); break;
            case Mnemonic.Tilezero: _tiles.Clear(Number(i.Op0Register)); break;
            case Mnemonic.Tileloadd: _tiles.Load(Number(i.Op0Register), memory, Rows(i)); break;
            case Mnemonic.Tilestored: _tiles.Store(Number(i.Op1Register), memory, Rows(i)); break;
            case Mnemonic.Tdpbf16ps:
                _tiles.MultiplyAdd(Number(i.Op0Register), Number(i.Op1Register), Number(i.Op2Register));
                break;
            default: throw new X86Fault("is an instruction that is not known here");
        }

        static int Number(Register register) =>
            register.IsTMM() ? register.GetNumber() : throw new X86Fault("has an operand that is no tile");
    }

    /// <summary>Where rows of a tile lie: the index register says how far apart.</summary>
    private (ulong First, ulong Apart) Rows(in Instruction i)
    {
        if (!i.MemoryBase.IsGPR64() || !i.MemoryIndex.IsGPR64() || i.MemoryIndexScale != 1 || i.SegmentPrefix != Register.None)
            throw new X86Fault("addresses a tile in a way that is not known here");
        return (Get(i.MemoryBase.GetNumber()) + i.MemoryDisplacement64, Get(i.MemoryIndex.GetNumber()));
    }

    private static float Single(uint bits) => BitConverter.UInt32BitsToSingle(bits);

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    // A register exclusive-or itself is zero whatever it held.
    private void Xor(in Instruction i)
    {
        if (i.Op1Kind != OpKind.Register || i.Op1Register != i.Op2Register) throw new X86Fault("has a form that is not known here");
        (int to, int lanes) = Of(i.Op0Register);
        _vectors.AsSpan(to * Lanes, Lanes).Clear();
        Wrote(to, lanes);
    }

    private void Wrote(int vector, int lanes)
    {
        _isVectorDefined[vector] = true;
        if (lanes > 4 && vector < 16) _hasUpperHalves = true;
    }

    private void Move(in Instruction i, bool isAligned)
    {
        if (isAligned && i.Op0Kind != i.Op1Kind && Address(i) % (ulong)i.MemorySize.GetSize() != 0)
            throw new X86Fault($"wants an aligned address, not {Address(i):x}");
        if (i.Op0Kind == OpKind.Register)
        {
            Each(i, (_, s, _) => s, sources: 1);
            return;
        }
        (int from, int lanes) = Of(i.Op1Register);
        ulong address = Address(i);
        if (!_isVectorDefined[from]) throw new X86Fault($"stores vector {from}, which nobody wrote");
        if (address >= _stack.Address && address < Get(Rsp)) throw new X86Fault("writes below the stack pointer");
        for (int lane = 0; lane < lanes; lane++) memory.Write32(address + 4 * (ulong)lane, _vectors[from * Lanes + lane]);
    }

    /// <summary>Lane by lane: (what the target held, first source, second or immediate). Lanes beyond the vector become zeros.</summary>
    private void Each(in Instruction i, Func<uint, uint, uint, uint> lane, int sources, bool readsTarget = false, bool isScalar = false)
    {
        (int to, int lanes) = Of(i.Op0Register);
        if (i.OpCount != sources + 1) throw new X86Fault("has a form that is not known here");
        if (readsTarget && !_isVectorDefined[to]) throw new X86Fault($"reads vector {to}, which nobody wrote");
        Span<uint> first = stackalloc uint[Lanes], second = stackalloc uint[Lanes];
        Source(i, 1, lanes, isScalar, first);
        if (sources == 2) Source(i, 2, lanes, isScalar: false, second);
        Span<uint> target = _vectors.AsSpan(to * Lanes, Lanes);
        for (int l = 0; l < lanes; l++) target[l] = lane(target[l], first[l], second[l]);
        target[lanes..].Clear();
        Wrote(to, lanes);
    }

    private void Source(in Instruction i, int operand, int lanes, bool isScalar, Span<uint> values)
    {
        switch (i.GetOpKind(operand))
        {
            case OpKind.Register:
                int from = Of(i.GetOpRegister(operand)).Number;
                if (!_isVectorDefined[from]) throw new X86Fault($"reads vector {from}, which nobody wrote");
                _vectors.AsSpan(from * Lanes, lanes).CopyTo(values);
                if (isScalar) values[..lanes].Fill(values[0]);
                break;
            case OpKind.Memory when isScalar || i.IsBroadcast:
                values[..lanes].Fill(memory.Read32(Address(i)));
                break;
            case OpKind.Memory:
                ulong address = Address(i);
                for (int l = 0; l < lanes; l++) values[l] = memory.Read32(address + 4 * (ulong)l);
                break;
            case OpKind.Immediate8:
                values[..lanes].Fill(i.Immediate8);
                break;
            default:
                throw new X86Fault("has an operand of a kind that is not known here");
        }
    }

    private static (int Number, int Lanes) Of(Register register) => register.IsZMM() ? (register.GetNumber(), 16)
        : register.IsYMM() ? (register.GetNumber(), 8)
        : register.IsXMM() ? (register.GetNumber(), 4)
        : throw new X86Fault("has an operand that is no vector");
}
