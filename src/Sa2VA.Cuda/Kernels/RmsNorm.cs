using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class RmsNormKernel(RmsNorm op, PlanContext context) : Kernel
{
    private readonly RowTeam _norm = new(context, "rms_norm", op.Inputs[0], RowTeam.HeldByWarp);
    private readonly ulong _weight = context.Vector(op.Weight);

    public override void Launch(LaunchContext c) => _norm.Launch(c, new Arguments
    {
        Run = c.Run,
        X = c.View(op.Inputs[0]),
        Y = c.View(op.Output),
        Residual = c.View(op.Residual),
        Sum = c.View(op.Besides.FirstOrDefault()),
        Weight = _weight,
        Epsilon = op.Epsilon,
    });

    /// <summary>RmsNormArguments of <c>kernels/rms_norm.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y, Residual, Sum;
        public ulong Weight;
        public float Epsilon;
    }
}
