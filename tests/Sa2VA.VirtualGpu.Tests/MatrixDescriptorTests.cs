using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>What is told of many pieces at once is what they are one by one, for any descriptor.</summary>
public sealed unsafe class MatrixDescriptorTests
{
    [Fact]
    public void Eight_rows_are_their_pieces_and_no_piece_is_beyond_a_place_that_all_end_before()
    {
        var random = new Random(6);
        uint* pieces = stackalloc uint[16];
        int within = 0;
        for (int run = 0; run < 20000; run++)
        {
            ulong Field(int bits) => (ulong)random.Next(1 << bits);
            // Begin, two strides of any size, swizzle.
            var d = new MatrixDescriptor(Field(random.Next(1, 15)) | Field(random.Next(1, 15)) << 16 | Field(random.Next(1, 15)) << 32
                | (ulong)random.Next(4) << 62);
            int rows = 8 * random.Next(1, 33);
            d.EightRows(rows - 8, pieces);
            for (int n = 0; n < 16; n++) Assert.Equal(d.RowPiece(rows - 8 + n % 8, n / 8), pieces[n]);
            foreach (bool transposed in (bool[])[false, true])
            {
                long end = 0;
                for (int row = 0; row < rows; row += 8)
                    for (int n = 0; n < 16; n++)
                        end = Math.Max(end, (transposed ? d.ColumnPiece(row / 8, n) : d.RowPiece(row + n % 8, n / 8)) + 16L);
                int place = (int)Math.Min(end, int.MaxValue - 4096);
                Assert.False(d.EndsBefore(rows, transposed, place - 1));
                // A place well behind is not refused.
                if (d.EndsBefore(rows, transposed, place + 2048)) within++;
            }
        }
        Assert.InRange(within, 20000, 40000);
    }
}
