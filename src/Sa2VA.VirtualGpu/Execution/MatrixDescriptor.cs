using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Where a product of a warpgroup finds an operand in shared memory: begin, two strides, swizzle. Memory is read in pieces of 16 bytes,
/// eight elements.
/// </summary>
internal readonly unsafe struct MatrixDescriptor(ulong bits)
{
    /// <summary>The repeating pattern begins elsewhere than at a multiple of its size: not supported.</summary>
    public bool HasBaseOffset => (bits >> 49 & 7) != 0;

    private uint Start => Field(0);

    private uint Leading => Field(16);

    private uint Stride => Field(32);

    private int Span => (int)(bits >> 62) switch { 1 => 128, 2 => 64, 3 => 32, _ => 0 };

    private uint Field(int at) => (uint)(bits >> at & 0x3fff) << 4;

    /// <summary>Elements side by side are those of one row (K-major): the piece of a row that holds k = 8·half … 8·half + 7.</summary>
    public uint RowPiece(int row, int half)
    {
        uint group = Start + (uint)(row / 8) * Stride, within = (uint)(row % 8);
        return Span == 0 ? group + (uint)half * Leading + within * 16
            : Swizzle.Of(group + within * (uint)Span + (uint)half * 16, Span);
    }

    /// <summary>The pieces of eight rows, the first a multiple of eight: their first halves, then their second ones.</summary>
    public void EightRows(int row, uint* pieces)
    {
        uint group = Start + (uint)(row / 8) * Stride, pitch = Span == 0 ? 16 : (uint)Span, half = Span == 0 ? Leading : 16;
        Vector256<uint> first = Vector256.Create(group) + Vector256<uint>.Indices * Vector256.Create(pitch);
        Swizzled(first).Store(pieces);
        Swizzled(first + Vector256.Create(half)).Store(pieces + 8);
    }

    private Vector256<uint> Swizzled(Vector256<uint> address) =>
        Span == 0 ? address : address ^ (address >>> 7 & Vector256.Create((uint)Span / 16 - 1)) << 4;

    /// <summary>Whether all pieces of so many rows certainly end before that place: a swizzle stays within 128 bytes.</summary>
    public bool EndsBefore(int rows, bool transposed, int place)
    {
        uint last = (uint)(rows - 1) / 8, columns = Span == 0 ? 1 : (uint)Span / 16;
        ulong end = Start + (transposed
            ? Span == 0 ? (ulong)last * Stride + Leading + 7 * 16 : (ulong)(last / columns) * Leading + Stride + 8 * (ulong)Span
            : Span == 0 ? (ulong)last * Stride + Leading + 7 * 16 : (ulong)last * Stride + 7 * (ulong)Span + 16);
        return (end | 127) < (ulong)place;
    }

    /// <summary>Elements side by side are those of one k (transposed): the piece that holds its rows 8·group … 8·group + 7.</summary>
    public uint ColumnPiece(int group, int k)
    {
        uint within = (uint)(k % 8), half = (uint)(k / 8);
        if (Span == 0) return Start + (uint)group * Stride + half * Leading + within * 16;
        int wide = Span / 16;
        return Swizzle.Of(Start + (uint)(group / wide) * Leading + half * Stride + within * (uint)Span + (uint)(group % wide) * 16, Span);
    }
}
