using Sa2VA.VirtualGpu.Counters;
using Sa2VA.VirtualGpu.Execution;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Lowering;

/// <summary>What blocks of a cluster do with each other.</summary>
internal sealed unsafe partial class KernelLowering
{
    private void ClusterBarrier(Instruction i, Modifiers m)
    {
        if (module.Target < Hopper || i.Source.Name != "barrier") throw i.Source.Error("barrier.cluster needs target sm_90");
        string? kind = m.TakeOne("arrive", "wait");
        if (kind is null) throw i.Source.Error("the instruction is not supported");
        if (kind == "arrive" && m.TakeOne("release", "relaxed") == "relaxed") i.Mode = ClusterFunctions.Relaxed;
        m.Ignore("aligned");
        if (kind == "wait") m.Ignore("acquire");
        Operands(i, 0);
        i.Run = kind == "arrive" ? &ClusterFunctions.Arrive : &ClusterFunctions.Wait;
    }

    private void ClusterAddress(Instruction i, Modifiers m, string name)
    {
        DataType type = m.Type();
        bool shared = m.Take("shared::cluster"), maps = name == "mapa";
        if (type is not (DataType.U32 or DataType.U64) || !maps && type != DataType.U32)
            throw i.Source.Error("the instruction is not supported");
        i.Space = shared ? StateSpace.Shared : StateSpace.Generic;
        // Generic addresses have 64 bits, whatever becomes of them.
        i.Width = !maps && !shared ? 8 : type.Bytes;
        if (!shared && i.Width != 8) throw i.Source.Error("generic addresses have 64 bits");
        Operands(i, maps ? 3 : 2);
        i.Class = InstructionClass.Integer;
        i.D = Destination(i, Operand(i, 0), type.Bytes);
        i.A = Source(i, Operand(i, 1), i.Width);
        if (maps) i.B = Source(i, Operand(i, 2), 4);
        i.Run = maps ? &ClusterFunctions.Map : &ClusterFunctions.RankOf;
    }
}
