using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class CombineKernel(Combine op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _combine = context.Function("combine", "combine");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            A = c.View(op.Inputs[0]),
            B = c.View(op.Inputs[1]),
            Y = c.View(op.Output),
            Share = share,
            Function = op.Function,
        };
        _combine!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>CombineArguments of <c>kernels/combine.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View A, B, Y;
        public Share Share;
        public Combination Function;
    }
}
