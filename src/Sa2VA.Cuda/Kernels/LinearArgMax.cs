using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>Two launches: the best of every tile of columns, then the best of those.</summary>
internal sealed class LinearArgMaxKernel : Kernel
{
    // A float and its column.
    private const int CandidateBytes = 8;

    private readonly LinearArgMax _op;
    private readonly CudaFunction? _ofTiles, _ofRows;
    private readonly DeviceMatrix _weight;

    public LinearArgMaxKernel(LinearArgMax op, PlanContext context)
    {
        _op = op;
        _ofTiles = context.Function("linear_arg_max", "linear_arg_max_of_tiles");
        _ofRows = context.Function("linear_arg_max", "linear_arg_max");
        _weight = context.Matrix(op, op.Weight);
        context.NeedWorkspace(op.Inputs[0].Shape.Rows * Tiles.Y * CandidateBytes);
    }

    private Grid Tiles => ProductTile.GridOf((int)_op.Inputs[0].Shape.Rows, _weight.Rows);

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = new View(_weight),
            Candidates = c.Workspace,
            Y = c.View(_op.Output).Data,
        };
        _ofTiles!.Launch(c.Stream, Tiles, ProductTile.Threads, 0, arguments);
        _ofRows!.Launch(c.Stream, new Grid(arguments.X.Rows), 256, 0, arguments);
    }

    /// <summary>LinearArgMaxArguments of <c>kernels/linear_arg_max.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight;
        public ulong Candidates, Y;
    }
}
