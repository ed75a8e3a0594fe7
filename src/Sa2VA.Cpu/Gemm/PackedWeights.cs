using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A weight matrix [N, K] as the GEMM reads it: panels of 32 outputs, [⌈N/32⌉][K][32]; the last panel is padded with
/// zeros. Sixteen-bit types lie in pairs, output j of a panel beside j + 16, which vectors take apart by a shift and a mask. One layout
/// serves all vector widths, the large GEMM, a few rows and the single row of a decode step.
/// For <see cref="PairBlocks"/> pairs are of inputs, [⌈N/32⌉][K/2][32][2], and K is a multiple of <see cref="PairTile.Step"/>, filled up
/// with zeros.
/// </summary>
internal sealed unsafe class PackedWeights : IDisposable
{
    /// <summary>Outputs per panel.</summary>
    public const int PanelWidth = 32;

    private readonly AlignedMemory _memory;

    /// <summary>Room for a weight in the layout.</summary>
    /// <param name="account">Where it is counted.</param>
    /// <param name="weight">What it will hold.</param>
    /// <param name="layout">In which order.</param>
    /// <param name="type">The weight's stored type, or BF16.</param>
    /// <param name="pairs">What multiplies pairs of inputs of BF16; null: pairs are of outputs.</param>
    public PackedWeights(MemoryAccount account, Weight weight, WeightLayout layout, DType type, PairBlocks? pairs = null)
    {
        (Type, Pairs) = (type, pairs);
        (N, K) = WeightValues.SizeOf(weight, layout);
        Depth = pairs is null ? K : (K + PairTile.Step - 1) / PairTile.Step * PairTile.Step;
        Panels = (N + PanelWidth - 1) / PanelWidth;
        long panelBytes = (long)PanelWidth * Depth * Type.Size();
        _memory = new AlignedMemory(account, MemoryPurpose.Weights, Panels * panelBytes, $"weight '{weight.Name}'");
        if (account.CountsOnly) return;
        NativeMemory.Clear(Panel(Panels - 1), (nuint)panelBytes);
        if (Depth == K) return;
        for (int panel = 0; panel < Panels; panel++)
            NativeMemory.Clear(Panel(panel, K & ~1), (nuint)((long)(Depth - (K & ~1)) * PanelWidth * Type.Size()));
    }

    public DType Type { get; }

    /// <summary>What multiplies them; null: floats, as <see cref="Gemm"/> does.</summary>
    public PairBlocks? Pairs { get; }

    /// <summary>Outputs.</summary>
    public int N { get; }

    /// <summary>Inputs.</summary>
    public int K { get; }

    /// <summary>Inputs as they lie: zeros behind K in pairs of them.</summary>
    public int Depth { get; }

    public int Panels { get; }

    /// <summary>Row <paramref name="k"/>, an even one where inputs lie in pairs, of panel <paramref name="panel"/>.</summary>
    public byte* Panel(int panel, int k = 0) => _memory.Pointer + ((long)panel * Depth + k) * PanelWidth * Type.Size();

    /// <summary>
    /// Fills in rows, rounded to nearest where they are stored in another type; what the last panel has beyond the last row stays zero.
    /// </summary>
    /// <param name="data">Stored elements.</param>
    /// <param name="rows">Which rows.</param>
    /// <param name="rowStart">Source index of a row's first element.</param>
    /// <param name="column">Distance from there to input k's element.</param>
    /// <param name="place">Where a row goes: panel·32 + lane; in order if null.</param>
    public void Fill(WeightData data, Range rows, Func<int, long> rowStart, Func<int, long> column, Func<int, int>? place = null)
    {
        var columns = new long[K];
        for (int i = 0; i < K; i++) columns[i] = column(i);
        for (int row = rows.Start.Value; row < rows.End.Value; row++)
        {
            int to = place is null ? row : place(row);
            byte* panel = Panel(to / PanelWidth), from = data.Pointer + rowStart(row) * data.Info.Type.Size();
            if (Type.Size() == 4) FillRow((uint*)from, columns, (uint*)panel + to % PanelWidth);
            else if (Type == data.Info.Type) FillRow((ushort*)from, columns, (ushort*)panel + Paired(to % PanelWidth));
            else RoundRow(from, data.Info.Type, columns, (ushort*)panel + Paired(to % PanelWidth));
        }
    }

    public void Dispose() => _memory.Dispose();

    private int Paired(int lane) => Pairs is not null || lane < PanelWidth / 2 ? 2 * lane : 2 * lane - PanelWidth + 1;

    // Input k of an output, from its first one on.
    private long At(int k) => Pairs is null ? (long)k * PanelWidth : (long)(k & ~1) * PanelWidth + (k & 1);

    private void FillRow<T>(T* from, long[] columns, T* to) where T : unmanaged
    {
        for (int k = 0; k < columns.Length; k++) to[At(k)] = from[columns[k]];
    }

    private void RoundRow(byte* from, DType type, long[] columns, ushort* to)
    {
        for (int k = 0; k < columns.Length; k++)
        {
            float value = type == DType.F32 ? ((float*)from)[columns[k]] : (float)((Half*)from)[columns[k]];
            to[At(k)] = BFloat16.FromSingle(value).Bits;
        }
    }
}

/// <summary>Reads stored weights in the orders that ops need.</summary>
internal static unsafe class WeightPacking
{
    /// <summary>Packs a stored weight's outputs from <paramref name="firstRow"/> on.</summary>
    public static void Pack(WeightData data, Weight weight, WeightLayout layout, PackedWeights to, int firstRow)
    {
        (Func<int, long> ofRow, Func<int, long> ofColumn) = WeightValues.Places(data, weight, layout);
        int rows = layout == WeightLayout.Transposed2x2 ? to.N : weight.Shape[0], half = PackedWeights.PanelWidth / 2, pairs = to.N / 2;
        to.Fill(data, firstRow..(firstRow + rows), row => ofRow(row - firstRow), ofColumn, layout == WeightLayout.Paired
            ? row => row % pairs / half * PackedWeights.PanelWidth + row / pairs * half + row % pairs % half
            : null);
    }
}
