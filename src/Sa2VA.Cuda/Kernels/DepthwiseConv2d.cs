using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class DepthwiseConv2dKernel(DepthwiseConv2d op, PlanContext context) : Kernel
{
    private const int Threads = 256, PixelsOfThread = 4;

    private readonly CudaFunction? _depthwiseConv2d = context.Function("depthwise_conv2d", "depthwise_conv2d");
    private readonly ulong _weight = context.TapMajor(op.Weight), _bias = context.Vector(op.Bias);

    public override void Launch(LaunchContext c)
    {
        Shape x = op.Inputs[0].Shape;
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Y = c.View(op.Output),
            Weight = _weight,
            Bias = _bias,
            Height = x[-3],
            Width = x[-2],
            Kernel = op.Weight.Shape[2],
        };
        long groups = x.Count / x[-2] * ((x[-2] + PixelsOfThread - 1) / PixelsOfThread);
        _depthwiseConv2d!.Launch(c.Stream, Grid.Over(groups, Threads), Threads, 0, arguments);
    }

    /// <summary>DepthwiseConv2dArguments of <c>kernels/depthwise_conv2d.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public ulong Weight, Bias;
        public int Height, Width, Kernel;
    }
}
