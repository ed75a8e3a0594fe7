using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// A kernel that reduces rows, in two sizes: <c>name_by_warp</c> and, for long rows, <c>name_by_block</c> (<c>kernels/common/team.cuh</c>).
/// </summary>
internal sealed class RowTeam(PlanContext context, string name, Tensor x)
{
    private const int Block = 256, Warp = 32;

    // More elements than this are more than 64 for each thread of a warp.
    private const int LongestOfWarp = 2048;

    private readonly bool _isWarp = x.Shape.Last <= LongestOfWarp;
    private readonly CudaFunction? _function =
        context.Function(name, x.Shape.Last <= LongestOfWarp ? $"{name}_by_warp" : $"{name}_by_block");

    /// <summary>Launches it for the tensor's rows.</summary>
    public void Launch<T>(LaunchContext c, in T arguments) where T : unmanaged =>
        _function!.Launch(c.Stream, Grid.Over(x.Shape.Rows, _isWarp ? Block / Warp : 1), Block, 0, arguments);
}
