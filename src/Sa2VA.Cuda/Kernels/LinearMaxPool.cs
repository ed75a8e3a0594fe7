using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda.Kernels;

/// <summary>There is one for tensor cores alone: <see cref="Suits"/>.</summary>
internal sealed class LinearMaxPoolKernel : Kernel
{
    private static readonly TensorTile Tile = TensorTile.Square;

    private readonly LinearMaxPool _op;
    private readonly DeviceMatrix _weight;
    private readonly ulong _bias;
    private readonly CudaFunction? _product;

    public LinearMaxPoolKernel(LinearMaxPool op, PlanContext context)
    {
        (_op, _weight, _bias) = (op, context.Matrix(op, op.Weight), context.Vector(op.Bias));
        _product = context.Function("linear_max_pool_bf16", $"linear_max_pool_bf16_{Tile.Name}");
    }

    /// <summary>True for a layer whose pooled results this can give: operands in bf16 and in whole chunks.</summary>
    public static bool Suits(Linear layer, Precision precision, DeviceFacts device)
    {
        Tensor x = layer.Inputs[0];
        return precision.IsNarrow() && !layer.Output.KeepsFloat && x.Type == DType.BF16 && x.Kind == TensorKind.Intermediate
            && (x.Offset | (long)x.RowStride | (long)x.Shape.Last) % 8 == 0 && Tile.Block.SharedBytes <= device.SharedBytes;
    }

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = new View(_weight),
            Y = c.View(_op.Output),
            Bias = _bias,
        };
        ProductBlock block = Tile.Block;
        _product!.Launch(c.Stream, block.GridOf(arguments.X.Rows, _weight.Rows), block.Threads, block.SharedBytes, arguments);
    }

    /// <summary>LinearMaxPoolArguments of <c>kernels/linear_max_pool_bf16.cu</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Y;
        public ulong Bias;
    }
}
