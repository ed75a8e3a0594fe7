using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>The tile of <c>kernels/common/attention.cuh</c>.</summary>
internal static class AttentionTile
{
    public const int Queries = 32, Threads = 128;

    /// <summary>Widest head that the kernels hold.</summary>
    private const int MostHeadDim = 256;

    /// <exception cref="DeviceException">A head is too wide.</exception>
    public static void Check(Op op, int headDim, int valueDim)
    {
        if (Math.Max(headDim, valueDim) > MostHeadDim)
            throw new DeviceException($"{op.Name}: heads of {headDim} and {valueDim} channels; the CUDA backend has up to {MostHeadDim}.");
    }
}
