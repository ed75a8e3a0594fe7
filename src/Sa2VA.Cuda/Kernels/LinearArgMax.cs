using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>Two launches: the best of every tile of columns, then the best of those.</summary>
internal sealed class LinearArgMaxKernel : Kernel
{
    // A float and its column.
    private const int CandidateBytes = 8;

    private static readonly ProductFamily Family = new("linear_arg_max", [TensorTile.Middle, TensorTile.Flat64], SkinnyTile.Wide);

    private readonly LinearArgMax _op;
    private readonly CudaFunction? _choose;
    private readonly DeviceMatrix _weight;
    private readonly ProductKernels _product;

    public LinearArgMaxKernel(LinearArgMax op, PlanContext context)
    {
        _op = op;
        _weight = context.Matrix(op, op.Weight);
        _product = new ProductKernels(context, op, Family, op.Inputs[0].Shape.Rows, _weight);
        _choose = context.Function("linear_arg_max", "linear_arg_max_choose");
        int most = Math.Max(_product.BlocksOfRow(isInChunks: true), _product.BlocksOfRow(isInChunks: false));
        context.NeedWorkspace(op.Inputs[0].Shape.Rows * most * CandidateBytes);
    }

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = new View(_weight),
            Best = c.Workspace,
            Y = c.View(_op.Output).Data,
        };
        bool isInChunks = ProductKernels.IsInChunks(arguments.X);
        arguments.Candidates = _product.BlocksOfRow(isInChunks);
        _product.Launch(c.Stream, isInChunks, arguments);
        _choose!.Launch(c.Stream, new Grid(arguments.X.Rows), 256, 0, arguments);
    }

    /// <summary>LinearArgMaxArguments of <c>kernels/common/linear_arg_max.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight;
        public ulong Best, Y;
        public int Candidates;
    }
}
