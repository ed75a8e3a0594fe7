using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class PatchRowsKernel(PatchRows op, PlanContext context) : Kernel
{
    // As in the kernel: numbers of a part, and parts of a block.
    private const int Threads = 256, PartSize = 8, PartsOfBlock = 2 * Threads;

    private readonly CudaFunction? _rows = context.Function("patch_rows", "patch_rows");

    public override void Launch(LaunchContext c)
    {
        (Shape x, Shape y) = (op.Inputs[0].Shape, op.Output.Shape);
        var arguments = new Arguments
        {
            Run = c.Run,
            Image = c.View(op.Inputs[0]),
            Table = c.View(op.Inputs[1]),
            Y = c.View(op.Output),
            Height = x[-3],
            Width = x[-2],
            OutHeight = y[-3],
            OutWidth = y[-2],
            Kernel = op.Kernel,
            Stride = op.Stride,
            Padding = op.Padding,
            IsZOrdered = op.Output.IsZOrdered ? 1 : 0,
            Order = new MapOrder(y),
        };
        _rows!.Launch(c.Stream, Grid.Over(checked((int)(y.Count / PartSize)), PartsOfBlock), Threads, 0, arguments);
    }

    /// <summary>PatchRowsArguments of <c>kernels/patch_rows.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Image, Table, Y;
        public int Height, Width, OutHeight, OutWidth, Kernel, Stride, Padding, IsZOrdered;
        public MapOrder Order;
    }
}
