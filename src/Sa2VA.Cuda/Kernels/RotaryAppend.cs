using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class RotaryAppendKernel(RotaryAppend op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _append = context.Function("rotary_append", "rotary_append");
    private readonly RowIndexCheck? _positions = RowIndexCheck.For(context, op, op.Positions, op.Cos, -1, "rows of the table");
    private readonly RowIndexCheck? _rows = RowIndexCheck.For(context, op, op.Rows, op.Keys, -1, "rows of the state");

    public override void Launch(LaunchContext c)
    {
        // A decode step has few rows, and waits for each trip to memory.
        (Share share, Grid grid) = Share.Of(op.Q.Shape.Rows, (op.Q.Shape.Last + op.K.Shape.Last) / 2 + op.V.Shape.Last, elementsEach: 1);
        var arguments = new Arguments
        {
            Run = c.Run,
            Q = c.View(op.Q),
            K = c.View(op.K),
            V = c.View(op.V),
            Cos = c.View(op.Cos),
            Sin = c.View(op.Sin),
            Positions = c.View(op.Positions),
            Rows = c.View(op.Rows),
            Y = c.View(op.Output),
            Keys = c.View(op.Keys),
            Values = c.View(op.Values),
            Share = share,
            Pairing = op.Pairing,
        };
        _positions?.Launch(c, arguments.Positions, arguments.Cos);
        _rows?.Launch(c, arguments.Rows, arguments.Keys);
        _append!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>RotaryAppendArguments of <c>kernels/rotary_append.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Q, K, V, Cos, Sin, Positions, Rows, Y, Keys, Values;
        public Share Share;
        public RotaryPairing Pairing;
    }
}
