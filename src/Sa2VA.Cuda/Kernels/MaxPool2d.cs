using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class MaxPool2dKernel(MaxPool2d op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _pool = context.Function("max_pool2d", "max_pool2d");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Y = c.View(op.Output),
            Share = share,
            InWidth = op.Inputs[0].Shape[1],
            Width = op.Output.Shape[1],
            IsZOrdered = op.Output.IsZOrdered ? 1 : 0,
        };
        _pool!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>MaxPool2dArguments of <c>kernels/max_pool2d.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Share Share;
        public int InWidth, Width, IsZOrdered;
    }
}
