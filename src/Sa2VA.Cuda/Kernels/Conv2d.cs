using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class Conv2dKernel : Kernel
{
    private readonly Conv2d _op;
    private readonly DeviceMatrix _weight;
    private readonly ulong _bias;
    private readonly ProductKernels _product;

    public Conv2dKernel(Conv2d op, PlanContext context)
    {
        (_op, _weight, _bias) = (op, context.Matrix(op, op.Weight, WeightLayout.ChannelsLast), context.Vector(op.Bias));
        _product = new ProductKernels(context, op, new("conv2d", [TensorTile.Small]), op.Output.Shape.Rows, _weight);
    }

    public override void Launch(LaunchContext c)
    {
        (Shape x, Shape y) = (_op.Inputs[0].Shape, _op.Output.Shape);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = new View(_weight),
            Y = c.View(_op.Output),
            Bias = _bias,
            Height = x[-3],
            Width = x[-2],
            OutHeight = y[-3],
            OutWidth = y[-2],
            Kernel = _op.Kernel,
            Stride = _op.Stride,
            Padding = _op.Padding,
        };
        _product.Launch(c.Stream, ProductKernels.IsInChunks(arguments.X), arguments);
    }

    /// <summary>Conv2dArguments of <c>kernels/common/conv2d.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Y;
        public ulong Bias;
        public int Height, Width, OutHeight, OutWidth, Kernel, Stride, Padding;
    }
}
