using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>Bulk copies between global and shared memory.</summary>
internal sealed unsafe partial class KernelLowering
{
    /// <summary>
    /// cp.async.bulk behind these words: from global to shared memory, the bytes told to an mbarrier; or the other way, in groups.
    /// </summary>
    private void BulkCopy(Instruction i, Modifiers m)
    {
        if (module.Target < Hopper) throw i.Source.Error("the instruction needs target sm_90");
        i.Class = InstructionClass.BulkCopy;
        if (m.TakeOne("commit_group", "wait_group") is { } kind)
        {
            Operands(i, kind == "commit_group" ? 0 : 1);
            if (kind == "wait_group") i.Offset = Immediate(i, Operand(i, 0), 1 << 20);
            i.Run = kind == "commit_group" ? &BulkStores.Commit : m.Take("read") ? &BulkStores.WaitForReads : &BulkStores.Wait;
            return;
        }
        bool isStore = m.Take("bulk_group");
        bool tensor = m.Take("tensor");
        string? rank = tensor ? m.TakeOne("1d", "2d", "3d", "4d", "5d") : null;
        m.Ignore("tile");
        string? shared = m.TakeOne("shared::cluster", "shared::cta");
        if (shared is null || isStore && shared == "shared::cluster" || !m.Take("global") || tensor && rank is null
            || !isStore && !m.Take("mbarrier::complete_tx::bytes"))
            throw i.Source.Error("the copy is not supported");
        i.Space = StateSpace.Shared;
        if (isStore)
        {
            Operands(i, CacheHint(i, m, tensor ? 2 : 3));
            i.Touch = GlobalTouch.Write;
            if (tensor) TensorPlace(i, Operand(i, 0), rank!);
            else WholePlace(i, Operand(i, 0));
            i.Mode = 0;
            i.A = AddressRow(i, Operand(i, 1), StateSpace.Shared, out i.Offset);
            i.Run = tensor ? &BulkStores.Tensor : &BulkStores.Plain;
            return;
        }
        int operands = tensor ? 3 : 4;
        bool multicast = m.Take("multicast::cluster");
        if (multicast) i.Second = Source(i, Operand(i, operands++), 2);
        i.ReachesCluster = shared == "shared::cluster";
        Operands(i, CacheHint(i, m, operands));
        i.C = AddressRow(i, Operand(i, tensor ? 2 : 3), StateSpace.Shared, out i.SourceOffset);
        int wide = i.Mode == MemoryAccess.WideAddress ? BulkCopies.WideBarrier : 0;
        if (tensor) TensorPlace(i, Operand(i, 1), rank!);
        else WholePlace(i, Operand(i, 1));
        i.Mode = 0;
        i.A = AddressRow(i, Operand(i, 0), StateSpace.Shared, out i.Offset);
        i.Mode |= wide | (multicast ? BulkCopies.Multicast : 0);
        i.Run = tensor ? &BulkCopies.Tensor : &BulkCopies.Plain;
    }

    /// <summary>A tensor and the coordinates of a box.</summary>
    private void TensorPlace(Instruction i, PtxOperand tensor, string rank)
    {
        if (tensor is not AddressOperand { Coordinates: { } at }) throw i.Source.Error("the tensor has no coordinates");
        if (at.Items.Length != rank[0] - '0') throw i.Source.Error($"operand {at} must have {rank[0]} coordinates");
        i.B = TensorMapRow(i, tensor, at.Items);
        i.Rows = [.. at.Items.Select(x => Source(i, x, 4))];
    }

    /// <summary>An address in global memory; how many bytes is the third operand.</summary>
    private void WholePlace(Instruction i, PtxOperand place)
    {
        i.B = AddressRow(i, place, StateSpace.Global, out long offset);
        if (offset != 0) throw i.Source.Error("an offset in global memory is not supported");
        i.Rows = [Source(i, Operand(i, 2), 4)];
    }

    /// <summary>The row of a tensor map's address.</summary>
    private int TensorMapRow(Instruction i, PtxOperand operand, PtxOperand[] at)
    {
        if (operand is not AddressOperand { Register: { } r, Offset: 0 } address || (at.Length == 0) != address.Coordinates is null)
            throw i.Source.Error($"operand {operand} is no tensor map");
        CheckWidth(i, r, 8);
        return rows.Offset(r);
    }
}
