using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>
/// How blocks of 256 threads share a tensor's elements: <c>Share</c> of <c>kernels/common/elements.cuh</c>. Rows that are shorter than a
/// block stand beside each other in one, longer ones go on in the next.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Share
{
    public const int Threads = 256;

    /// <summary>Elements that a thread has of a long row.</summary>
    private const int ElementsEach = 4;

    /// <summary>A block has 256 ≫ Shift rows.</summary>
    public int Shift;

    /// <summary>Columns of a row that a block has.</summary>
    public int Chunk;

    /// <summary>Shares a tensor that has at most these rows and columns.</summary>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="elementsEach">Elements that a thread has of a long row: one where few rows wait for each of them.</param>
    public static (Share Share, Grid Grid) Of(long rows, int columns, int elementsEach = ElementsEach)
    {
        int shift = 0;
        while (1 << shift < Math.Min(columns, Threads)) shift++;
        int chunk = elementsEach << shift;
        // Grids have at most 65,535 blocks along y.
        if (columns > 65535L * chunk) chunk = (columns / 65535 + Threads) / Threads * Threads;
        return (new Share { Shift = shift, Chunk = chunk }, Grid.Over(rows, Threads >> shift) with { Y = (columns + chunk - 1) / chunk });
    }

    /// <inheritdoc cref="Of(long, int, int)"/>
    public static (Share Share, Grid Grid) Of(Tensor tensor) => Of(tensor.Shape.Rows, tensor.Shape.Last);
}
