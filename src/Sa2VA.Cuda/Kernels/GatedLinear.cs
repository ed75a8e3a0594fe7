using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class GatedLinearKernel(GatedLinear op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _linear = context.Function("gated_linear", "gated_linear");
    private readonly DeviceMatrix _weight = context.Matrix(op, op.Weight);

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Weight = new View(_weight),
            Y = c.View(op.Output),
        };
        _linear!.Launch(c.Stream, ProductTile.GridOf(arguments.X.Rows, _weight.Rows / 2), ProductTile.Threads, 0, arguments);
    }

    /// <summary>GatedLinearArguments of <c>kernels/gated_linear.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Y;
    }
}
