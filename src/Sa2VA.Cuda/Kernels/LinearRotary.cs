using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Kernels;

/// <summary>There are those for tensor cores alone: <see cref="Suits"/>.</summary>
internal sealed class LinearRotaryKernel : Kernel
{
    // What a thread finishes at once; as many of a head's first half and of its second take turns among the weight's rows.
    private const int Quad = 4;

    private static readonly ProductFamily Family = new("linear_rotary", [TensorTile.Square, TensorTile.Small], SkinnyTile.Middle,
        SkinnyTile.Narrow, SkinnyTile.NarrowInt8, SkinnyTile.NarrowInt4) { IsOfChunksAlone = true, HopperTiles = HopperTile.Heads };

    private readonly LinearRotary _op;
    private readonly ulong _bias;
    private readonly ProductKernels _product;
    private readonly RowIndexCheck? _positions, _rows;

    public LinearRotaryKernel(LinearRotary op, PlanContext context)
    {
        (_op, Weight weight, Weight? bias) = (op, op.Weight, op.Bias);
        if (op.Pairing == RotaryPairing.Half)
        {
            int[] order = Regrouped(weight.Shape[0], op.RotatedColumns, op.Cos.Shape.Last);
            (weight, bias) = (weight.Permute(order), bias?.Permute(order));
        }
        _bias = context.Vector(bias);
        _product = new ProductKernels(context, op, Family, op.Inputs[0].Shape.Rows, context.MatrixOrCodes(op, weight));
        if (op.Positions is { } positions) _positions = RowIndexCheck.For(context, op, positions, op.Cos, -1, "rows of the table");
        if (op.Rows is { } rows) _rows = RowIndexCheck.For(context, op, rows, op.Keys!, -1, "rows of the state");
    }

    /// <summary>True for a product that tensor cores make, of operands in whole chunks, whose heads consist of pairs of quads.</summary>
    public static bool Suits(LinearRotary op, Precision precision)
    {
        Tensor x = op.Inputs[0];
        return precision.IsNarrow() && !op.Output.KeepsFloat && x.Type == DType.BF16
            && (x.Offset | (long)x.RowStride | (long)x.Shape.Last) % ProductKernels.ChunkSize == 0
            && IsInQuads(op.Cos) && IsInQuads(op.Sin);
    }

    public override void Launch(LaunchContext c)
    {
        var arguments = new Arguments
        {
            Run = c.Run,
            X = c.View(_op.Inputs[0]),
            Weight = _product.Weight(c),
            Cos = c.View(_op.Cos),
            Sin = c.View(_op.Sin),
            Positions = c.View(_op.Positions),
            Rows = c.View(_op.Rows),
            Y = c.View(_op.Output),
            Keys = c.View(_op.Keys),
            Values = c.View(_op.Values),
            Bias = _bias,
            Rotated = _op.RotatedColumns,
            Pairing = _op.Pairing,
        };
        _positions?.Launch(c, arguments.Positions, arguments.Cos);
        _rows?.Launch(c, arguments.Rows, arguments.Keys);
        _product.Launch(c.Stream, arguments.X, arguments.Weight, arguments);
    }

    private static bool IsInQuads(Tensor table) =>
        table.Kind == TensorKind.Constant && (table.Offset | (long)table.RowStride | (long)table.Shape.Last) % Quad == 0;

    /// <summary>Which of the product's columns stands where.</summary>
    private static int[] Regrouped(int columns, int rotated, int pairs)
    {
        var order = new int[columns];
        for (int i = 0; i < columns; i++)
        {
            int channel = i % (2 * pairs), of = channel / (2 * Quad) * Quad + channel % Quad;
            order[i] = i >= rotated ? i : i - channel + (channel % (2 * Quad) < Quad ? of : of + pairs);
        }
        return order;
    }

    /// <summary>RotaryArguments of <c>kernels/common/linear_rotary.cuh</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Arguments
    {
        public RunArguments Run;
        public View X, Weight, Cos, Sin, Positions, Rows, Y, Keys, Values;
        public ulong Bias;
        public int Rotated;
        public RotaryPairing Pairing;
    }
}
