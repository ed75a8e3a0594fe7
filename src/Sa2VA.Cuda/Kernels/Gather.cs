using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class GatherKernel(Gather op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _gather = context.Function("gather", "gather");
    private readonly int _ownRows = op.Inputs[0].Shape.Rank == 3 ? op.Inputs[0].Shape[1] : 0;
    private readonly RowIndexCheck? _check =
        RowIndexCheck.For(context, op, op.Inputs[1], op.Inputs[0], int.MinValue, "rows of the table");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            Table = c.View(op.Inputs[0]),
            Index = c.View(op.Inputs[1]),
            Y = c.View(op.Output),
            Share = share,
            OwnRows = _ownRows,
        };
        View table = arguments.Table;
        if (_ownRows > 0) (table.Rows, table.Length) = (_ownRows, -1);
        _check?.Launch(c, arguments.Index, table);
        _gather!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>GatherArguments of <c>kernels/gather.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Table, Index, Y;
        public Share Share;
        public int OwnRows;
    }
}
