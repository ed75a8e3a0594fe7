namespace Sa2VA.Core;

/// <summary>Reads stored weights in the orders that kernels need.</summary>
internal static unsafe class WeightValues
{
    /// <summary>The stored weights that a weight is made of.</summary>
    public static IReadOnlyList<Weight> PartsOf(Weight weight) => weight.Parts.Count > 0 ? weight.Parts : [weight];

    /// <summary>A weight that is about to be read as a whole, so that looking for NaN and infinity in it costs little.</summary>
    /// <param name="weight">One that is stored.</param>
    /// <param name="bits">What it is rounded to by <see cref="GroupQuantization"/>; 16 for the stored values.</param>
    /// <exception cref="CheckpointException">It cannot be read, or a value is not finite.</exception>
    public static WeightData Open(Weight weight, int bits = 16)
    {
        if (bits < 16)
        {
            using QuantizedRows rows = QuantizedRows.Open(weight, bits);
            return GroupQuantization.Rounded(weight.Info, rows);
        }
        WeightData data = weight.Source.Open(weight.Name);
        try
        {
            if (!data.IsComputed) Finite.Check(data);
            return data;
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    /// <summary>A small weight as F32, in stored order.</summary>
    public static void Vector(Weight weight, Span<float> to)
    {
        if (weight.RowOrder is not null && weight.Shape.Rank != 1)
            throw new DeviceException($"Weight {weight} is reordered; only vectors and packed matrices can be.");
        foreach (Weight part in PartsOf(weight))
        {
            using WeightData data = Open(part);
            Span<float> values = to[..(int)part.Shape.Count];
            for (int i = 0; i < values.Length; i++) values[i] = Element(data, part.RowOrder is null ? i : part.RowOrder[i]);
            to = to[values.Length..];
        }
    }

    /// <summary>A depthwise filter [C, 1, k, k] as [k·k, C].</summary>
    public static void TapMajor(Weight weight, Span<float> to)
    {
        using WeightData data = Open(weight);
        int channels = weight.Shape[0], taps = weight.Shape[2] * weight.Shape[3];
        for (int c = 0; c < channels; c++)
            for (int t = 0; t < taps; t++) to[t * channels + c] = Element(data, (long)c * taps + t);
    }

    /// <summary>Where element [row, column] of a weight's matrix is stored, as the sum of two numbers.</summary>
    /// <param name="data">Stored elements.</param>
    /// <param name="weight">The weight; one of those that a stacked one is made of.</param>
    /// <param name="layout">Which matrix is meant.</param>
    public static (Func<int, long> OfRow, Func<int, long> OfColumn) Places(WeightData data, Weight weight, WeightLayout layout)
    {
        Shape s = data.Info.Shape;
        if (layout == WeightLayout.Transposed2x2)
        {
            int outputs = s[1];
            return (row => (long)(row % outputs) * 4 + row / outputs, i => (long)i * outputs * 4);
        }
        int[]? order = weight.RowOrder;
        long width = weight.Shape.Count / weight.Shape[0];
        Func<int, long> stored = row => (order is null ? row : order[row]) * width;
        if (layout != WeightLayout.ChannelsLast) return (stored, i => i);
        int channels = s[1], area = s[2] * s[3];
        return (stored, i => (long)(i % channels) * area + i / channels);
    }

    /// <summary>Rows and columns of a weight's matrix.</summary>
    public static (int Rows, int Columns) SizeOf(Weight weight, WeightLayout layout)
    {
        if (!weight.Info.Type.IsFloat()) throw new DeviceException($"Weight {weight} is no float matrix.");
        int rows = layout == WeightLayout.Transposed2x2 ? 4 * weight.Shape[1] : weight.Shape[0];
        return (rows, checked((int)(weight.Shape.Count / rows)));
    }

    /// <summary>Element <paramref name="i"/> of stored data, widened.</summary>
    public static float Element(WeightData data, long i) => data.Info.Type switch
    {
        DType.F32 => ((float*)data.Pointer)[i],
        DType.BF16 => new BFloat16(((ushort*)data.Pointer)[i]).ToSingle(),
        DType.F16 => (float)((Half*)data.Pointer)[i],
        _ => throw new DeviceException($"Weight '{data.Info.Name}' is stored as {data.Info.Type}, which no kernel reads."),
    };
}
