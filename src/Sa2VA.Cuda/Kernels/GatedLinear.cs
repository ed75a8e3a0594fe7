using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class GatedLinearKernel : Kernel
{
    private static readonly ProductFamily Family = new("gated_linear",
        [TensorTile.Wide, TensorTile.Square, TensorTile.Small, TensorTile.Flat64, TensorTile.Flat32], SkinnyTile.Wide, SkinnyTile.Middle,
        SkinnyTile.WideInt8, SkinnyTile.WideInt4) { HopperTiles = HopperTile.Pairs };

    private readonly GatedLinear _op;
    private readonly ProductKernels _product;

    public GatedLinearKernel(GatedLinear op, PlanContext context)
    {
        _op = op;
        _product = new ProductKernels(context, op, Family, op.Inputs[0].Shape.Rows, context.MatrixOrCodes(op, op.Weight),
            weightRowsEach: 2);
    }

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = _product.Weight(c),
            Y = c.View(_op.Output),
        };
        _product.Launch(c.Stream, arguments.X, arguments.Weight, arguments);
    }

    /// <summary>GatedLinearArguments of <c>kernels/common/gated_linear.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Y;
    }
}
