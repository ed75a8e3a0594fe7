using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class WriteRowsKernel(WriteRows op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _write = context.Function("write_rows", "write_rows");
    private readonly RowIndexCheck? _check = RowIndexCheck.For(context, op, op.Rows, op.Inputs[1], -1, "rows of the state");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Inputs[0]);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Rows = c.View(op.Rows),
            State = c.View(op.Inputs[1]),
            Share = share,
        };
        _check?.Launch(c, arguments.Rows, arguments.State);
        _write!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>WriteRowsArguments of <c>kernels/write_rows.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Rows, State;
        public Share Share;
    }
}
