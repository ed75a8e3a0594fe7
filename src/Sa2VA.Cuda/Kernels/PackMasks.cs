using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class PackMasksKernel : Kernel
{
    private readonly PackMasks _op;
    private readonly CudaFunction? _masks, _results;
    private readonly Taps _up, _across, _down;

    public PackMasksKernel(PackMasks op, PlanContext context)
    {
        (_op, _masks, _results) = (op, context.Function("pack_masks", "pack_masks"), context.Function("pack_masks", "pack_results"));
        _up = Taps.Create(context, op.LowSide, op.ImageSize, ResizeMode.Bilinear);
        _across = Taps.Create(context, op.ImageSize, op.Width, ResizeMode.Bilinear);
        _down = Taps.Create(context, op.ImageSize, op.Height, ResizeMode.Bilinear);
    }

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            Results = c.View(_op.Inputs[0]),
            Y = c.View(_op.Output),
            Up = _up,
            Across = _across,
            Down = _down,
            LowSide = _op.LowSide,
            Height = _op.Height,
            Width = _op.Width,
            WordsPerRow = _op.WordsPerRow,
            Threshold = PackMasks.Threshold,
        };
        int objects = arguments.Results.Rows;
        // A warp makes a word.
        _masks!.Launch(c.Stream, Grid.Over((long)objects * _op.MaskWords, 256 / 32), 256, 0, arguments);
        _results!.Launch(c.Stream, new Grid(objects), 256, 0, arguments);
    }

    /// <summary>PackMasksArguments of <c>kernels/pack_masks.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View Results, Y;
        public Taps Up, Across, Down;
        public int LowSide, Height, Width, WordsPerRow;
        public float Threshold;
    }
}
