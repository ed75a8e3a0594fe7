using System.Runtime.Intrinsics;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Conversions between stored float types and F32, one row at a time. Every conversion is exact or rounds to nearest even.
/// </summary>
internal static unsafe class Widen
{
    /// <summary>Elements [offset, offset + to.Length) of stored floats, as F32.</summary>
    public static void Row(byte* from, DType type, long offset, Span<float> to)
    {
        switch (type)
        {
            case DType.F32:
                new ReadOnlySpan<float>((float*)from + offset, to.Length).CopyTo(to);
                break;
            case DType.BF16:
                FromBFloat16(new ReadOnlySpan<ushort>((ushort*)from + offset, to.Length), to);
                break;
            default:
                var halves = new ReadOnlySpan<Half>((Half*)from + offset, to.Length);
                for (int i = 0; i < to.Length; i++) to[i] = (float)halves[i];
                break;
        }
    }

    /// <summary>
    /// The view itself where it is F32. Else its rows [first, first + count) widened into scratch, which a view of F32 finds under their
    /// old numbers.
    /// </summary>
    public static RowView Rows(in RowView from, long first, long count, float* scratch)
    {
        if (from.Type == DType.F32) return from;
        int columns = from.Columns, size = from.Type.Size();
        for (long r = 0; r < count; r++)
            Row(from.Pointer + (first + r) * from.RowStride * size, from.Type, 0, new Span<float>(scratch + r * columns, columns));
        return InScratch(from, first, scratch);
    }

    /// <summary>A view of F32 that finds the view's rows from <paramref name="first"/> on in scratch, under their numbers.</summary>
    public static RowView InScratch(in RowView view, long first, float* scratch) =>
        new((byte*)(scratch - first * view.Columns), DType.F32, view.Rows, view.Columns, view.Columns);

    /// <summary>
    /// Pointers to columns [column, column + width) of rows [first, first + count): into the view where it is F32, else widened into
    /// scratch [count, width].
    /// </summary>
    public static void Columns(in RowView from, long first, int count, int column, int width, float* scratch, float** rows)
    {
        Targets(from, first, count, column, width, scratch, rows);
        if (from.Type == DType.F32) return;
        for (int i = 0; i < count; i++)
            Row(from.Pointer, from.Type, (first + i) * from.RowStride + column, new Span<float>(rows[i], width));
    }

    /// <summary>The pointers of <see cref="Columns"/>, to write to: <see cref="StoreColumns"/> ends it.</summary>
    public static void Targets(in RowView view, long first, int count, int column, int width, float* scratch, float** rows)
    {
        for (int i = 0; i < count; i++)
            rows[i] = view.Type == DType.F32 ? view.Row(first + i) + column : scratch + (long)i * width;
    }

    /// <summary>Rounds what was written to <see cref="Targets"/>; nothing is left to do where the view is F32.</summary>
    public static void StoreColumns(float** rows, in RowView to, long first, int count, int column, int width)
    {
        if (to.Type == DType.F32) return;
        for (int i = 0; i < count; i++)
            Store(new ReadOnlySpan<float>(rows[i], width), to.Pointer, to.Type, (first + i) * to.RowStride + column);
    }

    /// <summary>Rounds rows [first, first + count) of F32 to what a view stores.</summary>
    public static void Store(in RowView from, in RowView to, long first, long count)
    {
        for (long r = first; r < first + count; r++)
            Store(new ReadOnlySpan<float>(from.Row(r), to.Columns), to.Pointer + r * to.RowStride * to.Type.Size(), to.Type, 0);
    }

    /// <summary>F32 elements stored as <paramref name="type"/>.</summary>
    public static void Store(ReadOnlySpan<float> from, byte* to, DType type, long offset)
    {
        switch (type)
        {
            case DType.F32:
                from.CopyTo(new Span<float>((float*)to + offset, from.Length));
                break;
            case DType.BF16:
                ToBFloat16(from, new Span<ushort>((ushort*)to + offset, from.Length));
                break;
            default:
                var halves = new Span<Half>((Half*)to + offset, from.Length);
                for (int i = 0; i < from.Length; i++) halves[i] = (Half)from[i];
                break;
        }
    }

    /// <summary>Exactly.</summary>
    public static void FromBFloat16(ReadOnlySpan<ushort> from, Span<float> to)
    {
        int i = 0;
        for (; i <= from.Length - 16; i += 16)
        {
            (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Create(from.Slice(i, 16)));
            Vector256.ShiftLeft(low, 16).AsSingle().CopyTo(to[i..]);
            Vector256.ShiftLeft(high, 16).AsSingle().CopyTo(to[(i + 8)..]);
        }
        for (; i < from.Length; i++) to[i] = new BFloat16(from[i]).ToSingle();
    }

    /// <summary>To nearest, ties to even.</summary>
    public static void ToBFloat16(ReadOnlySpan<float> from, Span<ushort> to)
    {
        int i = 0;
        for (; i <= from.Length - 16; i += 16)
            Vector256.Narrow(Rounded(Vector256.Create(from.Slice(i, 8))), Rounded(Vector256.Create(from.Slice(i + 8, 8)))).CopyTo(to[i..]);
        for (; i < from.Length; i++) to[i] = BFloat16.FromSingle(from[i]).Bits;
    }

    /// <summary>The upper halves of <see cref="BFloat16.FromSingle"/>, in the lower ones.</summary>
    private static Vector256<uint> Rounded(Vector256<float> values)
    {
        Vector256<uint> bits = values.AsUInt32(), upper = Vector256.ShiftRightLogical(bits, 16);
        Vector256<uint> nearest = Vector256.ShiftRightLogical(bits + Vector256.Create(0x7fffu) + (upper & Vector256<uint>.One), 16);
        return Vector256.ConditionalSelect(Vector256.Equals(values, values).AsUInt32(), nearest, upper | Vector256.Create(0x40u));
    }
}
