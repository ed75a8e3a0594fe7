using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class MatMulKernel(MatMul op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _matMul = context.Function("mat_mul", "mat_mul");

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            A = c.View(op.Inputs[0]),
            B = c.View(op.Inputs[1]),
            Y = c.View(op.Output),
        };
        arguments.ARows = arguments.A.Rows / op.Count;
        arguments.BRows = arguments.B.Rows / op.Count;
        Grid one = ProductTile.Block.GridOf(arguments.ARows, arguments.BRows);
        _matMul!.Launch(c.Stream, one with { X = one.X * op.Count }, ProductTile.Block.Threads, 0, arguments);
    }

    /// <summary>MatMulArguments of <c>kernels/mat_mul.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View A, B, Y;
        public int ARows, BRows;
    }
}
