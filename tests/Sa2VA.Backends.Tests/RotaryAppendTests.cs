using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>
/// Rotations of queries and keys and the writes of keys and values, as one op and apart: the same bits in the result and in both states.
/// </summary>
public class RotaryAppendTests
{
    private const int Capacity = AppendRun.Capacity, Table = AppendRun.Table;

    [Theory]
    // A decode step of Sa2VA-1B, of several chats, of Sa2VA-4B, chunks of a prompt; odd sizes.
    [InlineData(1, 14, 2, 32, 128, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(5, 14, 2, 32, 128, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(2, 16, 2, 64, 256, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(130, 14, 2, 32, 128, RotaryPairing.Half, DType.F32, Precision.Float32)]
    [InlineData(512, 3, 1, 20, 40, RotaryPairing.Half, DType.BF16, Precision.BFloat16)]
    [InlineData(1, 1, 1, 1, 1, RotaryPairing.Adjacent, DType.F32, Precision.Float32)]
    [InlineData(33, 3, 2, 5, 7, RotaryPairing.Adjacent, DType.F16, Precision.Float32)]
    [InlineData(33, 3, 2, 5, 7, RotaryPairing.Half, DType.BF16, Precision.Float32)]
    [InlineData(19, 2, 1, 9, 33, RotaryPairing.Adjacent, DType.BF16, Precision.BFloat16)]
    public void Has_the_bits_of_the_ops_one_by_one(int rows, int heads, int kvHeads, int pairs, int valueWidth, RotaryPairing pairing,
        DType stored, Precision precision)
    {
        foreach (TestBackend configuration in TestBackend.All)
        {
            var shape = new NewTokens(rows, heads, kvHeads, pairs, valueWidth, pairing, stored);
            using var run = new AppendRun(configuration.ForOneOp(precision), shape);
            // All rows, some of them, none.
            foreach (int count in (int[])[rows, rows / 2, 0])
            {
                run.Run(count);
                Assert.Equal(run.Read("apart y", count), run.Read("fused y", count));
                foreach (string state in (string[])["keys", "values"]) Assert.Equal(run.Read($"apart {state}"), run.Read($"fused {state}"));
            }
            Assert.NotEqual(run.Before("fused keys"), run.Read("fused keys"));
        }
    }

    [Theory]
    [InlineData("rows", Capacity, "600 rows of the state")]
    [InlineData("rows", -2, "600 rows of the state")]
    [InlineData("positions", Table, "700 rows of the table")]
    public void An_index_that_there_is_not_is_refused_before_a_row_is_written(string list, int index, string says)
    {
        foreach (TestBackend configuration in TestBackend.All)
        {
            using var run = new AppendRun(configuration.Open(), new NewTokens(4, 2, 1, 6, 12, RotaryPairing.Half, DType.BF16));
            run.Write(list, [0, 1, 2, index]);
            Assert.Contains(says, Assert.Throws<GraphException>(() => run.Run(4)).Message, StringComparison.Ordinal);
            Assert.Equal(run.Before("fused keys"), run.Read("fused keys"));
        }
    }
}
