using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// A kernel that reduces rows, in sizes for rows of different length (<c>kernels/common/team.cuh</c>): <c>name_by_warp</c>, for long rows
/// <c>name_by_block</c>, and for short ones <c>name_by_warp_short</c>, which holds less, or <c>name_by_lanes</c>, four of which have a row.
/// </summary>
internal sealed class RowTeam
{
    private const int Block = 256, Warp = 32, Lanes = 4;

    private readonly Tensor _x;
    private readonly int _threads;
    private readonly CudaFunction? _function;

    /// <param name="context">Where it is compiled.</param>
    /// <param name="name">The kernel.</param>
    /// <param name="x">The rows.</param>
    /// <param name="longestOfWarp">Elements of the longest row of a warp.</param>
    /// <param name="longestOfShort">Those of the longest row of a warp that holds less; 0 where there is no such kernel.</param>
    /// <param name="longestOfLanes">Those of the longest row of four lanes.</param>
    public RowTeam(PlanContext context, string name, Tensor x, int longestOfWarp = 2048, int longestOfShort = 0, int longestOfLanes = 0)
    {
        int length = x.Shape.Last;
        (_x, _threads) = (x, length <= longestOfLanes ? Lanes : length <= longestOfWarp ? Warp : Block);
        string team = _threads switch { Lanes => "lanes", Warp => length <= longestOfShort ? "warp_short" : "warp", _ => "block" };
        _function = context.Function(name, $"{name}_by_{team}");
    }

    /// <summary>What a warp holds of a row in <c>kernels/common/norm.cuh</c>.</summary>
    public const int HeldByWarp = 1024;

    /// <summary>What a warp holds that leaves registers to others.</summary>
    public const int HeldByShort = 384;

    /// <summary>What four lanes hold.</summary>
    public const int HeldByLanes = 64;

    /// <summary>Launches it for the tensor's rows.</summary>
    public void Launch<T>(LaunchContext c, in T arguments) where T : unmanaged =>
        _function!.Launch(c.Stream, Grid.Over(_x.Shape.Rows, Block / _threads), Block, 0, arguments);
}
