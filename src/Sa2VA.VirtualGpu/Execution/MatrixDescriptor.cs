namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Where a product of a warpgroup finds an operand in shared memory: begin, two strides, swizzle. Memory is read in pieces of 16 bytes,
/// eight elements.
/// </summary>
internal readonly struct MatrixDescriptor(ulong bits)
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

    /// <summary>Elements side by side are those of one k (transposed): the piece that holds its rows 8·group … 8·group + 7.</summary>
    public uint ColumnPiece(int group, int k)
    {
        uint within = (uint)(k % 8), half = (uint)(k / 8);
        if (Span == 0) return Start + (uint)group * Stride + half * Leading + within * 16;
        int wide = Span / 16;
        return Swizzle.Of(Start + (uint)(group / wide) * Leading + half * Stride + within * (uint)Span + (uint)(group % wide) * 16, Span);
    }
}
