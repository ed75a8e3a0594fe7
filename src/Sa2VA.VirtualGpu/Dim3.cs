namespace Sa2VA.VirtualGpu;

/// <summary>Extents of a grid or a block, or a place in one.</summary>
/// <param name="X">Along the dimension that varies fastest.</param>
/// <param name="Y">Along the second.</param>
/// <param name="Z">Along the third.</param>
public readonly record struct Dim3(int X, int Y = 1, int Z = 1)
{
    internal long Count => (long)X * Y * Z;

    /// <inheritdoc/>
    public override string ToString() => $"({X}, {Y}, {Z})";
}
