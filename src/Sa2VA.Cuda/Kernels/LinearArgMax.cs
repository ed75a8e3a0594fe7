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
    private readonly FewRows? _few;

    public LinearArgMaxKernel(LinearArgMax op, PlanContext context)
    {
        _op = op;
        _weight = FewRows.Codes(op, context) ?? context.Matrix(op, op.Weight);
        _product = new ProductKernels(context, op, Family, op.Inputs[0].Shape.Rows, _weight);
        if (!_product.IsOfTensorCores) _few = FewRows.For(op, _weight, context);
        _choose = context.Function("linear_arg_max", "linear_arg_max_choose");
        int most = _few?.Grid.Y ?? Math.Max(_product.BlocksOfRow(isInChunks: true), _product.BlocksOfRow(isInChunks: false));
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
        if (_few is not null)
        {
            arguments.Candidates = _few.Grid.Y;
            _few.Function!.Launch(c.Stream, _few.Grid, FewRows.Threads, _few.SharedBytes, arguments);
        }
        else
        {
            bool isInChunks = ProductKernels.IsInChunks(arguments.X);
            arguments.Candidates = _product.BlocksOfRow(isInChunks);
            _product.Launch(c.Stream, isInChunks, arguments);
        }
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

    /// <summary>A kernel of <c>kernels/linear_arg_max_rows.cu</c>: float32, for as many rows as a step of decoding has.</summary>
    private sealed record FewRows(CudaFunction? Function, Grid Grid, int SharedBytes)
    {
        public const int Threads = 256;
        private const int MostRows = 16, ColumnsOfBlock = Threads / 32 * 4, Stretch = 256, BlocksEach = 4;

        /// <summary>The weight in codes, which no other kernel reads; null where its numbers are stored.</summary>
        public static DeviceMatrix? Codes(LinearArgMax op, PlanContext context)
        {
            Tensor x = op.Inputs[0];
            bool suits = x.Type == DType.F32 && x.Shape.Rows <= MostRows && x.Shape.Last % 8 == 0;
            return suits && RowBytes(x.Shape.Last) <= MostRowBytes(context, together: 1) ? context.RowCodes(op.Weight) : null;
        }

        /// <summary>Null where the plain kernel does.</summary>
        public static FewRows? For(LinearArgMax op, DeviceMatrix weight, PlanContext context)
        {
            long rows = op.Inputs[0].Shape.Rows;
            if (rows > MostRows || weight.Columns % 8 != 0 || weight.Type is not (DType.F32 or DType.BF16)) return null;
            int rowBytes = RowBytes(weight.Columns);
            // Where all rows find no room at once, the matrix passes by several times; so do codes, from the second cache.
            int[] kernels = weight.Codes is not null ? [4, 1] : [8, 4, 1];
            for (int i = 0; i < kernels.Length; i++)
            {
                int together = kernels[i];
                bool isMore = i + 1 < kernels.Length && rows <= kernels[i + 1];
                if (isMore || rowBytes > MostRowBytes(context, together)) continue;
                string type = weight.Codes is { } codes ? $"int{codes.Bits}" : weight.Type == DType.F32 ? "f32" : "bf16";
                string name = $"linear_arg_max_{type}_{(together == 1 ? "1_row" : $"{together}_rows")}";
                long blocks = Math.Min((weight.Rows + ColumnsOfBlock - 1) / ColumnsOfBlock, BlocksEach * context.Device.Multiprocessors);
                var grid = new Grid((rows + together - 1) / together, (int)blocks);
                return new FewRows(context.Function("linear_arg_max_rows", name), grid, together * rowBytes);
            }
            return null;
        }

        private static int RowBytes(int depth) => (depth + Stretch - 1) / Stretch * Stretch * sizeof(float);

        private static int MostRowBytes(PlanContext context, int together) =>
            context.Device.SharedBytes / together - Threads / 32 * CandidateBytes;
    }
}
