using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A weight matrix [N, K] as the GEMM reads it: panels of 32 outputs, [⌈N/32⌉][K][32], in the stored type; the last panel is padded with
/// zeros. Sixteen-bit types lie in pairs, output j of a panel beside j + 16, which vectors take apart by a shift and a mask. One layout
/// serves all vector widths, the large GEMM, a few rows and the single row of a decode step.
/// </summary>
internal sealed unsafe class PackedWeights : IDisposable
{
    /// <summary>Outputs per panel.</summary>
    public const int PanelWidth = 32;

    private readonly AlignedMemory _memory;

    /// <summary>Room for a weight in the layout.</summary>
    public PackedWeights(MemoryAccount account, Weight weight, WeightLayout layout)
    {
        Type = weight.Info.Type;
        if (!Type.IsFloat()) throw new DeviceException($"Weight {weight} is no float matrix.");
        N = layout == WeightLayout.Transposed2x2 ? 4 * weight.Shape[1] : weight.Shape[0];
        K = checked((int)(weight.Shape.Count / N));
        Panels = (N + PanelWidth - 1) / PanelWidth;
        _memory = new AlignedMemory(account, MemoryPurpose.Weights, (long)Panels * PanelWidth * K * Type.Size(), $"weight '{weight.Name}'");
    }

    public DType Type { get; }

    /// <summary>Outputs.</summary>
    public int N { get; }

    /// <summary>Inputs.</summary>
    public int K { get; }

    public int Panels { get; }

    /// <summary>Row <paramref name="k"/> of panel <paramref name="panel"/>.</summary>
    public byte* Panel(int panel, int k = 0) => _memory.Pointer + ((long)panel * K + k) * PanelWidth * Type.Size();

    /// <summary>
    /// Fills in rows whose elements' position in the source is given by row and input column; those that a panel has beyond the last are
    /// zeros.
    /// </summary>
    /// <param name="data">Stored elements, of this type.</param>
    /// <param name="firstRow">First output to fill in.</param>
    /// <param name="rows">How many.</param>
    /// <param name="rowStart">Source index of the first element of the row at that distance from <paramref name="firstRow"/>.</param>
    /// <param name="column">Distance from there to input k's element.</param>
    public void Fill(byte* data, int firstRow, int rows, Func<int, long> rowStart, Func<int, long> column)
    {
        var columns = new long[K];
        for (int i = 0; i < K; i++) columns[i] = column(i);
        if (Type.Size() == 2) FillRows((ushort*)data, firstRow, rows, rowStart, columns);
        else FillRows((uint*)data, firstRow, rows, rowStart, columns);
    }

    public void Dispose() => _memory.Dispose();

    private int Place(int output) => Type.Size() != 2 ? output : output < PanelWidth / 2 ? 2 * output : 2 * output - PanelWidth + 1;

    private void FillRows<T>(T* data, int firstRow, int rows, Func<int, long> rowStart, long[] columns) where T : unmanaged
    {
        int end = firstRow + rows == N ? Panels * PanelWidth : firstRow + rows;
        for (int row = firstRow; row < end; row++)
        {
            T* to = (T*)Panel(row / PanelWidth) + Place(row % PanelWidth);
            if (row >= N)
            {
                for (int k = 0; k < K; k++) to[(long)k * PanelWidth] = default;
                continue;
            }
            T* from = data + rowStart(row - firstRow);
            for (int k = 0; k < K; k++) to[(long)k * PanelWidth] = from[columns[k]];
        }
    }
}

/// <summary>Reads stored weights in the orders that ops need.</summary>
internal static unsafe class WeightPacking
{
    /// <summary>Packs a stored weight's outputs from <paramref name="firstRow"/> on.</summary>
    public static void Pack(WeightData data, Weight weight, WeightLayout layout, PackedWeights to, int firstRow)
    {
        Shape s = data.Info.Shape;
        int[]? order = weight.RowOrder;
        int k = to.K;
        switch (layout)
        {
            case WeightLayout.ChannelsLast:
                int channels = s[1], area = s[2] * s[3];
                to.Fill(data.Pointer, firstRow, to.N, row => (long)row * k, i => (long)(i % channels) * area + i / channels);
                break;
            case WeightLayout.Transposed2x2:
                int outputs = s[1];
                to.Fill(data.Pointer, firstRow, to.N, row => (long)(row % outputs) * 4 + row / outputs, i => (long)i * outputs * 4);
                break;
            default:
                to.Fill(data.Pointer, firstRow, weight.Shape[0], row => (long)(order is null ? row : order[row]) * k, i => i);
                break;
        }
    }
}
