using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class SampleKernel(Sample op, PlanContext context) : Kernel
{
    private const int Threads = 1024;

    private readonly CudaFunction? _sample = context.Function("sample", "sample");

    public override void Launch(LaunchContext c) => _sample!.Launch(c.Stream, new Grid(op.Inputs[0].Shape.Rows), Threads, 0, new Arguments
    {
        Run = c.Run,
        X = c.View(op.Inputs[0]),
        Choices = c.View(op.Choices),
        Y = c.View(op.Output),
    });

    /// <summary>SampleArguments of <c>kernels/sample.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Choices, Y;
    }
}
