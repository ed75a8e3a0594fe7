using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Lowering;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Timing;

/// <summary>
/// What a PTX instruction becomes in machine code, as ptxas 12.4 does it: how many instructions, in which unit. Moves, widenings and
/// negations go into the instructions that use them; chains of logic and address arithmetic share instructions (LOP3, LEA, IADD3).
/// </summary>
internal sealed class InstructionCosts(CardRates card)
{
    /// <summary>
    /// Machine instructions for one integer instruction of PTX, on average over the loops of compiled kernels.
    /// </summary>
    private const double Folded = 0.7;

    /// <summary>Instructions for one bulk copy: its operands go into uniform registers first.</summary>
    private const double BulkSlots = 6;

    public MicroOperation Of(Instruction i)
    {
        PtxInstruction source = i.Source;
        RegisterUse use = RegisterUse.Of(source);
        int[] reads = [.. use.Reads.Select(r => r.Index)], writes = [.. use.Writes.Select(r => r.Index)];
        // What a guard leaves alone is still there afterwards.
        if (source.Guard is not null) reads = [.. reads, .. writes];
        return i.Class switch
        {
            InstructionClass.Integer => Integer(),
            InstructionClass.Integer64 => Integer64(),
            InstructionClass.Float => source.Name is "neg" or "abs" ? Free() : Arithmetic(1, Unit.Float, card.Float),
            InstructionClass.Half => source.Name is "neg" or "abs" ? Free() : Arithmetic(1, Unit.Float, card.Float),
            InstructionClass.Double => New(OperationKind.Plain, 1, Unit.Double, card.Double, card.Double + 8),
            InstructionClass.SpecialFunction => Special(),
            InstructionClass.Conversion => Conversion(),
            InstructionClass.Control => Control(),
            InstructionClass.Global or InstructionClass.Shared or InstructionClass.Local => Access(),
            InstructionClass.MatrixLoad => New(OperationKind.Load, 1, Unit.None, 0, card.SharedLatency),
            InstructionClass.AsyncCopy => Copy(),
            InstructionClass.Tensor => New(OperationKind.Plain, 1, Unit.Tensor, card.Tensor, card.TensorLatency),
            InstructionClass.Shuffle => source.Name == "shfl"
                ? New(OperationKind.Plain, 1, Unit.Conversion, 4, card.SharedLatency - 6) : Arithmetic(1, Unit.Integer, card.Integer, 12),
            InstructionClass.WarpgroupTensor => Product(),
            InstructionClass.BulkCopy => Bulk(),
            InstructionClass.Barrier when source.Name == "wgmma" => ProductGroup(),
            InstructionClass.Barrier when source.Name == "mbarrier" => Mbarrier(),
            InstructionClass.Barrier => Barrier(),
            InstructionClass.Atomic => New(writes.Length > 0 ? OperationKind.Load : OperationKind.Store, 1, Unit.None, 0,
                i.Space == StateSpace.Shared ? card.SharedLatency : card.L2Latency),
            InstructionClass.Parameter => Free(),
            _ => Arithmetic(1, Unit.Integer, card.Integer),
        };

        MicroOperation New(OperationKind kind, double slots, Unit unit, double busy, double latency) =>
            new(i.Index, kind, slots, unit, busy, latency, reads, writes);

        MicroOperation Free() => New(OperationKind.Plain, 0, Unit.None, 0, 0);

        MicroOperation Arithmetic(double slots, Unit unit, double busy, double latency = 0) =>
            New(OperationKind.Plain, slots, unit, slots * busy, latency > 0 ? latency : card.ArithmeticLatency * Math.Max(1, slots));

        // Lanes that part are brought together again by two more instructions around what one of them skips.
        MicroOperation Control() => source.Name != "bra" ? New(OperationKind.Branch, 1, Unit.None, 0, 0)
            : New(OperationKind.Branch, source.Guard is not null && source.Target > i.Index ? 3 : 1, Unit.None, 0, card.Branch);

        MicroOperation Integer()
        {
            if (source.Modifiers is ["pred"])
                return source.Name is "and" or "or" ? Arithmetic(Folded, Unit.Integer, card.Integer) : Free();
            switch (source.Name)
            {
                case "mov":
                    if (source.Operands.OfType<VectorOperand>().Any()) return Arithmetic(Folded, Unit.Integer, card.Integer);
                    return source.Operands[^1] is SymbolOperand s && SpecialRegisters.Has(s.Name)
                        ? New(OperationKind.Plain, 1, Unit.Conversion, 8, 20) : Free();
                case "div" or "rem":
                    return Arithmetic(18, Unit.Integer, card.Integer);
                case "mul" or "mad":
                    return Arithmetic(Folded, Unit.Float, Math.Max(card.Float, 2));
                case "setp" or "selp" or "min" or "max" or "prmt" or "lop3" or "shf" or "bfe":
                    return Arithmetic(1, Unit.Integer, card.Integer);
                case "popc" or "clz" or "bfind" or "brev":
                    return New(OperationKind.Plain, 1, Unit.Conversion, 8, 14);
                default:
                    return Arithmetic(Folded, Unit.Integer, card.Integer);
            }
        }

        MicroOperation Integer64() => source.Name switch
        {
            "mov" or "cvta" or "createpolicy" => Free(),
            "div" or "rem" => Arithmetic(80, Unit.Integer, card.Integer),
            "mul" or "mad" when source.Modifiers.Contains("wide") => Arithmetic(1, Unit.Float, Math.Max(card.Float, 2)),
            "mul" or "mad" => Arithmetic(3, Unit.Float, Math.Max(card.Float, 2)),
            "min" or "max" => Arithmetic(4, Unit.Integer, card.Integer),
            _ => Arithmetic(2 * Folded, Unit.Integer, card.Integer),
        };

        MicroOperation Special()
        {
            bool approximate = source.Modifiers.Contains("approx"), flush = source.Modifiers.Contains("ftz");
            // Without .ftz arguments and results are scaled; the rounded forms refine an estimate.
            double slots = source.Name == "div" ? approximate ? 2 : source.Modifiers.Contains("full") ? 6 : 9
                : !approximate && source.Name is "rcp" or "sqrt" ? 8 : flush || source.Name is "tanh" ? 1 : 3;
            return New(OperationKind.Plain, slots, Unit.SpecialFunction, card.SpecialFunction,
                card.SpecialLatency + card.ArithmeticLatency * (slots - 1));
        }

        MicroOperation Conversion()
        {
            string[] m = source.Modifiers;
            if (m.Length >= 2 && DataTypes.TryParse(m[^2], out DataType to) && DataTypes.TryParse(m[^1], out DataType from)
                && !to.IsFloat && !from.IsFloat)
                return to.Bytes == 8 && !from.IsSigned ? Free() : Arithmetic(Folded / 2, Unit.Integer, card.Integer);
            return New(OperationKind.Plain, 1, Unit.Conversion, card.Conversion, card.ArithmeticLatency + 2);
        }

        MicroOperation Access()
        {
            bool load = source.Name is "ld";
            if (source.Name is "prefetch" or "prefetchu") return Arithmetic(1, Unit.None, 0);
            double latency = i.Space == StateSpace.Shared ? card.SharedLatency : card.L1Latency;
            return New(load ? OperationKind.Load : OperationKind.Store, 1, Unit.None, 0, latency);
        }

        MicroOperation Copy()
        {
            if (source.Modifiers.Contains("commit_group")) return New(OperationKind.Commit, 1, Unit.None, 0, 0);
            if (source.Modifiers.Contains("wait_group")) return New(OperationKind.Wait, 1, Unit.None, 0, 0) with { Keep = (int)i.Offset };
            return source.Modifiers.Contains("wait_all")
                ? New(OperationKind.Wait, 1, Unit.None, 0, 0) with { Keep = -1 } : New(OperationKind.Copy, 1, Unit.None, 0, 0);
        }

        MicroOperation Bulk()
        {
            if (source.Name == "prefetch") return Arithmetic(1, Unit.None, 0);
            if (source.Modifiers.Contains("commit_group")) return New(OperationKind.StoreCommit, 1, Unit.None, 0, 0);
            if (source.Modifiers.Contains("wait_group"))
                return New(source.Modifiers.Contains("read") ? OperationKind.StoreReadWait : OperationKind.StoreWait, 1, Unit.None, 0, 0)
                    with { Keep = (int)i.Offset };
            return New(i.Touch.Writes() ? OperationKind.BulkStore : OperationKind.BulkCopy, BulkSlots, Unit.None, 0, 0);
        }

        // The sums are there when they are waited for: products that follow each other on them do not wait.
        MicroOperation Product() => New(OperationKind.Product, 1, Unit.None, i.Width / 8 * card.WarpgroupTensor, card.TensorLatency) with
        {
            Reads = [.. reads.Except(i.ProductWrites)],
            Writes = [],
            Wavefronts = WarpgroupProducts.Bytes(i) / 128.0,
        };

        MicroOperation ProductGroup() => source.Modifiers.Contains("wait_group")
            ? New(OperationKind.ProductWait, 1, Unit.None, 0, 0) with { Keep = (int)i.Offset }
            : New(source.Modifiers.Contains("commit_group") ? OperationKind.ProductCommit : OperationKind.Branch, 1, Unit.None, 0, 0);

        MicroOperation Mbarrier()
        {
            string kind = source.Modifiers[0];
            if (kind is "init" or "inval") return Arithmetic(1, Unit.None, 0);
            if (kind is "try_wait" or "test_wait") return New(OperationKind.MbarrierWait, 1, Unit.None, 0, card.MbarrierLatency);
            return New(OperationKind.MbarrierArrive, 1, Unit.None, 0, card.MbarrierLatency) with
            {
                Expects = source.Modifiers.Contains("expect_tx"),
                Arrives = kind == "arrive",
            };
        }

        MicroOperation Barrier() => source.Modifiers.Contains("warp")
            || source.Name is "membar" or "fence" or "setmaxnreg" or "griddepcontrol"
            ? Arithmetic(1, Unit.None, 0)
            : New(source.Modifiers.Contains("arrive") ? OperationKind.Arrive : OperationKind.Barrier, 1, Unit.None, 0, 0);
    }
}
