using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class NormalizeKernel(Normalize op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _normalize = context.Function("normalize", "normalize");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            Image = c.View(op.Inputs[0]),
            Table = c.View(op.Inputs[1]),
            Y = c.View(op.Output),
            Share = share,
        };
        _normalize!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>NormalizeArguments of <c>kernels/normalize.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Image, Table, Y;
        public Share Share;
    }
}
