using System.Numerics;

namespace Sa2VA.Media;

/// <summary>Undoes the filters of PNG rows.</summary>
internal static class PngFilter
{
    /// <summary>The largest number of a filter.</summary>
    public const int Last = Paeth;

    private const int None = 0, Sub = 1, Up = 2, Average = 3, Paeth = 4;

    /// <summary>Makes pixels of a filtered row.</summary>
    /// <param name="filter">Number of the filter, at most <see cref="Last"/>.</param>
    /// <param name="row">The row.</param>
    /// <param name="above">The row above without filter, as long; zeros for the first.</param>
    /// <param name="pixelBytes">Bytes from a pixel to the next, at least 1.</param>
    public static void Undo(int filter, Span<byte> row, ReadOnlySpan<byte> above, int pixelBytes)
    {
        above = above[..row.Length];
        int first = Math.Min(pixelBytes, row.Length);
        switch (filter)
        {
            case Sub:
                for (int i = first; i < row.Length; i++) row[i] += row[i - pixelBytes];
                break;
            case Up:
                int x = 0;
                for (; x <= row.Length - Vector<byte>.Count; x += Vector<byte>.Count)
                    (new Vector<byte>(row[x..]) + new Vector<byte>(above[x..])).CopyTo(row[x..]);
                for (; x < row.Length; x++) row[x] += above[x];
                break;
            case Average:
                for (int i = 0; i < first; i++) row[i] += (byte)(above[i] / 2);
                for (int i = first; i < row.Length; i++) row[i] += (byte)((row[i - pixelBytes] + above[i]) / 2);
                break;
            case Paeth:
                for (int i = 0; i < first; i++) row[i] += above[i];
                for (int i = first; i < row.Length; i++) row[i] += Predict(row[i - pixelBytes], above[i], above[i - pixelBytes]);
                break;
        }
    }

    /// <summary>The neighbour that is nearest to left + above − their corner; ties go to the left one, then to the upper one.</summary>
    private static byte Predict(int left, int above, int corner)
    {
        int toLeft = above - corner, toAbove = left - corner, toCorner = Math.Abs(toLeft + toAbove);
        (toLeft, toAbove) = (Math.Abs(toLeft), Math.Abs(toAbove));
        int nearest = toAbove <= toCorner ? above : corner;
        return (byte)(toLeft <= toAbove && toLeft <= toCorner ? left : nearest);
    }
}
