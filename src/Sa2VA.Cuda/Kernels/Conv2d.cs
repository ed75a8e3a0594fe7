using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class Conv2dKernel : Kernel
{
    private const int NarrowThreads = 256;

    private readonly Conv2d _op;
    private readonly DeviceMatrix _weight;
    private readonly ulong _bias;
    private readonly ProductKernels _product;
    private readonly CudaFunction? _narrow;

    public Conv2dKernel(Conv2d op, PlanContext context)
    {
        (_op, _weight, _bias) = (op, context.Matrix(op, op.Weight, WeightLayout.ChannelsLast), context.Vector(op.Bias));
        _product = new ProductKernels(context, op, new("conv2d", [TensorTile.Small]), op.Output.Shape.Rows, _weight);
        (int from, int to) = (op.Inputs[0].Shape.Last, op.Output.Shape.Last);
        if (_product.IsOfTensorCores && op.Kernel == 3 && (from, to) is (1, 4) or (4, 16))
            _narrow = context.Function("conv2d_narrow", $"conv2d_narrow_{from}_{to}");
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
        if (_narrow is not null && IsInPixels(arguments.X) && IsInPixels(arguments.Y))
        {
            _narrow.Launch(c.Stream, Grid.Over(arguments.Y.Rows, NarrowThreads), NarrowThreads, 0, arguments);
            return;
        }
        _product.Launch(c.Stream, ProductKernels.IsInChunks(arguments.X), arguments);
    }

    /// <summary>True if four channels of a pixel, where it has them, can be loaded and stored at once.</summary>
    private static bool IsInPixels(in View map) =>
        map.Columns == 1 || map.RowStride % 4 == 0 && map.Data % (4 * (ulong)map.Type.Size()) == 0;

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
