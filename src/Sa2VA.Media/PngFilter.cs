using System.Numerics;

namespace Sa2VA.Media;

/// <summary>The filters of PNG rows.</summary>
internal static class PngFilter
{
    /// <summary>The largest number of a filter.</summary>
    public const int Last = Paeth;

    /// <summary>Pixels less the one before.</summary>
    public const byte Sub = 1;

    /// <summary>Pixels less the one above.</summary>
    public const byte Up = 2;

    private const int Average = 3, Paeth = 4;

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

    /// <summary>Filters a row.</summary>
    /// <param name="filter"><see cref="Sub"/> or <see cref="Up"/>.</param>
    /// <param name="row">The row.</param>
    /// <param name="above">The row above, as long; zeros for the first.</param>
    /// <param name="pixelBytes">Bytes from a pixel to the next.</param>
    /// <param name="filtered">Gets the filtered row.</param>
    public static void Apply(int filter, ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, int pixelBytes, Span<byte> filtered)
    {
        ReadOnlySpan<byte> less = above;
        if (filter == Sub)
        {
            int first = Math.Min(pixelBytes, row.Length);
            less = row;
            row[..first].CopyTo(filtered);
            row = row[first..];
            filtered = filtered[first..];
        }
        int i = 0;
        for (; i <= row.Length - Vector<byte>.Count; i += Vector<byte>.Count)
            (new Vector<byte>(row[i..]) - new Vector<byte>(less[i..])).CopyTo(filtered[i..]);
        for (; i < row.Length; i++) filtered[i] = (byte)(row[i] - less[i]);
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
