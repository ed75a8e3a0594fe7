namespace Sa2VA.Core;

/// <summary>
/// The codes and scales of a stored matrix, row by row: read where it is stored so, else found by <see cref="GroupQuantization"/>.
/// </summary>
internal sealed class QuantizedRows : IDisposable
{
    private readonly QuantizedData? _stored;
    private readonly WeightData? _data;
    private readonly float[] _row;
    private readonly int _bits;

    private QuantizedRows(QuantizedData? stored, WeightData? data, int depth, int bits) =>
        (_stored, _data, _row, _bits) = (stored, data, data is null ? [] : new float[depth], bits);

    /// <summary>Opens a matrix that is about to be read as a whole.</summary>
    /// <param name="weight">One that is stored.</param>
    /// <param name="bits">8 or 4.</param>
    /// <exception cref="CheckpointException">
    /// It cannot be read, is stored in codes of another kind, or a weight or a scale is none.
    /// </exception>
    public static QuantizedRows Open(Weight weight, int bits)
    {
        Shape shape = weight.Info.Shape;
        int depth = checked((int)(shape.Count / shape[0]));
        if (weight.Source.OpenQuantized(weight.Name) is not { } stored)
            return new QuantizedRows(null, WeightValues.Open(weight), depth, bits);
        try
        {
            if (stored.Bits != bits || stored.Shape != new Shape(shape[0], depth))
                throw new CheckpointException(FormattableString.Invariant(
                    $"Tensor '{weight.Name}' is stored as {stored.Shape} in {stored.Bits} bits; {shape} in {bits} bits is needed."));
            CheckScales(stored);
            return new QuantizedRows(stored, null, depth, bits);
        }
        catch
        {
            stored.Dispose();
            throw;
        }
    }

    /// <summary>Codes and scales of a row.</summary>
    /// <param name="row">Stored row.</param>
    /// <param name="codes">One for each input.</param>
    /// <param name="scales">One for each group.</param>
    public void Read(int row, Span<sbyte> codes, Span<BFloat16> scales)
    {
        if (_stored is null)
        {
            GroupQuantization.Read(_data!, (long)row * _row.Length, _row);
            GroupQuantization.Quantize(_row, _bits, codes, scales);
            return;
        }
        _stored.Scales(row).CopyTo(scales);
        GroupQuantization.Unpack(_stored.Codes(row), _bits, codes);
    }

    public void Dispose()
    {
        _stored?.Dispose();
        _data?.Dispose();
    }

    private static void CheckScales(QuantizedData stored)
    {
        for (int row = 0; row < stored.Shape[0]; row++)
        {
            ReadOnlySpan<BFloat16> scales = stored.Scales(row);
            for (int g = 0; g < scales.Length; g++)
                if (!GroupQuantization.IsScale(scales[g], stored.Bits))
                    throw new CheckpointException(FormattableString.Invariant(
                        $"Tensor '{stored.Name}' has the scale {scales[g].ToSingle()} in row {row}, group {g}, which is none of a ")
                        + "weight. The file is damaged; get it anew, or quantise the original checkpoint again.");
        }
    }
}
