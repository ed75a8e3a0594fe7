using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class PillowResizeKernel : Kernel
{
    // A block's pixels.
    private const int Across = 32, Down = 8;

    private readonly PillowResize _op;
    private readonly CudaFunction? _resize;
    private readonly Axis _across, _down;

    public PillowResizeKernel(PillowResize op, PlanContext context)
    {
        Shape from = op.Inputs[0].Shape, to = op.Output.Shape;
        (_op, _resize) = (op, context.Function("pillow_resize", "pillow_resize"));
        // Where a size stays the same the taps are the pixels themselves.
        _across = Axis.Create(context, from[1], to[1]);
        _down = Axis.Create(context, from[0], to[0]);
    }

    public override void Launch(LaunchContext c)
    {
        Shape to = _op.Output.Shape;
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Y = c.View(_op.Output),
            Across = _across,
            Down = _down,
            InWidth = _op.Inputs[0].Shape[1],
            Height = to[0],
            Width = to[1],
        };
        long tiles = (long)((to[0] + Down - 1) / Down) * ((to[1] + Across - 1) / Across);
        _resize!.Launch(c.Stream, new Grid(tiles), 256, 0, arguments);
    }

    /// <summary>PillowResizeArguments of <c>kernels/pillow_resize.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Axis Across, Down;
        public int InWidth, Height, Width;
    }

    /// <summary>What makes the pixels of one axis: <c>PillowTaps</c> of <c>kernels/pillow_resize.cu</c>, field by field.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Axis
    {
        public ulong First, Count, Weight;
        public int Stride;

        public static Axis Create(PlanContext context, int from, int to)
        {
            var taps = new PillowTaps(from, to);
            return new Axis
            {
                First = context.Table($"Pillow's first {from}→{to}", taps.First),
                Count = context.Table($"Pillow's counts {from}→{to}", taps.Count),
                Weight = context.Table($"Pillow's weights {from}→{to}", taps.Weights),
                Stride = taps.Stride,
            };
        }
    }
}
