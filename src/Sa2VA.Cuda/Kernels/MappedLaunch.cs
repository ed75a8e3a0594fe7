using System.Runtime.CompilerServices;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda.Kernels;

/// <summary>A matrix that a kernel copies in boxes of 64 columns, or in narrow ones of a head's.</summary>
/// <param name="Matrix">The matrix, in chunks of 16 bytes.</param>
/// <param name="Rows">Rows of a box.</param>
/// <param name="NarrowOf">Columns of a head whose last ones come in narrow boxes; 0: boxes have 64 columns.</param>
internal readonly record struct BoxedMatrix(View Matrix, int Rows, int NarrowOf = 0);

/// <summary>Launches of kernels that copy boxes: their parameter is tensor maps, and behind them that of the kernel of 8.0.</summary>
internal static class MappedLaunch
{
    /// <summary>Launches one. The maps are made here: once for a binding whose launches are captured.</summary>
    /// <param name="function">The kernel.</param>
    /// <param name="stream">Where.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="block">What a block is.</param>
    /// <param name="matrices">What is mapped, in the parameter's order.</param>
    /// <param name="arguments">What stands behind the maps.</param>
    public static unsafe void Launch<T>(CudaFunction function, nint stream, Grid grid, (int Threads, int SharedBytes) block,
        ReadOnlySpan<BoxedMatrix> matrices, in T arguments) where T : unmanaged
    {
        int bytes = matrices.Length * TensorMap.Bytes + sizeof(T);
        byte* memory = stackalloc byte[bytes + 2 * TensorMap.Alignment];
        memory += -(nint)memory & (TensorMap.Alignment - 1);
        for (int i = 0; i < matrices.Length; i++)
        {
            BoxedMatrix m = matrices[i];
            TensorMap* map = (TensorMap*)memory + i;
            if (m.NarrowOf == 0) TensorMap.Encode(function.Context, map, m.Matrix, m.Rows, function.Name);
            else TensorMap.EncodeNarrow(function.Context, map, m.Matrix, m.Rows, m.NarrowOf, function.Name);
        }
        Unsafe.WriteUnaligned(memory + matrices.Length * TensorMap.Bytes, arguments);
        function.Launch(stream, grid, block.Threads, block.SharedBytes, memory);
    }
}
