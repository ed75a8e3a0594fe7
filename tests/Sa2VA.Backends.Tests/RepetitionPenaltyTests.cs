using Sa2VA.Core;

namespace Sa2VA.Tests;

/// <summary>Bits of tokens that a sequence holds, and the penalty on their logits.</summary>
public class RepetitionPenaltyTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 2)]
    [InlineData(5, 9)]
    [InlineData(2, 1500)]
    public void A_bit_more_is_set_in_each_row(int rows, int words)
    {
        var random = new Random(words);
        int[] bits = [.. Enumerable.Range(0, rows * words).Select(_ => random.Next(int.MinValue, int.MaxValue))];
        // The first and last bit of a row, an integer's sign, one that is set already, one in the middle.
        int[] index = [.. Enumerable.Range(0, rows).Select(r => ((int[])[words * 32 - 1, 0, 31, 33, random.Next(words * 32)])[r])];
        int[] expected = [.. bits];
        for (int r = 0; r < rows; r++) expected[r * words + index[r] / 32] |= 1 << index[r] % 32;
        new GuardedOp().Ints(new Shape(rows, words), bits).Ints(index).Gives(expected, (g, t) => g.SetBits(t[0], t[1]));
    }

    [Fact]
    public void An_index_outside_of_the_row_sets_none()
    {
        int[] bits = [1, 2, 3, 4, 5, 6, 7, 8], index = [-1, 64, int.MaxValue, int.MinValue];
        new GuardedOp().Ints(new Shape(4, 2), bits).Ints(index).Gives(bits, (g, t) => g.SetBits(t[0], t[1]));
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 31)]
    [InlineData(4, 32)]
    [InlineData(4, 33)]
    [InlineData(3, 5003)]
    // What models have: Sa2VA-1B's vocabulary.
    [InlineData(1, 151_674)]
    public void Logits_of_held_tokens_are_divided_or_multiplied(int rows, int columns)
    {
        float[] penalties = [1.3f, 0.7f, 10, 1], x = TestValues.Random(columns, (long)rows * columns, 9);
        x[columns / 2] = 0;
        var random = new Random(columns);
        int words = RepetitionPenalty.WordsFor(columns);
        // Bits behind the last token too, which must not matter.
        int[] held = [.. Enumerable.Range(0, rows * words).Select(_ => random.Next(int.MinValue, int.MaxValue))];
        float[] expected = [.. x.Select((v, i) => (held[i / columns * words + i % columns / 32] >> i % columns % 32 & 1) == 0 ? v
            : v < 0 ? v * penalties[i / columns] : v / penalties[i / columns])];
        Op(x, columns, held, penalties[..rows]).Gives(expected, (g, t) => g.RepetitionPenalty(t[0], t[1], t[2]));
    }

    [Fact]
    public void A_row_without_a_penalty_stays_as_it_is()
    {
        float[] penalties = [0, -2, float.NaN, float.PositiveInfinity, 1], x = TestValues.Random(8, 5 * 40, 3);
        int[] held = [.. Enumerable.Repeat(-1, 10)];
        Op(x, 40, held, penalties).Gives(x, (g, t) => g.RepetitionPenalty(t[0], t[1], t[2]));
    }

    private static GuardedOp Op(float[] x, int columns, int[] held, float[] penalties)
    {
        int rows = penalties.Length;
        return new GuardedOp().Floats(new Shape(rows, columns), x).Ints(new Shape(rows, held.Length / rows), held)
            .Ints([.. penalties.Select(BitConverter.SingleToInt32Bits)]);
    }
}
