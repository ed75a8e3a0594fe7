namespace Sa2VA.VirtualGpu.Execution;

/// <summary>A box of a tensor as a bulk copy takes it: rows of the innermost dimension, zero where they are outside the tensor.</summary>
internal static class TensorBox
{
    /// <param name="map">The tensor.</param>
    /// <param name="at">Coordinates of the box's first element, innermost first; they may be negative or beyond the tensor.</param>
    public static BulkRow[] Rows(TensorMap map, ReadOnlySpan<int> at)
    {
        int rank = map.Dimensions.Count, size = map.ElementBytes, width = map.Count(0), count = 1;
        for (int d = 1; d < rank; d++) count *= map.Count(d);
        long first = Math.Clamp(-(long)at[0], 0, width), end = Math.Clamp((long)map.Dimensions[0] - at[0], first, width);
        var rows = new BulkRow[count];
        for (int r = 0; r < count; r++)
        {
            int rest = r;
            bool inside = end > first;
            ulong offset = 0;
            for (int d = 1; d < rank; d++)
            {
                long c = at[d] + (long)(rest % map.Count(d)) * map.Step(d);
                rest /= map.Count(d);
                inside &= c >= 0 && (ulong)c < map.Dimensions[d];
                offset += (ulong)c * map.Strides[d - 1];
            }
            rows[r] = inside
                ? new(width * size, map.Address + offset + (ulong)((at[0] + first) * size), (int)first * size, (int)(end - first) * size)
                : new(width * size, 0, 0, 0);
        }
        return rows;
    }
}
