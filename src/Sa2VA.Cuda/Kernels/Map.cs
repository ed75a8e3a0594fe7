using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class MapKernel(Map op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _map = context.Function("map", "map");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Y = c.View(op.Output),
            Share = share,
            Function = op.Function,
            Scale = op.Scale,
            Shift = op.Shift,
        };
        _map!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>MapArguments of <c>kernels/map.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Share Share;
        public Activation Function;
        public float Scale, Shift;
    }
}
