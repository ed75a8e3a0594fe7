using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>The kernels that an op which is a product with a weight has.</summary>
/// <param name="Name">The plain kernel, in float32; those of tensor cores are of the family with _bf16 behind it.</param>
/// <param name="Tiles">Tiles of tensor cores.</param>
/// <param name="SkinnyTiles">Those for few rows, wide ones first; none where few rows are nothing special.</param>
internal sealed record ProductFamily(string Name, TensorTile[] Tiles, params SkinnyTile[] SkinnyTiles)
{
    /// <summary>True if the plain kernel has a version for few rows, which gives the same bits.</summary>
    public bool HasFewRows { get; init; }

    /// <summary>True if there is no kernel that gathers operands, nor a plain one: who asks has seen to it that none is needed.</summary>
    public bool IsOfChunksAlone { get; init; }

    /// <summary>Tiles of compute capability 9.0, of the family with _bf16_hopper behind it; none where there are no such kernels.</summary>
    public HopperTile[] HopperTiles { get; init; } = [];
}

/// <summary>
/// The kernels of an op that is a product with a weight: plain ones in float32, or tensor cores where both operands are bf16 because the
/// backend's precision is. Those are a tile that suits the product's size, and one that gathers operands which do not lie in chunks.
/// </summary>
internal sealed class ProductKernels
{
    /// <summary>Numbers of bf16 that are copied at once.</summary>
    public const int ChunkSize = 8;

    private readonly int _rows, _weightRows;
    private readonly Version _inChunks, _gathered;
    private readonly DeviceMatrix _weight;
    private readonly DequantizeKernel? _dequantize;
    private readonly MappedProduct? _mapped;

    /// <param name="context">Where it is compiled.</param>
    /// <param name="op">Reads x first.</param>
    /// <param name="family">What there is.</param>
    /// <param name="rows">Most rows of the product.</param>
    /// <param name="weight">The second operand.</param>
    /// <param name="weightRowsEach">How many of its rows make one column of the result.</param>
    public ProductKernels(PlanContext context, Op op, ProductFamily family, long rows, DeviceMatrix weight, int weightRowsEach = 1)
    {
        (_rows, _weightRows, _weight) = (checked((int)rows), weight.Rows, weight);
        string name = family.Name;
        if (!context.Precision.IsNarrow() || op.Output.KeepsFloat || op.Inputs[0].Type != DType.BF16 || weight.Type != DType.BF16)
        {
            _weightRows /= weightRowsEach;
            _inChunks = _gathered = new Version(context.Function(name, name), ProductTile.Block);
            if (family.HasFewRows && FewRowsTile.Suits(rows, weight.Columns))
                _inChunks = new Version(context.Function(name, $"{name}_few_rows"), FewRowsTile.Block(weight.Columns));
            return;
        }
        IsOfTensorCores = true;
        name += "_bf16";
        if (family.SkinnyTiles.Length > 0 && SkinnyTile.Suits(rows, weight.Columns))
        {
            SkinnyTile[] tiles = [.. family.SkinnyTiles.Where(t => t.Bits == weight.Bits)];
            SkinnyTile tile = SkinnyTile.Best(tiles, weight.Rows, context.Device.Multiprocessors);
            _inChunks = new Version(context.Function(name, $"{name}_{tile.Name}"), tile.Block);
        }
        else
        {
            if (weight.Codes is not null) _dequantize = new DequantizeKernel(weight, context);
            TensorTile tile = TensorTile.Best(family.Tiles, rows, weight.Rows, weight.Columns, context.Device);
            _mapped = MappedProduct.For(context, family, rows, weight, tile);
            if (_mapped is null) _inChunks = new Version(context.Function(name, $"{name}_{tile.Name}"), tile.Block);
        }
        if (!family.IsOfChunksAlone) _gathered = new Version(context.Function(name, $"{name}_gathered"), TensorTile.Small.Block);
    }

    /// <summary>False for the plain kernel.</summary>
    public bool IsOfTensorCores { get; }

    /// <summary>Blocks that share a row: each has another part of its columns.</summary>
    /// <param name="isInChunks">As in <see cref="Launch{T}(nint, bool, in T)"/>.</param>
    public int BlocksOfRow(bool isInChunks) => GridOf(isInChunks ? _inChunks : _gathered).Y;

    /// <summary>True if rows begin at multiples of 16 bytes and consist of whole chunks of as many.</summary>
    public static bool IsInChunks(in View matrix) => matrix.Data % 16 == 0 && (matrix.RowStride | matrix.Columns) % ChunkSize == 0;

    /// <summary>The second operand for a launch that follows: codes that its kernel does not read are first made into numbers.</summary>
    public View Weight(LaunchContext c) => _dequantize?.Launch(c) ?? new View(_weight);

    /// <summary>Launches it.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="isInChunks">False if x has to be gathered.</param>
    /// <param name="arguments">The kernels' parameter.</param>
    public void Launch<T>(nint stream, bool isInChunks, in T arguments) where T : unmanaged
    {
        Version version = isInChunks ? _inChunks : _gathered;
        version.Function!.Launch(stream, GridOf(version), version.Block.Threads, version.Block.SharedBytes, arguments);
    }

    /// <summary>Launches it as boxes where it has such a kernel, else as ever.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="x">The first operand.</param>
    /// <param name="weight">The second one.</param>
    /// <param name="arguments">The kernels' parameter.</param>
    public void Launch<T>(nint stream, in View x, in View weight, in T arguments) where T : unmanaged
    {
        bool isInChunks = IsInChunks(x);
        if (isInChunks && _mapped is not null) _mapped.Launch(stream, x, weight, arguments);
        else Launch(stream, isInChunks, arguments);
    }

    private Grid GridOf(Version version) => version.Block.GridOf(_rows, _weightRows);

    private readonly record struct Version(CudaFunction? Function, ProductBlock Block);
}
