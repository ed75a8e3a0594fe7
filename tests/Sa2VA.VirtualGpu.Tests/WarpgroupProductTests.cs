namespace Sa2VA.VirtualGpu.Tests;

/// <summary>
/// Products of a warpgroup of small integers, which are exact, with operands in every layout that a matrix descriptor can tell. The layouts
/// are written here as the PTX manual draws them.
/// </summary>
public sealed class WarpgroupProductTests
{
    private const int K = 16;

    /// <summary>Where element (row, k) of an operand lies, in bytes, for rows that lie side by side (K-major) or not.</summary>
    private static int Place(bool transposed, int span, int leading, int stride, int row, int k)
    {
        if (span == 0)
            return transposed
                ? row / 8 * stride + k / 8 * leading + k % 8 * 16 + row % 8 * 2
                : row / 8 * stride + k / 8 * leading + row % 8 * 16 + k % 8 * 2;
        int line, at;
        if (transposed)
        {
            // Lines of one k, as many rows wide as the span holds; further rows are a leading stride away.
            line = k;
            at = row % (span / 2) * 2;
        }
        else
        {
            line = row;
            at = k * 2;
        }
        // The piece of 16 bytes is exchanged with another of its line: by the line in 128 bytes, by pairs of lines in 64, by fours in 32.
        int piece = at / 16 ^ line % 8 / (128 / span) % (span / 16);
        int block = transposed ? row / (span / 2) * leading + k / 8 * stride : row / 8 * stride;
        return block + line % 8 * span + piece * 16 + at % 16;
    }

    private static ulong Descriptor(int start, int span, int leading, int stride) =>
        (ulong)(uint)(start >> 4) | (ulong)(uint)(leading >> 4) << 16 | (ulong)(uint)(stride >> 4) << 32
        | span switch { 128 => 1ul, 64 => 2, 32 => 3, _ => 0 } << 62;

    private static int[,] Random(int seed, int rows)
    {
        var random = new Random(seed);
        var x = new int[rows, K];
        for (int r = 0; r < rows; r++)
            for (int k = 0; k < K; k++) x[r, k] = random.Next(-8, 9);
        return x;
    }

    private static void Put(ushort[] image, int start, int[,] x, Func<int, int, int> place)
    {
        for (int r = 0; r < x.GetLength(0); r++)
            for (int k = 0; k < K; k++) image[(start + place(r, k)) / 2] = PtxFiles.ToBFloat16(x[r, k]);
    }

    private static void Check(int[,] a, int[,] b, float[,] sums, int sign = 1, float first = 0)
    {
        for (int m = 0; m < 64; m++)
            for (int n = 0; n < b.GetLength(0); n++)
            {
                int sum = 0;
                for (int k = 0; k < K; k++) sum += a[m, k] * b[n, k];
                Assert.Equal(first + sign * sum, sums[m, n]);
            }
    }

    [Theory]
    // K-major: rows of the span's size, eight of them behind each other, then the stride.
    [InlineData(false, 128, 16, 1024, 128)]
    [InlineData(false, 64, 16, 512, 64)]
    [InlineData(false, 32, 16, 256, 64)]
    [InlineData(false, 0, 128, 256, 32)]
    [InlineData(false, 0, 2048, 128, 128)]
    // Transposed, as a card was found to take them: 64 columns in one chunk, eight in the next, chunks of 64 terms.
    [InlineData(true, 128, 8192, 1024, 72)]
    [InlineData(true, 128, 8192, 1024, 64)]
    [InlineData(true, 64, 4096, 512, 72)]
    [InlineData(true, 32, 2048, 256, 72)]
    [InlineData(true, 0, 128, 256, 80)]
    public void The_right_operand_is_found_in_every_layout(bool transposed, int span, int leading, int stride, int columns)
    {
        const int Start = 8192, Bytes = 32768;
        int[,] a = Random(1, 64), b = Random(2, columns);
        var image = new ushort[Bytes / 2];
        Array.Fill(image, (ushort)0x7fc0);
        Put(image, 0, a, (r, k) => Place(false, 128, 0, 1024, r, k));
        Put(image, Start, b, (r, k) => Place(transposed, span, leading, stride, r, k));
        string text = HopperKernel.Product(columns, Bytes, transposed ? "1, 1, 0, 1" : "1, 1, 0, 0");
        ulong left = Descriptor(0, 128, 16, 1024), right = Descriptor(Start, span, leading, stride);
        Check(a, b, HopperKernel.Multiply(text, columns, image, left, right, adds: false));
        Check(a, b, HopperKernel.Multiply(text, columns, image, left, right, adds: true, seed: 2), first: 2);
    }

    [Theory]
    [InlineData(false, 64, 16, 512)]
    [InlineData(false, 32, 16, 256)]
    [InlineData(false, 0, 128, 256)]
    [InlineData(true, 128, 2048, 1024)]
    [InlineData(true, 64, 2048, 512)]
    [InlineData(true, 0, 1024, 128)]
    public void The_left_operand_is_found_in_every_layout(bool transposed, int span, int leading, int stride)
    {
        const int Start = 8192, Bytes = 16384, Columns = 8;
        int[,] a = Random(3, 64), b = Random(4, Columns);
        var image = new ushort[Bytes / 2];
        Array.Fill(image, (ushort)0x7fc0);
        Put(image, 0, a, (r, k) => Place(transposed, span, leading, stride, r, k));
        Put(image, Start, b, (r, k) => Place(false, 128, 0, 1024, r, k));
        string text = HopperKernel.Product(Columns, Bytes, transposed ? "1, 1, 1, 0" : "1, 1, 0, 0");
        ulong left = Descriptor(0, span, leading, stride), right = Descriptor(Start, 128, 16, 1024);
        Check(a, b, HopperKernel.Multiply(text, Columns, image, left, right, adds: false));
    }

    [Fact]
    public void A_start_within_a_line_takes_later_terms()
    {
        const int Columns = 32, Bytes = 16384, Start = 8192;
        int[,] a = Random(5, 64), b = Random(6, Columns);
        var image = new ushort[Bytes / 2];
        // Terms 32 … 47 of lines of 64: 64 bytes into each line, before the exchange.
        int Later(int row, int k) => row / 8 * 1024 + row % 8 * 128 + (4 + k / 8 ^ row % 8) * 16 + k % 8 * 2;
        Put(image, 0, a, Later);
        Put(image, Start, b, Later);
        Check(a, b, HopperKernel.Multiply(HopperKernel.Product(Columns, Bytes, "1, 1, 0, 0"), Columns, image,
            Descriptor(64, 128, 16, 1024), Descriptor(Start + 64, 128, 16, 1024), adds: false));
    }

    [Theory]
    [InlineData("-1, 1, 0", -1)]
    [InlineData("-1, -1, 0", 1)]
    public void The_left_operand_may_be_in_registers(string flags, int sign)
    {
        const int Columns = 256, Bytes = 16384, Start = 8192;
        int[,] a = Random(7, 64), b = Random(8, Columns);
        var image = new ushort[Bytes / 2];
        for (int thread = 0; thread < 128; thread++)
            for (int n = 0; n < 8; n++)
            {
                int lane = thread % 32, row = thread / 32 * 16 + lane / 4 + n / 2 % 2 * 8, k = n / 4 * 8 + 2 * (lane % 4) + n % 2;
                image[thread * 8 + n] = PtxFiles.ToBFloat16(a[row, k]);
            }
        Put(image, Start, b, (r, k) => Place(false, 32, 0, 256, r, k));
        string text = HopperKernel.Product(Columns, Bytes, flags, fragment: true);
        Check(a, b, HopperKernel.Multiply(text, Columns, image, 0, Descriptor(Start, 32, 16, 256), adds: false), sign);
    }

    [Fact]
    public void Sums_are_those_of_an_older_product()
    {
        const int Columns = 8, Bytes = 16384, Start = 8192;
        var image = new ushort[Bytes / 2];
        var random = new Random(9);
        var a = new float[64, K];
        var b = new float[Columns, K];
        void Fill(float[,] x, int start)
        {
            for (int r = 0; r < x.GetLength(0); r++)
                for (int k = 0; k < K; k++)
                {
                    ushort bits = PtxFiles.ToBFloat16((float)((random.NextDouble() - 0.5) * Math.ScaleB(1, random.Next(-8, 8))));
                    x[r, k] = PtxFiles.BFloat16(bits);
                    image[(start + Place(false, 128, 0, 1024, r, k)) / 2] = bits;
                }
        }
        Fill(a, 0);
        Fill(b, Start);
        float[,] sums = HopperKernel.Multiply(HopperKernel.Product(Columns, Bytes, "1, 1, 0, 0"), Columns, image,
            Descriptor(0, 128, 16, 1024), Descriptor(Start, 128, 16, 1024), adds: true);
        int cut = 0;
        var right = new float[K * 8];
        for (int m = 0; m < 64; m++)
            for (int n = 0; n < Columns; n++)
            {
                float exact = 2;
                for (int k = 0; k < K; k++) right[8 * k] = b[n, k];
                unsafe
                {
                    fixed (float* x = &a[m, 0], y = right) Assert.Equal(Execution.TensorCore.Dot(x, y, 2, 16), sums[m, n]);
                }
                for (int k = 0; k < K; k++) exact = MathF.FusedMultiplyAdd(a[m, k], b[n, k], exact);
                if (exact != sums[m, n]) cut++;
            }
        Assert.True(cut > 20, $"{cut} sums tell the rule from float32");
    }
}
