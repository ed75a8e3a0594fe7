using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class SoftmaxKernel(Softmax op, PlanContext context) : Kernel
{
    private readonly RowTeam _softmax = new(context, "softmax", op.Inputs[0]);

    public override void Launch(LaunchContext c) => _softmax.Launch(c, new Arguments
    {
        Run = c.Run,
        X = c.View(op.Inputs[0]),
        Y = c.View(op.Output),
    });

    /// <summary>SoftmaxArguments of <c>kernels/softmax.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
    }
}
