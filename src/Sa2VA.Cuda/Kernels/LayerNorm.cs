using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class LayerNormKernel(LayerNorm op, PlanContext context) : Kernel
{
    private readonly RowTeam _norm =
        new(context, "layer_norm", op.Inputs[0], RowTeam.HeldByWarp, RowTeam.HeldByShort, RowTeam.HeldByLanes);

    private readonly ulong _weight = context.Vector(op.Weight), _bias = context.Vector(op.Bias);

    public override void Launch(LaunchContext c) => _norm.Launch(c, new Arguments
    {
        Run = c.Run,
        X = c.View(op.Inputs[0]),
        Y = c.View(op.Output),
        Residual = c.View(op.Residual),
        Sum = c.View(op.Besides.FirstOrDefault()),
        Weight = _weight,
        Bias = _bias,
        Epsilon = op.Epsilon,
        Activation = op.Activation,
    });

    /// <summary>LayerNormArguments of <c>kernels/layer_norm.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y, Residual, Sum;
        public ulong Weight, Bias;
        public float Epsilon;
        public Activation Activation;
    }
}
