using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// A product by warpgroups of compute capability 9.0: its kernel's parameter is <c>Mapped</c> of <c>kernels/common/warpgroup.cuh</c>, both
/// factors as tensor maps and behind them the parameter of the kernel of 8.0.
/// </summary>
internal sealed class MappedProduct
{
    private readonly CudaFunction? _function;
    private readonly HopperTile _tile;
    private readonly Grid _grid;

    private MappedProduct(CudaFunction? function, HopperTile tile, Grid grid) => (_function, _tile, _grid) = (function, tile, grid);

    /// <summary>The kernel for a product, or null where the device has none or another should take less time.</summary>
    /// <param name="context">Where it is compiled.</param>
    /// <param name="family">What there is.</param>
    /// <param name="rows">Most rows of the product.</param>
    /// <param name="weight">The second operand.</param>
    /// <param name="other">The tile that is taken otherwise.</param>
    public static MappedProduct? For(PlanContext context, ProductFamily family, long rows, DeviceMatrix weight, TensorTile other)
    {
        (int weightRows, int depth, DeviceFacts device) = (weight.Rows, weight.Columns, context.Device);
        if (family.HopperTiles.Length == 0 || !HopperTile.Suits(rows, depth, device, context.Hopper)) return null;
        HopperTile tile = HopperTile.Best(family.HopperTiles, rows, weightRows, depth, device);
        if (context.Hopper == HopperUse.WhereItPays
            && tile.Clocks(rows, weightRows, depth, device) > other.Clocks(rows, weightRows, depth, device)) return null;
        string name = $"{family.Name}_bf16_hopper";
        return new MappedProduct(context.Function(name, $"{name}_{tile.Name}"), tile, tile.GridOf(rows, weightRows, device));
    }

    /// <summary>Launches it.</summary>
    /// <param name="stream">Where.</param>
    /// <param name="x">The first factor, in chunks of 16 bytes.</param>
    /// <param name="weight">The second one, likewise.</param>
    /// <param name="arguments">The other kernels' parameter.</param>
    public void Launch<T>(nint stream, in View x, in View weight, in T arguments) where T : unmanaged => MappedLaunch.Launch(_function!,
        stream, _grid, (_tile.Block.Threads, _tile.Block.SharedBytes), [new(x, HopperTile.BoxRows), new(weight, _tile.WeightBoxRows)],
        arguments);
}
