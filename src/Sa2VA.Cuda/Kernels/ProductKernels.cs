using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// The kernels of an op that is a product with a weight: plain ones in float32, or tensor cores where both operands are bf16 because the
/// backend's precision is. Those are a tile that suits the product's size, and one that gathers operands which do not lie in chunks.
/// </summary>
internal sealed class ProductKernels
{
    private readonly int _rows, _outputs, _weightRows;
    private readonly TensorTile? _tile;
    private readonly CudaFunction? _function, _gathered;

    /// <param name="context">Where it is compiled.</param>
    /// <param name="op">Reads x first.</param>
    /// <param name="family">The plain kernel; those of tensor cores are of the family with _bf16 behind it.</param>
    /// <param name="rows">Most rows of the product.</param>
    /// <param name="weight">The second operand.</param>
    /// <param name="weightRowsEach">How many of its rows make one column of the result.</param>
    /// <param name="tiles">What the family of tensor cores has.</param>
    public ProductKernels(PlanContext context, Op op, string family, long rows, DeviceMatrix weight, int weightRowsEach,
        params ReadOnlySpan<TensorTile> tiles)
    {
        (_rows, _outputs, _weightRows) = (checked((int)rows), weight.Rows / weightRowsEach, weight.Rows);
        if (context.Precision != Precision.BFloat16 || op.Output.KeepsFloat || op.Inputs[0].Type != DType.BF16 || weight.Type != DType.BF16)
        {
            _function = context.Function(family, family);
            return;
        }
        family += "_bf16";
        _tile = TensorTile.Best(tiles, rows, weight.Rows, weight.Columns, context.Device);
        _function = context.Function(family, $"{family}_{_tile.Name}");
        _gathered = context.Function(family, $"{family}_gathered");
    }

    /// <summary>Blocks that share a row: each has another part of its columns.</summary>
    /// <param name="isInChunks">As in <see cref="Launch"/>.</param>
    public int BlocksOfRow(bool isInChunks) => GridOf(isInChunks).Y;

    /// <summary>True if rows begin at multiples of 16 bytes and consist of whole chunks of as many.</summary>
    public static bool IsInChunks(in View matrix) => matrix.Data % 16 == 0 && (matrix.RowStride | matrix.Columns) % 8 == 0;

    /// <summary>Launches it.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="isInChunks">False if x has to be gathered.</param>
    /// <param name="arguments">The kernels' parameter.</param>
    public void Launch<T>(nint stream, bool isInChunks, in T arguments) where T : unmanaged
    {
        if (_tile is null) _function!.Launch(stream, GridOf(isInChunks), ProductTile.Threads, 0, arguments);
        else
        {
            TensorTile tile = TileOf(_tile, isInChunks);
            (isInChunks ? _function : _gathered)!.Launch(stream, GridOf(isInChunks), tile.Threads, tile.SharedBytes, arguments);
        }
    }

    private static TensorTile TileOf(TensorTile chosen, bool isInChunks) => isInChunks ? chosen : TensorTile.Small;

    private Grid GridOf(bool isInChunks) => _tile is null ? ProductTile.GridOf(_rows, _outputs)
        : TileOf(_tile, isInChunks).GridOf(_rows, _weightRows);
}
