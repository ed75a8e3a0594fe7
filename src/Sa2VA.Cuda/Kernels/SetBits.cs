using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class SetBitsKernel(SetBits op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _set = context.Function("set_bits", "set_bits");

    public override void Launch(LaunchContext c)
    {
        (Share share, Grid grid) = Share.Of(op.Output);
        _set!.Launch(c.Stream, grid, Share.Threads, 0, new Arguments
        {
            Run = c.Run,
            Bits = c.View(op.Inputs[0]),
            Index = c.View(op.Inputs[1]),
            Y = c.View(op.Output),
            Share = share,
        });
    }

    /// <summary>SetBitsArguments of <c>kernels/set_bits.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Bits, Index, Y;
        public Share Share;
    }
}
