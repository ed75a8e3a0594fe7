using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class ResizeKernel : Kernel
{
    private readonly Resize _op;
    private readonly CudaFunction? _resize;
    private readonly Taps _across, _down;

    public ResizeKernel(Resize op, PlanContext context)
    {
        Shape from = op.Inputs[0].Shape, to = op.Output.Shape;
        (_op, _resize) = (op, context.Function("resize", "resize"));
        _across = Taps.Create(context, from[-2], to[-2], op.Mode);
        _down = Taps.Create(context, from[-3], to[-3], op.Mode);
    }

    public override void Launch(LaunchContext c)
    {
        Shape from = _op.Inputs[0].Shape, to = _op.Output.Shape;
        (Share share, Grid grid) = Share.Of(_op.Output);
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Y = c.View(_op.Output),
            Share = share,
            Across = _across,
            Down = _down,
            InHeight = from[-3],
            InWidth = from[-2],
            Height = to[-3],
            Width = to[-2],
        };
        _resize!.Launch(c.Stream, grid, Share.Threads, 0, arguments);
    }

    /// <summary>ResizeArguments of <c>kernels/resize.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Y;
        public Share Share;
        public Taps Across, Down;
        public int InHeight, InWidth, Height, Width;
    }
}
