using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class LinearKernel : Kernel
{
    private static readonly ProductFamily Family = new("linear",
        [TensorTile.Wide, TensorTile.Square, TensorTile.Small, TensorTile.Flat64, TensorTile.Flat32, TensorTile.Flat16],
        SkinnyTile.Wide, SkinnyTile.Middle, SkinnyTile.Narrow, SkinnyTile.WideInt8, SkinnyTile.NarrowInt8, SkinnyTile.WideInt4,
        SkinnyTile.NarrowInt4) { HasFewRows = true, HopperTiles = HopperTile.All };

    private readonly Linear _op;
    private readonly ulong _bias, _scale;
    private readonly ProductKernels _product;

    public LinearKernel(Linear op, PlanContext context)
    {
        (_op, _bias, _scale) = (op, context.Vector(op.Bias), context.Vector(op.Scale));
        _product = new ProductKernels(context, op, Family, op.Inputs[0].Shape.Rows, context.MatrixOrCodes(op, op.Weight));
    }

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = _product.Weight(c),
            Residual = c.View(_op.Residual),
            Y = c.View(_op.Output),
            Bias = _bias,
            Scale = _scale,
            Activation = _op.Activation,
        };
        _product.Launch(c.Stream, arguments.X, arguments.Weight, arguments);
    }

    /// <summary>LinearArguments of <c>kernels/common/linear.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Residual, Y;
        public ulong Bias, Scale;
        public Activation Activation;
    }
}
