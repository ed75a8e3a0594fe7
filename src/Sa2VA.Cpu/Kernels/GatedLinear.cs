using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>The GEMM of gate and up, of which only silu(gate)·up is stored.</summary>
internal sealed unsafe class GatedLinearKernel(GatedLinear op, KernelContext context)
    : GemmKernel(op, context.Packed(op, op.Weight, WeightLayout.Paired), context)
{
    protected override void Run<T>(int part) => Multiply<T, GatedEpilogue>(part, new(MatrixRows.Of(Out), Out.Columns));
}
