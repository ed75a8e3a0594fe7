using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class GatedLinearKernel : Kernel
{
    private static readonly ProductFamily Family = new("gated_linear",
        [TensorTile.Wide, TensorTile.Square, TensorTile.Small, TensorTile.Flat64, TensorTile.Flat32], SkinnyTile.Wide, SkinnyTile.Middle);

    private readonly GatedLinear _op;
    private readonly DeviceMatrix _weight;
    private readonly ProductKernels _product;

    public GatedLinearKernel(GatedLinear op, PlanContext context)
    {
        (_op, _weight) = (op, context.Matrix(op, op.Weight));
        _product = new ProductKernels(context, op, Family, op.Inputs[0].Shape.Rows, _weight, weightRowsEach: 2);
    }

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = new View(_weight),
            Y = c.View(_op.Output),
        };
        _product.Launch(c.Stream, ProductKernels.IsInChunks(arguments.X), arguments);
    }

    /// <summary>GatedLinearArguments of <c>kernels/common/gated_linear.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Y;
    }
}
