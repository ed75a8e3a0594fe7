using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>Branches and ends, and what the lanes of a warp or the warps of a block do together.</summary>
internal sealed unsafe partial class KernelLowering
{
    private static bool LowerControl(Instruction i, Modifiers m, string name)
    {
        i.Class = InstructionClass.Control;
        switch (name)
        {
            case "bra":
                m.Ignore("uni");
                i.Run = &ControlFunctions.Branch;
                return true;
            case "ret" or "exit":
                m.Ignore("uni");
                Operands(i, 0);
                i.Run = &ControlFunctions.Exit;
                return true;
            case "trap":
                Operands(i, 0);
                i.Run = &ControlFunctions.Trap;
                return true;
            default:
                return false;
        }
    }

    private bool LowerWarp(Instruction i, Modifiers m, string name)
    {
        switch (name)
        {
            case "bar" or "barrier":
                Barrier(i, m);
                break;
            case "membar" or "fence" when !(m.Has("proxy") || m.Has("mbarrier_init")):
                m.Ignore("cta", "cluster", "gl", "sys", "gpu", "sc", "acq_rel");
                Operands(i, 0);
                i.Class = InstructionClass.Barrier;
                i.Run = &ControlFunctions.Nothing;
                return true;
            case "shfl":
                Shuffle(i, m);
                break;
            case "vote":
                Vote(i, m);
                break;
            case "match":
                Match(i, m);
                break;
            case "redux":
                Reduction(i, m);
                break;
            case "activemask":
                Expect(i, m, DataType.B32);
                Operands(i, 1);
                i.Class = InstructionClass.Shuffle;
                i.D = Destination(i, Operand(i, 0), 4);
                i.Run = &ShuffleFunctions.ActiveMask;
                break;
            case "ldmatrix":
                MatrixLoad(i, m);
                break;
            case "stmatrix":
                MatrixStore(i, m);
                break;
            case "mma":
                Product(i, m);
                break;
            default:
                return false;
        }
        i.Leader = true;
        return true;
    }

    private void Barrier(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.Barrier;
        if (m.Take("warp"))
        {
            if (!m.Take("sync")) throw i.Source.Error("the instruction is not supported");
            Operands(i, 1);
            i.A = Source(i, Operand(i, 0), 4);
            i.Run = &BarrierFunctions.SyncWarp;
            return;
        }
        if (m.Take("cluster"))
        {
            ClusterBarrier(i, m);
            return;
        }
        m.Ignore("cta", "aligned");
        if (m.Take("red"))
        {
            BarrierReduction(i, m);
            return;
        }
        string? kind = m.TakeOne("sync", "arrive");
        if (kind is null) throw i.Source.Error("the instruction is not supported");
        Operands(i, kind == "sync" ? 1 : 2, 2);
        i.A = Source(i, Operand(i, 0), 4);
        if (i.Source.Operands.Length > 1) i.B = Source(i, Operand(i, 1), 4);
        i.Run = kind == "sync" ? &BarrierFunctions.Sync : &BarrierFunctions.Arrive;
    }

    private void BarrierReduction(Instruction i, Modifiers m)
    {
        i.Mode = m.TakeOne("popc", "and", "or") switch
        {
            "popc" => BarrierFunctions.Count,
            "and" => BarrierFunctions.All,
            "or" => BarrierFunctions.Any,
            _ => throw i.Source.Error("the instruction is not supported"),
        };
        DataType type = m.Type();
        if (type != (i.Mode == BarrierFunctions.Count ? DataType.U32 : DataType.Pred)) throw i.Source.Error("the type does not fit");
        Operands(i, 3, 4);
        i.D = type == DataType.U32
            ? Destination(i, Operand(i, 0), 4)
            : PredicateResult(i, (Operand(i, 0) as RegisterOperand)?.Register ?? throw i.Source.Error("the result is no predicate"));
        i.A = Source(i, Operand(i, 1), 4);
        int last = i.Source.Operands.Length - 1;
        if (last == 3) i.B = Source(i, Operand(i, 2), 4);
        i.C = Predicate(i, Operand(i, last), out bool negated);
        if (negated) i.Mode |= BarrierFunctions.NegatedVote;
        i.Run = &BarrierFunctions.Reduce;
    }

    private void Match(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.Shuffle;
        DataType type = m.Type();
        string? kind = m.Take("sync") ? m.TakeOne("any", "all") : null;
        if (kind is null || type is not (DataType.B32 or DataType.B64)) throw i.Source.Error("the instruction is not supported");
        Operands(i, 3);
        PtxOperand result = Operand(i, 0);
        if (kind == "all" && result is PairOperand pair)
        {
            i.Second = PredicateResult(i, pair.Second);
            result = pair.First is null ? new SinkOperand() : new RegisterOperand(pair.First);
        }
        i.D = Result(i, result, 4);
        i.A = Source(i, Operand(i, 1), type.Bytes);
        i.Wide = type.Bytes == 8 ? 2 : 0;
        i.Rows = [Source(i, Operand(i, 2), 4)];
        i.Run = kind == "any" ? &ShuffleFunctions.MatchAny : &ShuffleFunctions.MatchAll;
    }

    private void Shuffle(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.Shuffle;
        Expect(i, m, DataType.B32);
        i.Mode = (m.Take("sync") ? m.TakeOne("up", "down", "bfly", "idx") : null) switch
        {
            "up" => ShuffleFunctions.Up,
            "down" => ShuffleFunctions.Down,
            "bfly" => ShuffleFunctions.Butterfly,
            "idx" => ShuffleFunctions.Index,
            _ => throw i.Source.Error("the instruction is not supported"),
        };
        Operands(i, 5);
        PtxOperand result = Operand(i, 0);
        if (result is PairOperand pair)
        {
            i.Second = PredicateResult(i, pair.Second);
            result = pair.First is null ? new SinkOperand() : new RegisterOperand(pair.First);
        }
        i.D = Result(i, result, 4);
        i.A = Source(i, Operand(i, 1), 4);
        i.B = Source(i, Operand(i, 2), 4);
        i.C = Source(i, Operand(i, 3), 4);
        i.Rows = [Source(i, Operand(i, 4), 4)];
        i.Run = &ShuffleFunctions.Shuffle;
    }

    private void Vote(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.Shuffle;
        DataType type = m.Type();
        i.Mode = (m.Take("sync") ? m.TakeOne("all", "any", "uni", "ballot") : null) switch
        {
            "all" => ShuffleFunctions.All,
            "any" => ShuffleFunctions.Any,
            "uni" => ShuffleFunctions.Uniform,
            "ballot" => ShuffleFunctions.Ballot,
            _ => throw i.Source.Error("the instruction is not supported"),
        };
        if (type != (i.Mode == ShuffleFunctions.Ballot ? DataType.B32 : DataType.Pred)) throw i.Source.Error("the type does not fit");
        Operands(i, 3);
        i.D = i.Mode == ShuffleFunctions.Ballot
            ? Destination(i, Operand(i, 0), 4)
            : PredicateResult(i, (Operand(i, 0) as RegisterOperand)?.Register ?? throw i.Source.Error("the result is no predicate"));
        i.A = Predicate(i, Operand(i, 1), out bool negated);
        if (negated) i.Mode |= ShuffleFunctions.NegatedVote;
        i.Rows = [Source(i, Operand(i, 2), 4)];
        i.Run = &ShuffleFunctions.Vote;
    }

    private void Reduction(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.Shuffle;
        DataType type = m.Type();
        string? name = m.Take("sync") ? m.TakeOne("add", "min", "max", "and", "or", "xor") : null;
        bool bits = name is "and" or "or" or "xor";
        if (name is null || bits != (type == DataType.B32) || type.Bytes != 4 || type.IsFloat)
            throw i.Source.Error("the instruction is not supported");
        Operands(i, 3);
        i.D = Destination(i, Operand(i, 0), 4);
        i.A = Source(i, Operand(i, 1), 4);
        i.Rows = [Source(i, Operand(i, 2), 4)];
        i.Scalar = IntegerFunctions.Find(name, type);
        i.Run = &ShuffleFunctions.Reduce;
    }

    /// <summary>How many matrices of 8 × 8 an instruction moves to or from shared memory.</summary>
    private static int Matrices(Instruction i, Modifiers m)
    {
        Expect(i, m, DataType.B16);
        bool known = m.Take("sync") & m.Take("aligned") & m.Take("m8n8") & m.TakeOne("shared", "shared::cta") is not null;
        int count = m.TakeOne("x1", "x2", "x4") switch { "x1" => 1, "x2" => 2, "x4" => 4, _ => 0 };
        if (!known || count == 0) throw i.Source.Error("the instruction is not supported");
        Operands(i, 2);
        return count;
    }

    private void MatrixLoad(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.MatrixLoad;
        int count = Matrices(i, m);
        i.Rows = Fragment(i, Operand(i, 0), count, result: true);
        i.A = AddressRow(i, Operand(i, 1), StateSpace.Shared, out i.Offset);
        if (m.Take("trans")) i.Mode |= MatrixFunctions.Transposed;
        i.Run = &MatrixFunctions.Load;
    }

    private void MatrixStore(Instruction i, Modifiers m)
    {
        if (module.Target < Hopper) throw i.Source.Error("the instruction needs target sm_90");
        i.Class = InstructionClass.Shared;
        i.Space = StateSpace.Shared;
        int count = Matrices(i, m);
        i.A = AddressRow(i, Operand(i, 0), StateSpace.Shared, out i.Offset);
        i.Rows = Fragment(i, Operand(i, 1), count, result: false);
        if (m.Take("trans")) i.Mode |= MatrixFunctions.Transposed;
        i.Run = &MatrixFunctions.Store;
    }

    private void Product(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.Tensor;
        DataType c = m.Type(), b = m.Type(), a = m.Type(), d = m.Type();
        bool known = m.Take("sync") & m.Take("aligned") & m.Take("m16n8k16") & m.Take("row") & m.Take("col");
        if (!known || a != b || a is not (DataType.BF16 or DataType.F16) || c != DataType.F32 || d != DataType.F32)
            throw i.Source.Error("the shape or the types of the product are not supported");
        Operands(i, 4);
        i.Rows =
        [
            .. Fragment(i, Operand(i, 0), 4, result: true), .. Fragment(i, Operand(i, 1), 4, result: false),
            .. Fragment(i, Operand(i, 2), 2, result: false), .. Fragment(i, Operand(i, 3), 4, result: false),
        ];
        i.Mode = a == DataType.F16 ? MatrixFunctions.Float16 : 0;
        i.Run = &MatrixFunctions.Product;
    }

    private int[] Fragment(Instruction i, PtxOperand operand, int count, bool result)
    {
        PtxOperand[] items = operand is VectorOperand v ? v.Items : [operand];
        if (items.Length != count) throw i.Source.Error($"operand {operand} must have {count} registers");
        return [.. items.Select(x => result ? Destination(i, x, 4) : Source(i, x, 4))];
    }
}
