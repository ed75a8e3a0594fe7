using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class CopyKernel(Copy op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _copy = context.Function("copy", "copy");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Y = c.View(op.Output),
            Share = share,
        };
        _copy!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>CopyArguments of <c>kernels/copy.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Share Share;
    }
}
