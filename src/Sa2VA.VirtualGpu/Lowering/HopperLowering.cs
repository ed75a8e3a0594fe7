using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>
/// What came with compute capability 9.0: mbarriers with bytes, bulk copies, products of warpgroups, registers on demand.
/// </summary>
internal sealed unsafe partial class KernelLowering
{
    private const int Hopper = 90;

    private bool LowerHopper(Instruction i, Modifiers m, string name)
    {
        switch (name)
        {
            case "mbarrier":
                MbarrierOperation(i, m);
                break;
            case "wgmma":
                WarpgroupOperation(i, m);
                break;
            case "setmaxnreg":
                RegisterDemand(i, m);
                break;
            case "elect":
                Election(i, m);
                break;
            case "mapa" or "getctarank":
                ClusterAddress(i, m, name);
                break;
            case "griddepcontrol":
                string control = m.TakeOne("wait", "launch_dependents") ?? throw i.Source.Error("the instruction is not supported");
                Operands(i, 0);
                i.Class = InstructionClass.Barrier;
                i.Leader = true;
                i.Run = control == "wait" ? &GridDependency.Wait : &GridDependency.LetGo;
                break;
            case "fence" when m.Take("mbarrier_init"):
                m.Ignore("release", "cluster");
                Operands(i, 0);
                i.Class = InstructionClass.Barrier;
                i.Run = &MbarrierFunctions.FenceMaking;
                break;
            case "fence" when m.Take("proxy"):
                if (!m.Take("async")) throw i.Source.Error("the fence is not supported");
                m.Ignore("global", "shared::cta", "shared::cluster");
                Operands(i, 0);
                i.Class = InstructionClass.Barrier;
                i.Run = &MbarrierFunctions.FenceProxy;
                break;
            case "prefetch" when m.Take("tensormap"):
                m.Ignore("param");
                Operands(i, 1);
                i.Class = InstructionClass.BulkCopy;
                i.A = TensorMapRow(i, Operand(i, 0), []);
                i.Run = &BulkCopies.Prefetch;
                break;
            default:
                return false;
        }
        if (module.Target < Hopper) throw i.Source.Error("the instruction needs target sm_90");
        return true;
    }

    private void MbarrierOperation(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.Barrier;
        Expect(i, m, DataType.B64);
        string? space = m.TakeOne("shared", "shared::cta", "shared::cluster");
        i.Space = space is null ? StateSpace.Generic : StateSpace.Shared;
        string? kind = m.TakeOne("init", "inval", "arrive", "try_wait", "test_wait");
        bool expects = m.Take("expect_tx"), parity = m.Take("parity");
        bool waits = kind is "try_wait" or "test_wait";
        if (kind is null && !expects || expects && kind is not (null or "arrive") || parity && !waits)
            throw i.Source.Error("the instruction is not supported");
        if (kind is not ("init" or "inval")) m.Ignore(waits ? "acquire" : kind is null ? "relaxed" : "release", "cta", "cluster");
        bool result = waits || kind == "arrive";
        int at = result ? 1 : 0, count = i.Source.Operands.Length;
        bool alone = kind is "inval" || kind is "arrive" && !expects;
        Operands(i, at + (alone ? 1 : 2), at + (kind is "inval" ? 1 : kind == "try_wait" ? 3 : 2));
        i.A = AddressRow(i, Operand(i, at), i.Space, out i.Offset);
        if (count > at + 1) i.B = Source(i, Operand(i, at + 1), waits && !parity ? 8 : 4);
        if (waits)
        {
            // The hint how long to sleep at most changes nothing.
            if (count > at + 2) Source(i, Operand(i, at + 2), 4);
            i.D = PredicateResult(i, (Operand(i, 0) as RegisterOperand)?.Register ?? throw i.Source.Error("the result is no predicate"));
            i.Mode |= (parity ? MbarrierFunctions.Parity : 0) | (kind == "try_wait" ? MbarrierFunctions.Sleeps : 0);
            i.Leader = true;
            i.Run = &MbarrierFunctions.Wait;
            return;
        }
        i.ReachesCluster = kind is not ("init" or "inval") && space is null or "shared::cluster";
        if (result) i.D = Result(i, Operand(i, 0), 8);
        if (space == "shared::cluster" && i.D >= 0) throw i.Source.Error("an arrival at another block's mbarrier gives no state");
        if (kind == "arrive") i.Mode |= MbarrierFunctions.Arrives;
        if (expects) i.Mode |= MbarrierFunctions.Expects;
        i.Run = kind switch
        {
            "init" => &MbarrierFunctions.Make,
            "inval" => &MbarrierFunctions.Unmake,
            _ => &MbarrierFunctions.Arrive,
        };
    }

    private void WarpgroupOperation(Instruction i, Modifiers m)
    {
        if (!module.TargetIsExact) throw i.Source.Error("the instruction needs target sm_90a");
        i.Leader = true;
        i.Class = InstructionClass.Barrier;
        if (m.Take("mma_async"))
        {
            WarpgroupProduct(i, m);
            return;
        }
        string? kind = m.TakeOne("fence", "commit_group", "wait_group");
        if (kind is null || !m.Take("sync") || !m.Take("aligned")) throw i.Source.Error("the instruction is not supported");
        Operands(i, kind == "wait_group" ? 1 : 0);
        if (kind == "wait_group") i.Offset = Immediate(i, Operand(i, 0), 7);
        i.Run = kind switch
        {
            "fence" => &WarpgroupProducts.Fence,
            "commit_group" => &WarpgroupProducts.Commit,
            _ => &WarpgroupProducts.Wait,
        };
    }

    private void WarpgroupProduct(Instruction i, Modifiers m)
    {
        i.Class = InstructionClass.WarpgroupTensor;
        DataType b = m.Type(), a = m.Type(), d = m.Type();
        string shape = i.Source.Modifiers.FirstOrDefault(x => x.StartsWith("m64n", StringComparison.Ordinal)) ?? "";
        bool known = m.Take("sync") & m.Take("aligned") & m.Take(shape) & shape.EndsWith("k16", StringComparison.Ordinal);
        if (!known || a != b || a is not (DataType.BF16 or DataType.F16) || d != DataType.F32
            || !int.TryParse(shape.AsSpan(4, shape.Length - 7), out int columns) || columns is < 8 or > 256 || columns % 8 != 0)
            throw i.Source.Error("the shape or the types of the product are not supported");
        i.Width = columns;
        bool fragment = Operand(i, 1) is VectorOperand;
        Operands(i, fragment ? 7 : 8);
        i.Rows = Fragment(i, Operand(i, 0), columns / 2, result: true);
        i.ProductWrites = Numbers(Operand(i, 0));
        if (fragment)
        {
            i.Rows = [.. i.Rows, .. Fragment(i, Operand(i, 1), 4, result: false)];
            i.ProductReads = Numbers(Operand(i, 1));
        }
        else i.A = Source(i, Operand(i, 1), 8);
        i.B = Source(i, Operand(i, 2), 8);
        i.C = Predicate(i, Operand(i, 3), out bool negated);
        if (negated) throw i.Source.Error("a negated predicate is not supported here");
        i.Mode = (a == DataType.F16 ? WarpgroupProducts.Float16 : 0)
            | (Sign(i, 4) ? WarpgroupProducts.NegateLeft : 0) | (Sign(i, 5) ? WarpgroupProducts.NegateRight : 0)
            | (!fragment && Immediate(i, Operand(i, 6), 1) == 1 ? WarpgroupProducts.TransposeLeft : 0)
            | (Immediate(i, Operand(i, fragment ? 6 : 7), 1) == 1 ? WarpgroupProducts.TransposeRight : 0);
        i.Run = &WarpgroupProducts.Issue;
    }

    private static int[] Numbers(PtxOperand vector) =>
        [.. ((VectorOperand)vector).Items.OfType<RegisterOperand>().Select(r => r.Register.Index)];

    /// <summary>Whether an operand that is 1 or −1 is −1.</summary>
    private static bool Sign(Instruction i, int n) => Operand(i, n) is ImmediateOperand { Bits: 1 or ulong.MaxValue } sign
        ? sign.Bits != 1 : throw i.Source.Error($"operand {Operand(i, n)} must be 1 or -1");

    private void RegisterDemand(Instruction i, Modifiers m)
    {
        if (!module.TargetIsExact) throw i.Source.Error("the instruction needs target sm_90a");
        Expect(i, m, DataType.U32);
        string? kind = m.TakeOne("inc", "dec");
        if (kind is null || !m.Take("sync") || !m.Take("aligned")) throw i.Source.Error("the instruction is not supported");
        Operands(i, 1);
        i.Offset = Immediate(i, Operand(i, 0), 256);
        if (i.Offset < 24 || i.Offset % 8 != 0) throw i.Source.Error("a thread has 24 to 256 registers, a multiple of 8");
        i.Class = InstructionClass.Barrier;
        i.Leader = true;
        i.Run = kind == "inc" ? &RegisterDemands.Take : &RegisterDemands.Give;
    }

    private void Election(Instruction i, Modifiers m)
    {
        if (!m.Take("sync")) throw i.Source.Error("the instruction is not supported");
        Operands(i, 2);
        i.Class = InstructionClass.Shuffle;
        if (Operand(i, 0) is not PairOperand pair) throw i.Source.Error("the instruction gives a lane and a predicate");
        i.D = Result(i, pair.First is null ? new SinkOperand() : new RegisterOperand(pair.First), 4);
        i.Second = PredicateResult(i, pair.Second);
        i.Rows = [Source(i, Operand(i, 1), 4)];
        i.Leader = true;
        i.Run = &ShuffleFunctions.Elect;
    }

    /// <summary>Marks the instructions that use registers of products.</summary>
    private static void MarkProductRegisters(Instruction[] code)
    {
        HashSet<int> products = [.. code.SelectMany(i => i.ProductReads.Concat(i.ProductWrites))];
        if (products.Count == 0) return;
        foreach (Instruction i in code)
        {
            if (i.Class == InstructionClass.WarpgroupTensor) continue;
            RegisterUse use = RegisterUse.Of(i.Source);
            i.ProductReads = [.. use.Reads.Select(r => r.Index).Where(products.Contains)];
            i.ProductWrites = [.. use.Writes.Select(r => r.Index).Where(products.Contains)];
            i.UsesProducts = i.ProductReads.Length + i.ProductWrites.Length > 0;
        }
    }
}
