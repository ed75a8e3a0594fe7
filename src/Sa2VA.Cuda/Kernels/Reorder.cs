using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class ReorderKernel(Reorder op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _reorder = context.Function("reorder", "reorder");

    public override void Launch(LaunchContext c)
    {
        Tensor y = op.Output;
        Tensor ordered = y.IsZOrdered ? y : op.Inputs[0];
        View from = c.View(op.Inputs[0]), to = c.View(y);
        int rowBytes = y.Shape.Last * y.Type.Size();
        ulong places = (uint)rowBytes | from.Data | to.Data;
        int unit = places % 16 == 0 ? 16 : places % 4 == 0 ? 4 : 2;
        (Share share, Grid grid) = Share.Of(y.Shape.Rows, rowBytes / unit);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = from,
            Y = to,
            Share = share,
            Unit = unit,
            Units = rowBytes / unit,
            ToZOrder = y.IsZOrdered ? 1 : 0,
            Order = new MapOrder(ordered.Shape),
        };
        _reorder!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>ReorderArguments of <c>kernels/reorder.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Share Share;
        public int Unit, Units, ToZOrder;
        public MapOrder Order;
    }
}
