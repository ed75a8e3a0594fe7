using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class ConvTranspose2dKernel(ConvTranspose2d op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _convTranspose2d = context.Function("conv_transpose2d", "conv_transpose2d");
    private readonly DeviceMatrix _weight = context.Matrix(op, op.Weight, WeightLayout.Transposed2x2);
    private readonly ulong _bias = context.Vector(op.Bias);

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(op.Inputs[0]),
            Weight = new View(_weight),
            Residual = c.View(op.Residual),
            Y = c.View(op.Output),
            Bias = _bias,
            Width = op.Inputs[0].Shape[-2],
        };
        _convTranspose2d!.Launch(c.Stream, ProductTile.GridOf(arguments.X.Rows, _weight.Rows), ProductTile.Threads, 0, arguments);
    }

    /// <summary>ConvTranspose2dArguments of <c>kernels/conv_transpose2d.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Residual, Y;
        public ulong Bias;
        public int Width;
    }
}
