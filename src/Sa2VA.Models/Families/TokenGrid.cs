namespace Sa2VA.Models;

/// <summary>The tokens that stand for a tile: a grid, row by row.</summary>
/// <param name="Rows">Rows of tokens.</param>
/// <param name="Columns">Tokens of a row.</param>
internal readonly record struct TokenGrid(int Rows, int Columns)
{
    /// <summary>Tokens.</summary>
    public int Count => Rows * Columns;
}
