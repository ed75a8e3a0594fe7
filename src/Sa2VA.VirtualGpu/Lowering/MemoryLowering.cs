using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>Moves, addresses, loads, stores, atomics, asynchronous copies.</summary>
internal sealed unsafe partial class KernelLowering
{
    private bool LowerMove(Instruction i, Modifiers m, string name)
    {
        if (name == "cvta")
        {
            AddressConversion(i, m);
            return true;
        }
        if (name != "mov" || i.Source.Modifiers is ["pred"]) return false;
        DataType type = m.Type();
        Operands(i, 2);
        int bytes = type.Bytes;
        if (bytes == 1) throw i.Source.Error("moves of 8 bits are not supported");
        i.Class = bytes == 8 ? InstructionClass.Integer64 : InstructionClass.Integer;
        i.Wide = bytes == 8 ? 3 : 0;
        if (Operand(i, 0) is VectorOperand parts)
        {
            i.Width = Part(i, parts, bytes);
            i.Rows = [.. parts.Items.Select(p => Result(i, p, i.Width))];
            i.A = Source(i, Operand(i, 1), bytes);
            i.Run = &LaneLoops.Unpack;
        }
        else if (Operand(i, 1) is VectorOperand sources)
        {
            i.Width = Part(i, sources, bytes);
            i.Rows = [.. sources.Items.Select(p => Source(i, p, i.Width))];
            i.D = Destination(i, Operand(i, 0), bytes);
            i.Run = &LaneLoops.Pack;
        }
        else
        {
            i.D = Destination(i, Operand(i, 0), bytes);
            i.A = Source(i, Operand(i, 1), bytes);
            i.Run = bytes == 8 ? &LaneLoops.Move64 : &LaneLoops.Unary<Move>;
        }
        return true;
    }

    private static int Part(Instruction i, VectorOperand vector, int bytes)
    {
        int n = vector.Items.Length;
        if (n is not (2 or 4) || bytes / n < 2) throw i.Source.Error("the vector does not fit the type");
        return bytes / n;
    }

    private void AddressConversion(Instruction i, Modifiers m)
    {
        if (m.Type() != DataType.U64) throw i.Source.Error("addresses have 64 bits");
        bool to = m.Take("to");
        StateSpace space = Space(m);
        if (space == StateSpace.Generic) throw i.Source.Error("the address space is not supported");
        Operands(i, 2);
        i.Class = InstructionClass.Integer64;
        i.D = Destination(i, Operand(i, 0), 8);
        i.A = Source(i, Operand(i, 1), 8);
        i.Run = &LaneLoops.Move64;
        ulong window = AddressWindows.Of(space);
        if (window == 0) return;
        i.B = Constant(window, 256);
        i.Run = to ? &LaneLoops.Binary64<Subtract64> : &LaneLoops.Binary64<Add64>;
    }

    private bool LowerMemory(Instruction i, Modifiers m, string name)
    {
        switch (name)
        {
            case "ld" or "st":
                Access(i, m, load: name == "ld");
                return true;
            case "atom" or "red":
                Atomic(i, m, name == "atom");
                return true;
            case "cp":
                AsyncCopy(i, m);
                return true;
            default:
                return false;
        }
    }

    private static StateSpace Space(Modifiers m) =>
        m.TakeOne("global", "shared", "shared::cta", "shared::cluster", "local", "param", "const") switch
    {
        "global" => StateSpace.Global,
        "const" => StateSpace.Const,
        "local" => StateSpace.Local,
        "param" => StateSpace.Param,
        null => StateSpace.Generic,
        _ => StateSpace.Shared,
    };

    /// <summary>Whether shared addresses may be of other blocks: by that space, or generic ones.</summary>
    private bool ReachesCluster(Instruction i, Modifiers m)
    {
        if (m.Has("shared::cluster") && module.Target < Hopper) throw i.Source.Error("the instruction needs target sm_90");
        return m.Has("shared::cluster") || !(m.Has("shared") || m.Has("shared::cta"));
    }

    /// <summary>The row of an address: 64 bits, or 32 in shared memory; Mode gets <see cref="MemoryAccess.WideAddress"/>.</summary>
    private int AddressRow(Instruction i, PtxOperand operand, StateSpace space, out long offset)
    {
        if (operand is not AddressOperand a) throw i.Source.Error($"operand {operand} is no address");
        offset = a.Offset;
        bool narrow = space == StateSpace.Shared;
        if (a.Register is { } r)
        {
            if (r.Type == DataType.Pred || r.Type.Bytes != 8 && (r.Type.Bytes != 4 || !narrow))
                throw i.Source.Error($"register {r.Name} cannot hold an address");
            if (r.Type.Bytes == 8) i.Mode |= MemoryAccess.WideAddress;
            return rows.Offset(r);
        }
        i.Mode |= MemoryAccess.WideAddress;
        int place = 0;
        if (a.Symbol is not null)
        {
            if (!symbols.TryGetValue(a.Symbol, out var symbol)) throw i.Source.Error($"unknown variable {a.Symbol}");
            if (symbol.Space != space && !(space == StateSpace.Generic && symbol.Space == StateSpace.Global))
                throw i.Source.Error($"{a.Symbol} lies in another address space");
            if (symbol.Space is StateSpace.Global or StateSpace.Const) return NewRow(variables, symbol.Place, 256);
            place = symbol.Place;
        }
        return Constant((ulong)place, 256);
    }

    /// <summary>A policy of caches may be the last operand.</summary>
    /// <returns>The number of operands.</returns>
    private int CacheHint(Instruction i, Modifiers m, int operands)
    {
        if (!m.Take("L2::cache_hint")) return operands;
        Source(i, Operand(i, operands), 8);
        return operands + 1;
    }

    private void Access(Instruction i, Modifiers m, bool load)
    {
        DataType type = m.Type();
        i.ReachesCluster = ReachesCluster(i, m);
        i.Space = Space(m);
        bool isStrong = m.TakeOne("relaxed", "acquire", "release", "volatile") is not null;
        i.Touch = load ? isStrong ? GlobalTouch.StrongRead : GlobalTouch.Read : isStrong ? GlobalTouch.StrongWrite : GlobalTouch.Write;
        m.Ignore("nc", "weak", "cta", "cluster", "gpu", "sys", "ca", "cg", "cs", "lu", "cv", "wb", "wt",
            "L1::evict_last", "L1::evict_first", "L1::no_allocate", "L1::evict_normal", "L2::64B", "L2::128B", "L2::256B");
        int vector = m.TakeOne("v2", "v4") switch { "v2" => 2, "v4" => 4, _ => 1 };
        Operands(i, CacheHint(i, m, 2));
        PtxOperand data = Operand(i, load ? 0 : 1);
        PtxOperand[] items = data is VectorOperand v ? v.Items : [data];
        if (items.Length != vector) throw i.Source.Error($"the vector has {items.Length} elements");
        i.Width = type.Bytes;
        if (type == DataType.Pred || i.Width * vector > 16) throw i.Source.Error("the access is wider than 16 bytes");
        int holder = items.Max(x => Holder(i, x, i.Width));
        i.Rows = [.. items.Select(x => load ? Result(i, x, holder) : Source(i, x, holder))];
        if (holder == 8) i.Mode |= MemoryAccess.WideData;
        if (type.IsSigned) i.Mode |= MemoryAccess.SignedData;
        if (holder == 2) i.Mode |= MemoryAccess.HalfData;
        i.A = AddressRow(i, Operand(i, load ? 1 : 0), i.Space, out i.Offset);
        i.Class = i.Space switch
        {
            StateSpace.Shared => InstructionClass.Shared,
            StateSpace.Local => InstructionClass.Local,
            StateSpace.Param => InstructionClass.Parameter,
            _ => InstructionClass.Global,
        };
        if (i.Space == StateSpace.Param)
        {
            if (!load) throw i.Source.Error("parameters cannot be written");
            if (Operand(i, 1) is not AddressOperand { Symbol: { } symbol })
            {
                i.Run = &MemoryAccess.Load;
                return;
            }
            i.Offset += symbols[symbol].Place;
            if (i.Offset < 0 || i.Offset + i.Width * vector > parameterBytes) throw i.Source.Error("the access is outside the parameters");
            if (i.Offset % (i.Width * vector) != 0) throw i.Source.Error("the access is misaligned");
            i.Run = &MemoryAccess.LoadParameter;
            return;
        }
        if (i.Space is StateSpace.Shared or StateSpace.Generic) narrowestShared = Math.Min(narrowestShared, i.Width * vector);
        if (!load && i.Space == StateSpace.Const) throw i.Source.Error("constant memory cannot be written");
        i.IsPlain = WholeRows.Suits(i, load);
        i.Run = load ? &MemoryAccess.Load : &MemoryAccess.Store;
    }

    private void Atomic(Instruction i, Modifiers m, bool result)
    {
        DataType type = m.Type();
        i.ReachesCluster = ReachesCluster(i, m);
        i.Space = Space(m);
        m.Ignore("cluster", "relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys");
        string name = m.TakeOne("add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec")
            ?? throw i.Source.Error("the operation is not supported");
        bool fits = name switch
        {
            "add" => type is DataType.U32 or DataType.S32 or DataType.U64 or DataType.F32 or DataType.F64,
            "min" or "max" => type is DataType.U32 or DataType.S32 or DataType.U64 or DataType.S64,
            "inc" or "dec" => type == DataType.U32,
            _ => type is DataType.B32 or DataType.B64,
        };
        if (!fits || i.Space is StateSpace.Param or StateSpace.Const or StateSpace.Local)
            throw i.Source.Error("the operation is not supported");
        int at = result ? 1 : 0;
        Operands(i, at + (name == "cas" ? 3 : 2));
        i.Class = InstructionClass.Atomic;
        i.Touch = GlobalTouch.StrongWrite;
        i.Width = type.Bytes;
        if (result) i.D = Result(i, Operand(i, 0), i.Width);
        i.A = AddressRow(i, Operand(i, at), i.Space, out i.Offset);
        i.B = Source(i, Operand(i, at + 1), i.Width);
        if (name == "cas") i.C = Source(i, Operand(i, at + 2), i.Width);
        i.Scalar = AtomicFunctions.Find(name, type) ?? throw i.Source.Error("the operation is not supported");
        i.Run = &AtomicFunctions.Run;
    }

    private void AsyncCopy(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.AsyncCopy;
        if (!m.Take("async")) throw i.Source.Error("the instruction is not supported");
        if (m.Take("bulk"))
        {
            BulkCopy(i, m);
        }
        else if (m.Take("commit_group"))
        {
            Operands(i, 0);
            i.Run = &AsyncCopies.Commit;
        }
        else if (m.Take("wait_group"))
        {
            Operands(i, 1);
            i.Offset = Immediate(i, Operand(i, 0), 1 << 20);
            i.Run = &AsyncCopies.Wait;
        }
        else if (m.Take("wait_all"))
        {
            Operands(i, 0);
            i.Run = &AsyncCopies.WaitAll;
        }
        else
        {
            string? level = m.TakeOne("ca", "cg");
            bool shared = m.TakeOne("shared", "shared::cta") is not null, global = m.Take("global");
            if (level is null || !shared || !global) throw i.Source.Error("the copy is not supported");
            m.Ignore("L2::64B", "L2::128B", "L2::256B");
            bool hinted = i.Source.Modifiers.Contains("L2::cache_hint");
            Operands(i, hinted ? 4 : 3, hinted ? 5 : 4);
            CacheHint(i, m, i.Source.Operands.Length - 1);
            i.A = AddressRow(i, Operand(i, 0), StateSpace.Shared, out i.Offset);
            int mode = i.Mode;
            i.B = AddressRow(i, Operand(i, 1), StateSpace.Global, out i.SourceOffset);
            i.Mode = mode;
            i.Width = (int)Immediate(i, Operand(i, 2), 16);
            if (i.Width != 16 && (level == "cg" || i.Width is not (4 or 8)))
                throw i.Source.Error($"copies of {i.Width} bytes are not supported");
            if (i.Source.Operands.Length > (hinted ? 4 : 3)) i.C = Source(i, Operand(i, 3), 4);
            i.Run = &AsyncCopies.Copy;
        }
    }
}
