namespace Sa2VA.Models;

/// <summary>
/// Where a prompt's tokens stand on three axes (docs/model/language.md#three-axes): text goes on by one on all of them, a picture's tokens
/// share a time and have their own rows and columns, and text goes on behind the longer side.
/// </summary>
internal sealed class TokenPositions
{
    /// <param name="time">Positions on the time axis.</param>
    /// <param name="row">On the axis of rows.</param>
    /// <param name="column">On the axis of columns.</param>
    /// <param name="shift"><see cref="Shift"/>.</param>
    public TokenPositions(int[] time, int[] row, int[] column, int shift) => (Time, Row, Column, Shift) = (time, row, column, shift);

    /// <summary>Position of each token on the time axis.</summary>
    public int[] Time { get; }

    /// <summary>On the axis of rows.</summary>
    public int[] Row { get; }

    /// <summary>On the axis of columns.</summary>
    public int[] Column { get; }

    /// <summary>What is added to the place of a token behind the last picture to make its position; 0 or less.</summary>
    public int Shift { get; }

    /// <summary>Positions of a prompt.</summary>
    /// <param name="ids">Token ids; −1 − j stands for image row j.</param>
    /// <param name="tiles">Tokens of each tile; the image rows stand tile after tile. The first ones need not occur.</param>
    public static TokenPositions Of(ReadOnlySpan<int> ids, IReadOnlyList<TokenGrid> tiles)
    {
        int[] time = new int[ids.Length], row = new int[ids.Length], column = new int[ids.Length];
        int next = 0, tile = 0, first = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            if (ids[i] >= 0)
            {
                (time[i], row[i], column[i]) = (next, next, next);
                next++;
                continue;
            }
            for (; -1 - ids[i] - first >= tiles[tile].Count; tile++) first += tiles[tile].Count;
            int cell = -1 - ids[i] - first, columns = tiles[tile].Columns;
            (time[i], row[i], column[i]) = (next, next + cell / columns, next + cell % columns);
            if (cell < tiles[tile].Count - 1) continue;
            next += Math.Max(tiles[tile].Rows, columns);
            first += tiles[tile++].Count;
        }
        return new TokenPositions(time, row, column, next - ids.Length);
    }
}
