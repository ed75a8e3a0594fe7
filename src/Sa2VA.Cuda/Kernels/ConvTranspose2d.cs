using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class ConvTranspose2dKernel : Kernel
{
    private readonly ConvTranspose2d _op;
    private readonly DeviceMatrix _weight;
    private readonly ulong _bias;
    private readonly ProductKernels _product;

    public ConvTranspose2dKernel(ConvTranspose2d op, PlanContext context)
    {
        (_op, _weight, _bias) = (op, context.Matrix(op, op.Weight, WeightLayout.Transposed2x2), context.Vector(op.Bias));
        _product = new ProductKernels(context, op, new("conv_transpose2d", [TensorTile.Middle]), op.Inputs[0].Shape.Rows, _weight);
    }

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = new View(_weight),
            Residual = c.View(_op.Residual),
            Y = c.View(_op.Output),
            Bias = _bias,
            Width = _op.Inputs[0].Shape[-2],
        };
        _product.Launch(c.Stream, ProductKernels.IsInChunks(arguments.X), arguments);
    }

    /// <summary>ConvTranspose2dArguments of <c>kernels/common/conv_transpose2d.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Residual, Y;
        public ulong Bias;
        public int Width;
    }
}
