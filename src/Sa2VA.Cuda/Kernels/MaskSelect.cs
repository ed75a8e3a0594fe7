using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class MaskSelectKernel(MaskSelect op, PlanContext context) : Kernel
{
    private const int Threads = 256;

    private readonly CudaFunction? _select = context.Function("mask_select", "mask_select");

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            Ious = c.View(op.Inputs[0]),
            Masks = c.View(op.Masks),
            Y = c.View(op.Output),
        };
        _select!.Launch(c.Stream, new Grid(op.Inputs[0].Shape.Rows), Threads, 0, arguments);
    }

    /// <summary>MaskSelectArguments of <c>kernels/mask_select.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Ious, Masks, Y;
    }
}
