using Sa2VA.Cpu;

namespace Sa2VA.Tests;

public sealed unsafe class InterleaveTests
{
    [Fact]
    public void Rows_of_any_number_and_length_lie_side_by_side_and_nothing_else_is_touched()
    {
        const int Most = 13, Longest = 11;
        float[] source = [.. Enumerable.Range(1, Most * Longest).Select(i => (float)i)];
        float** rows = stackalloc float*[Most];
        fixed (float* first = source)
        {
            for (int i = 0; i < Most; i++) rows[i] = first + i * Longest;
            for (int count = 0; count <= Most; count++)
                for (int depth = 0; depth <= Longest; depth++)
                    foreach (int stride in (int[])[count, count + 1, 32])
                    {
                        var found = new float[depth * stride + 8];
                        Array.Fill(found, -1);
                        float[] expected = [.. found];
                        for (int k = 0; k < depth; k++)
                            for (int i = 0; i < count; i++) expected[k * stride + i] = source[i * Longest + k];
                        fixed (float* to = found) Interleave.Rows(rows, count, depth, to, stride);
                        Assert.Equal(expected, found);
                    }
        }
    }
}
