using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class WhereKernel(Where op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _where = context.Function("where", "where");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            Condition = c.View(op.Inputs[0]),
            A = c.View(op.Inputs[1]),
            B = c.View(op.Inputs[2]),
            Y = c.View(op.Output),
            Share = share,
        };
        _where!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>WhereArguments of <c>kernels/where.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Condition, A, B, Y;
        public Share Share;
    }
}
