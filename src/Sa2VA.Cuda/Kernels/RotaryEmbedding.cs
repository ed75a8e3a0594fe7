using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class RotaryEmbeddingKernel(RotaryEmbedding op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _rotary = context.Function("rotary_embedding", "rotary_embedding");
    private readonly RowIndexCheck? _check = op.Positions is null ? null
        : RowIndexCheck.For(context, op, op.Positions, op.Inputs[1], -1, "rows of the table");

    public override void Launch(LaunchContext c)
    {
        Tensor x = op.Inputs[0];
        (Share share, Grid grid) = Share.Of(x.Shape.Rows, x.Shape.Last / 2);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(x),
            Cos = c.View(op.Inputs[1]),
            Sin = c.View(op.Inputs[2]),
            Positions = c.View(op.Positions),
            Y = c.View(op.Output),
            Share = share,
            Heads = op.Heads,
            Pairing = op.Pairing,
        };
        _check?.Launch(c, arguments.Positions, arguments.Cos);
        _rotary!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>RotaryEmbeddingArguments of <c>kernels/rotary_embedding.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Cos, Sin, Positions, Y;
        public Share Share;
        public int Heads;
        public RotaryPairing Pairing;
    }
}
