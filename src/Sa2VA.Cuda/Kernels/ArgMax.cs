using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class ArgMaxKernel(ArgMax op, PlanContext context) : Kernel
{
    private readonly RowTeam _argMax = new(context, "arg_max", op.Inputs[0]);

    public override void Launch(LaunchContext c) => _argMax.Launch(c, new Arguments
    {
        Run = c.Run,
        X = c.View(op.Inputs[0]),
        Y = c.View(op.Output),
    });

    /// <summary>ArgMaxArguments of <c>kernels/arg_max.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
    }
}
