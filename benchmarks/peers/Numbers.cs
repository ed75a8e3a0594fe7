namespace Sa2VA.Peers;

/// <summary>Arrays of floats.</summary>
internal static class Numbers
{
    /// <summary>[rows, columns] → [columns, rows].</summary>
    public static float[] Transposed(float[] values, int rows, int columns)
    {
        var turned = new float[values.Length];
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++) turned[c * rows + r] = values[r * columns + c];
        return turned;
    }

    /// <summary>The largest difference, relative to the largest element.</summary>
    public static double Apart(float[] a, float[] b)
    {
        if (a.Length != b.Length) throw new ArgumentException($"{a.Length} numbers cannot be compared with {b.Length}.", nameof(b));
        double apart = 0, largest = 0;
        for (int i = 0; i < a.Length; i++)
        {
            apart = Math.Max(apart, Math.Abs((double)a[i] - b[i]));
            largest = Math.Max(largest, Math.Abs((double)a[i]));
        }
        // What is no number is never near.
        return double.IsFinite(apart) && largest > 0 ? apart / largest : double.MaxValue;
    }
}
