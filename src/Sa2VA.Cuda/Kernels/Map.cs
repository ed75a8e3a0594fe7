using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class MapKernel(Map op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _map = context.Function("map", "map");

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Y = c.View(op.Output),
            Function = op.Function,
            Scale = op.Scale,
            Shift = op.Shift,
        };
        _map!.Launch(c.Stream, Grid.Over(op.Output.Shape.Count, 256), 256, 0, arguments);
    }

    /// <summary>MapArguments of <c>kernels/map.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Activation Function;
        public float Scale, Shift;
    }
}
