using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

internal sealed class LinearKernel(Linear op, PlanContext context) : Kernel
{
    private readonly CudaFunction? _linear = context.Function("linear", "linear");
    private readonly DeviceMatrix _weight = context.Matrix(op, op.Weight);
    private readonly ulong _bias = context.Vector(op.Bias), _scale = context.Vector(op.Scale);

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
            Scale = _scale,
            Activation = op.Activation,
        };
        _linear!.Launch(c.Stream, ProductTile.GridOf(arguments.X.Rows, _weight.Rows), ProductTile.Threads, 0, arguments);
    }

    /// <summary>LinearArguments of <c>kernels/linear.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Residual, Y;
        public ulong Bias, Scale;
        public Activation Activation;
    }
}
