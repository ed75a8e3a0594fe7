using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class PixelShuffleKernel(PixelShuffle op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _shuffle = context.Function("pixel_shuffle", "pixel_shuffle");

    public override void Launch(LaunchContext c)
    {
        Shape map = op.Inputs[0].Shape;
        (Share share, Grid grid) = Share.Of(op.Inputs[0]);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Y = c.View(op.Output),
            Share = share,
            Height = map[0],
            Width = map[1],
            Transposed = op.Transposed ? 1 : 0,
        };
        _shuffle!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>PixelShuffleArguments of <c>kernels/pixel_shuffle.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Share Share;
        public int Height, Width, Transposed;
    }
}
