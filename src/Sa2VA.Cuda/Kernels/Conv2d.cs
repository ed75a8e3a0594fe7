using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class Conv2dKernel(Conv2d op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _conv2d = context.Function("conv2d", "conv2d");
    private readonly DeviceMatrix _weight = context.Matrix(op, op.Weight, WeightLayout.ChannelsLast);
    private readonly ulong _bias = context.Vector(op.Bias);

    public override void Launch(LaunchContext c)
    {
        (Shape x, Shape y) = (op.Inputs[0].Shape, op.Output.Shape);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Weight = new View(_weight),
            Y = c.View(op.Output),
            Bias = _bias,
            Height = x[-3],
            Width = x[-2],
            OutHeight = y[-3],
            OutWidth = y[-2],
            Kernel = op.Kernel,
            Stride = op.Stride,
            Padding = op.Padding,
        };
        _conv2d!.Launch(c.Stream, ProductTile.GridOf(arguments.Y.Rows, _weight.Rows), ProductTile.Threads, 0, arguments);
    }

    /// <summary>Conv2dArguments of <c>kernels/conv2d.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Y;
        public ulong Bias;
        public int Height, Width, OutHeight, OutWidth, Kernel, Stride, Padding;
    }
}
