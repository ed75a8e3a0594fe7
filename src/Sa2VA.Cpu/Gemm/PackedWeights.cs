using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// A weight matrix [N, K] as the GEMM reads it: panels of 32 outputs, [⌈N/32⌉][K][32]; the last panel is padded with
/// zeros. Sixteen-bit types lie in pairs, output j of a panel beside j + 16, which vectors take apart by a shift and a mask. One layout
/// serves all vector widths, the large GEMM, a few rows and the single row of a decode step.
/// For <see cref="PairBlocks"/> pairs are of inputs, [⌈N/32⌉][K/2][32][2], and K is a multiple of <see cref="PairTile.Step"/>, filled up
/// with zeros.
/// Codes of 8 or 4 bits lie as [⌈N/32⌉][⌈K/128⌉], of each group of inputs the scales of 32 outputs in BF16, in pairs, then [128][32] codes:
/// bytes, or output j in the lower and j + 16 in the upper half of a byte.
/// </summary>
internal sealed unsafe class PackedWeights : IDisposable
{
    /// <summary>Outputs per panel.</summary>
    public const int PanelWidth = 32;

    /// <summary>Bytes of a group's scales.</summary>
    public const int ScaleBytes = PanelWidth * sizeof(ushort);

    private readonly AlignedMemory _memory;
    private readonly long _panelBytes;

    /// <summary>Room for a weight in the layout.</summary>
    /// <param name="account">Where it is counted.</param>
    /// <param name="weight">What it will hold.</param>
    /// <param name="layout">In which order.</param>
    /// <param name="type">The weight's stored type, or BF16.</param>
    /// <param name="pairs">What multiplies pairs of inputs of BF16; null: pairs are of outputs.</param>
    /// <param name="bits">8 or 4 for codes; 16 for the type.</param>
    public PackedWeights(MemoryAccount account, Weight weight, WeightLayout layout, DType type, PairBlocks? pairs = null, int bits = 16)
    {
        (Type, Pairs, Bits) = (type, pairs, bits);
        (N, K) = WeightValues.SizeOf(weight, layout);
        Depth = pairs is null ? K : (K + PairTile.Step - 1) / PairTile.Step * PairTile.Step;
        Panels = (N + PanelWidth - 1) / PanelWidth;
        long panelBytes = bits < 16
            ? (long)GroupQuantization.Groups(K) * ScaleBytes + (long)K * CodeBytes : (long)PanelWidth * Depth * Type.Size();
        _panelBytes = panelBytes;
        _memory = new AlignedMemory(account, MemoryPurpose.Weights, Panels * panelBytes, $"weight '{weight.Name}'");
        if (account.CountsOnly) return;
        NativeMemory.Clear(_memory.Pointer + (Panels - 1) * panelBytes, (nuint)panelBytes);
        if (Depth == K) return;
        for (int panel = 0; panel < Panels; panel++)
            NativeMemory.Clear(Panel(panel, K & ~1), (nuint)((long)(Depth - (K & ~1)) * PanelWidth * Type.Size()));
    }

    public DType Type { get; }

    /// <summary>What multiplies them; null: floats, as <see cref="Gemm"/> does.</summary>
    public PairBlocks? Pairs { get; }

    /// <summary>Bits of a code; 16 where weights lie in <see cref="Type"/>.</summary>
    public int Bits { get; }

    /// <summary>Bytes of a row of a panel's codes.</summary>
    public int CodeBytes => PanelWidth * Bits / 8;

    /// <summary>Outputs.</summary>
    public int N { get; }

    /// <summary>Inputs.</summary>
    public int K { get; }

    /// <summary>Inputs as they lie: zeros behind K in pairs of them.</summary>
    public int Depth { get; }

    public int Panels { get; }

    /// <summary>Row <paramref name="k"/>, an even one where inputs lie in pairs, of panel <paramref name="panel"/>.</summary>
    public byte* Panel(int panel, int k = 0) => _memory.Pointer + ((long)panel * Depth + k) * PanelWidth * Type.Size();

    /// <summary>The scales of a group of a panel; its codes lie behind them.</summary>
    public byte* Group(int panel, int group) =>
        _memory.Pointer + panel * _panelBytes + group * (ScaleBytes + (long)GroupQuantization.Group * CodeBytes);

    /// <summary>Fills in a row of codes.</summary>
    /// <param name="place">Panel·32 + lane.</param>
    /// <param name="codes">One for each input.</param>
    /// <param name="scales">One for each group.</param>
    public void FillCodes(int place, ReadOnlySpan<sbyte> codes, ReadOnlySpan<BFloat16> scales)
    {
        const int Half = PanelWidth / 2;
        (int panel, int lane) = (place / PanelWidth, place % PanelWidth);
        for (int g = 0; g < scales.Length; g++)
        {
            byte* at = Group(panel, g);
            ((ushort*)at)[Paired(lane)] = scales[g].Bits;
            at += ScaleBytes;
            foreach (sbyte code in codes[(g * GroupQuantization.Group)..Math.Min(codes.Length, (g + 1) * GroupQuantization.Group)])
            {
                if (Bits == 8) at[lane] = (byte)code;
                else if (lane < Half) at[lane] = (byte)(at[lane] & 0xf0 | code & 0xf);
                else at[lane - Half] = (byte)(at[lane - Half] & 0xf | code << 4);
                at += CodeBytes;
            }
        }
    }

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
        int rows = layout == WeightLayout.Transposed2x2 ? to.N : weight.Shape[0];
        to.Fill(data, firstRow..(firstRow + rows), row => ofRow(row - firstRow), ofColumn,
            layout == WeightLayout.Paired ? row => PairedPlace(row, to) : null);
    }

    /// <summary>Packs its codes.</summary>
    /// <returns>False if a scale is so large that <see cref="CodePanels"/> would not round as the rule does.</returns>
    public static bool PackCodes(QuantizedRows rows, Weight weight, WeightLayout layout, PackedWeights to, int firstRow)
    {
        var codes = new sbyte[to.K];
        var scales = new BFloat16[GroupQuantization.Groups(to.K)];
        for (int row = 0; row < weight.Shape[0]; row++)
        {
            rows.Read(weight.RowOrder is { } order ? order[row] : row, codes, scales);
            foreach (BFloat16 scale in scales)
                if (!CodePanels.Holds(scale.ToSingle())) return false;
            to.FillCodes(layout == WeightLayout.Paired ? PairedPlace(firstRow + row, to) : firstRow + row, codes, scales);
        }
        return true;
    }

    private static int PairedPlace(int row, PackedWeights to)
    {
        int half = PackedWeights.PanelWidth / 2, pairs = to.N / 2;
        return row % pairs / half * PackedWeights.PanelWidth + row / pairs * half + row % pairs % half;
    }
}
