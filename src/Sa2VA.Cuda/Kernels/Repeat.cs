using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class RepeatKernel(Repeat op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _repeat = context.Function("repeat", "repeat");

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
        _repeat!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>RepeatArguments of <c>kernels/repeat.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Share Share;
    }
}
