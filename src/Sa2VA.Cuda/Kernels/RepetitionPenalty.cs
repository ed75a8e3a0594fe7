using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class RepetitionPenaltyKernel(RepetitionPenalty op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _penalise = context.Function("repetition_penalty", "repetition_penalty");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        _penalise!.Launch(c.Stream, grid, Share.Threads, 0, new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Held = c.View(op.Inputs[1]),
            Penalties = c.View(op.Inputs[2]),
            Y = c.View(op.Output),
            Share = share,
        });
    }

    /// <summary>RepetitionPenaltyArguments of <c>kernels/repetition_penalty.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Held, Penalties, Y;
        public Share Share;
    }
}
