namespace Sa2VA.Cuda.Kernels;

/// <summary>What a block of a product has, whatever kernel it is.</summary>
/// <param name="Rows">Rows of results.</param>
/// <param name="Columns">Columns: rows of the weight.</param>
/// <param name="Threads">Threads.</param>
/// <param name="SharedBytes">Dynamic shared memory.</param>
internal readonly record struct ProductBlock(int Rows, int Columns, int Threads, int SharedBytes)
{
    /// <summary>Blocks for a result of that many rows and columns.</summary>
    public Grid GridOf(long rows, int columns) => Grid.Over(rows, Rows) with { Y = (columns + Columns - 1) / Columns };
}
