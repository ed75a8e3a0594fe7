using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A weight matrix [N, K] as the GEMM reads it: panels of 32 outputs, [⌈N/32⌉][K][32], in the stored type; the last panel is padded with
/// zeros. One layout serves all vector widths, the large GEMM and the single row of a decode step.
/// </summary>
internal sealed unsafe class PackedWeights : IDisposable
{
    /// <summary>Outputs per panel.</summary>
    public const int PanelWidth = 32;

    private readonly AlignedMemory _memory;

    private PackedWeights(DType type, int n, int k)
    {
        (Type, N, K) = (type, n, k);
        Panels = (n + PanelWidth - 1) / PanelWidth;
        _memory = new AlignedMemory((long)Panels * PanelWidth * k * type.Size());
    }

    public DType Type { get; }

    /// <summary>Outputs.</summary>
    public int N { get; }

    /// <summary>Inputs.</summary>
    public int K { get; }

    public int Panels { get; }

    public long Bytes => _memory.Bytes;

    /// <summary>Bytes that a weight takes when it is packed, the last panel's padding included.</summary>
    public static long BytesOf(Weight weight, WeightLayout layout)
    {
        long outputs = layout == WeightLayout.Transposed2x2 ? 4L * weight.Shape[1] : weight.Shape[0];
        long inputs = weight.Shape.Count / outputs;
        return (outputs + PanelWidth - 1) / PanelWidth * PanelWidth * inputs * weight.Info.Type.Size();
    }

    /// <summary>Row <paramref name="k"/> of panel <paramref name="panel"/>.</summary>
    public byte* Panel(int panel, int k = 0) => _memory.Pointer + ((long)panel * K + k) * PanelWidth * Type.Size();

    /// <summary>Packs elements whose position in the source is given by output row and input column.</summary>
    /// <param name="data">Stored elements.</param>
    /// <param name="type">Their type, kept.</param>
    /// <param name="n">Outputs.</param>
    /// <param name="k">Inputs.</param>
    /// <param name="rowStart">Source index of output n's first element.</param>
    /// <param name="column">Distance from there to input k's element.</param>
    public static PackedWeights Create(byte* data, DType type, int n, int k, Func<int, long> rowStart, Func<int, long> column)
    {
        var packed = new PackedWeights(type, n, k);
        var columns = new long[k];
        for (int i = 0; i < k; i++) columns[i] = column(i);
        for (int panel = 0; panel < packed.Panels; panel++)
        {
            if (type.Size() == 2) packed.FillPanel((ushort*)data, panel, rowStart, columns);
            else packed.FillPanel((uint*)data, panel, rowStart, columns);
        }
        return packed;
    }

    public void Dispose() => _memory.Dispose();

    private void FillPanel<T>(T* data, int panel, Func<int, long> rowStart, long[] columns) where T : unmanaged
    {
        var to = (T*)Panel(panel);
        for (int j = 0; j < PanelWidth; j++)
        {
            int row = panel * PanelWidth + j;
            if (row >= N)
            {
                for (int k = 0; k < K; k++) to[(long)k * PanelWidth + j] = default;
                continue;
            }
            T* from = data + rowStart(row);
            for (int k = 0; k < K; k++) to[(long)k * PanelWidth + j] = from[columns[k]];
        }
    }
}

/// <summary>Reads stored weights in the orders that ops need.</summary>
internal static unsafe class WeightPacking
{
    public static PackedWeights Pack(WeightData data, Weight weight, WeightLayout layout)
    {
        Shape s = data.Info.Shape;
        if (!data.Info.Type.IsFloat()) throw new DeviceException($"Weight {weight} is no float matrix.");
        int[]? order = weight.RowOrder;
        switch (layout)
        {
            case WeightLayout.ChannelsLast:
            {
                int channels = s[1], area = s[2] * s[3], k = channels * area;
                return PackedWeights.Create(data.Pointer, data.Info.Type, s[0], k, row => (long)row * k, i => (long)(i % channels) * area + i / channels);
            }
            case WeightLayout.Transposed2x2:
            {
                int inputs = s[0], outputs = s[1];
                return PackedWeights.Create(data.Pointer, data.Info.Type, 4 * outputs, inputs,
                    row => (long)(row % outputs) * 4 + row / outputs, i => (long)i * outputs * 4);
            }
            default:
            {
                int n = weight.Shape[0], k = checked((int)(weight.Shape.Count / n));
                return PackedWeights.Create(data.Pointer, data.Info.Type, n, k, row => (long)(order is null ? row : order[row]) * k, i => i);
            }
        }
    }
}
