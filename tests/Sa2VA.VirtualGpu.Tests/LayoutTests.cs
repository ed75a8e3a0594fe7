using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// Layouts of shared memory that are formulas, over all rows and lanes: eight lanes of 16 bytes, sixteen of 8 or 32 of 4 meet no bank
/// twice. That kernels use them so is counted where they run (LaunchAccessTests of the backends' tests).
/// </summary>
public sealed class LayoutTests
{
    private const int Chunk = 16, Float = 4, Pair = 8;

    private static int Wavefronts(int lanes, int bytes, Func<int, int> address) =>
        AccessCounter.Wavefronts([.. Enumerable.Range(0, lanes).Select(l => (ulong)address(l))], bytes);

    /// <summary>Fragments: rows of one chunk, eight for each matrix.</summary>
    private static int OfMatrix(Func<int, int, int> place, int row, int chunk) => Wavefronts(8, Chunk, l => place(row + l, chunk));

    /// <summary>chunk_offset of kernels/common/tensor_product.cuh: chunks of a row are turned by the row.</summary>
    private static Func<int, int, int> Turned(int depth, int by = 1) =>
        (row, chunk) => (row * (depth / 8) + (chunk ^ row * by % 8)) * Chunk;

    [Theory]
    [InlineData(64)]
    [InlineData(128)]
    public void Stages_of_products(int depth)
    {
        const int Rows = 128;
        int chunks = depth / 8;
        Func<int, int, int> place = Turned(depth);
        // A place for each chunk, and no other.
        Assert.Equal(Enumerable.Range(0, Rows * chunks).Select(n => n * Chunk),
            Enumerable.Range(0, Rows * chunks).Select(n => place(n / chunks, n % chunks)).Order());
        for (int row = 0; row < Rows; row += 8)
            for (int chunk = 0; chunk < chunks; chunk++) Assert.Equal(1, OfMatrix(place, row, chunk));
        // Copies: neighbouring lanes have neighbouring chunks.
        for (int first = 0; first < Rows * chunks; first += 32)
            Assert.Equal(4, Wavefronts(32, Chunk, l => place((first + l) / chunks, (first + l) % chunks)));
        // Not turned, or turned by every second row, the eight rows meet.
        Assert.Equal(8, OfMatrix(Turned(depth, by: 0), 0, 0));
        Assert.Equal(2, OfMatrix(Turned(depth, by: 2), 0, 0));
    }

    /// <summary>
    /// Boxes with a swizzle of 128 bytes: what a tensor map writes is the stage of <see cref="Stages_of_products"/>, sixteen numbers on are
    /// 32 bytes on in a descriptor, and the eight rows of a product's factor meet no bank twice.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1024)]
    [InlineData(0x4800)]
    public void Boxes_of_products_by_warpgroups(int begin)
    {
        Func<int, int, int> place = Turned(64);
        for (int row = 0; row < 256; row++)
            for (int chunk = 0; chunk < 8; chunk++)
                Assert.Equal(begin + place(row, chunk), (int)Swizzle.Of((uint)(begin + row * 128 + chunk * Chunk), 128));
        for (int row = 0; row < 256; row += 8)
            for (int step = 0; step < 4; step++)
                for (int half = 0; half < 2; half++)
                    Assert.Equal(1, Wavefronts(8, Chunk,
                        l => (int)Swizzle.Of((uint)(begin + 32 * step + (row + l) * 128 + half * Chunk), 128)));
        // Of boxes that begin elsewhere rows and chunks would be others.
        Assert.NotEqual(begin + 128 + place(1, 0), (int)Swizzle.Of((uint)(begin + 128 + 128), 128));
    }

    /// <summary>Rows of attention are an odd number of 16 bytes apart: queries and keys, values, straight and turned over.</summary>
    [Theory]
    [InlineData(16)]
    [InlineData(32)]
    [InlineData(64)]
    [InlineData(72)]
    [InlineData(80)]
    [InlineData(128)]
    [InlineData(256)]
    public void Rows_of_attention(int width)
    {
        int keyPitch = ((width + 15) / 16 * 2 | 1) * Chunk, valuePitch = (width / 8 | 1) * Chunk;
        foreach (int pitch in (int[])[keyPitch, valuePitch])
        {
            int Place(int row, int chunk) => row * pitch + chunk * Chunk;
            for (int row = 0; row < 128; row++)
                for (int chunk = 0; chunk < pitch / Chunk; chunk++) Assert.Equal(1, OfMatrix(Place, row, chunk));
            // Eight lanes copy a row's chunks.
            for (int row = 0; row < 128; row++) Assert.Equal(1, Wavefronts(Math.Min(8, width / 8), Chunk, l => Place(row, l)));
        }
        Assert.InRange(OfMatrix((row, chunk) => row * (keyPitch - Chunk) + chunk * Chunk, 0, 0), 2, 8);
    }

    /// <summary>
    /// Sums as fragments have them, pairs of floats in rows of a band: those of tiles (SumPitch), of a warp's piece (PieceQuads), of
    /// attention (store_results). Rows of a multiple of 16 and eight floats more meet no bank twice; of 8 and 72 they meet in pairs.
    /// </summary>
    [Theory]
    [InlineData(128, 1)]
    [InlineData(96, 1)]
    [InlineData(64, 1)]
    [InlineData(32, 1)]
    [InlineData(16, 1)]
    [InlineData(80, 1)]
    [InlineData(256, 1)]
    [InlineData(8, 2)]
    [InlineData(72, 2)]
    public void Sums_of_fragments(int columns, int wavefronts)
    {
        int Place(int row, int column) => (row * (columns + 8) + column) * Float;
        for (int group = 0; group < columns / 8; group++)
            for (int half = 0; half < 2; half++)
                Assert.Equal(2 * wavefronts, Wavefronts(32, Pair, l => Place(half * 8 + l / 4, 8 * group + l % 4 * 2)));
        Assert.Equal(columns % 32 == 0 ? 8 : columns % 16 == 0 ? 4 : 2,
            Wavefronts(32, Pair, l => (l / 4 * columns + l % 4 * 2) * Float));
    }

    /// <summary>Codes of a stage lie as lanes read them: 16 bytes a lane in 8 bits, 8 in 4.</summary>
    [Theory]
    [InlineData(8, 16, 4)]
    [InlineData(4, 8, 2)]
    public void Codes_of_skinny_products(int bits, int bytes, int wavefronts)
    {
        int row = 64 * bits / 8;
        Assert.Equal(wavefronts, Wavefronts(32, bytes, l => l / 4 * row + l % 4 * (row / 4)));
    }

    /// <summary>Rows of the head's x (place_of of kernels/linear_arg_max_rows.cu): the halves of the lanes' eights side by side.</summary>
    [Fact]
    public void Eights_of_the_head()
    {
        const int Stretch = 256;
        int Place(int k) => k / Stretch * Stretch + k % 8 / 4 * (Stretch / 2) + k % Stretch / 8 * 4 + k % 4;
        Assert.Equal(Enumerable.Range(0, 1024), Enumerable.Range(0, 1024).Select(Place).Order());
        for (int first = 0; first < 1024; first += Stretch)
            for (int half = 0; half < 2; half++)
            {
                Assert.Equal(Enumerable.Range(0, 32).Select(l => first + 8 * l + 4 * half).Select(Place),
                    Enumerable.Range(0, 32).Select(l => first + half * (Stretch / 2) + 4 * l));
                Assert.Equal(4, Wavefronts(32, Chunk, l => Place(first + 8 * l + 4 * half) * Float));
            }
        // As they come, lanes of eights would meet in pairs.
        Assert.Equal(8, Wavefronts(32, Chunk, l => 8 * l * Float));
    }
}
