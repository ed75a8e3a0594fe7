using Sa2VA.Core;

namespace Sa2VA.Tests;

public class BFloat16Tests
{
    [Fact]
    public void Every_value_survives_a_round_trip()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var value = new BFloat16((ushort)bits);
            float wide = value.ToSingle();
            Assert.Equal((uint)bits << 16, BitConverter.SingleToUInt32Bits(wide));
            BFloat16 back = BFloat16.FromSingle(wide);
            // A signalling NaN becomes a quiet one; everything else comes back as it was.
            Assert.Equal(float.IsNaN(wide) ? bits | 0x40 : bits, back.Bits);
        }
    }

    [Fact]
    public void Rounds_to_the_nearest_value_and_ties_to_even()
    {
        var random = new Random(7);
        for (int i = 0; i < 1_000_000; i++) Check((uint)random.NextInt64(1L << 32));
        // Around every boundary between two values: the tie itself and its two neighbours.
        for (uint high = 0; high <= 0xffff; high++)
            foreach (uint low in (uint[])[0x0000, 0x0001, 0x7fff, 0x8000, 0x8001, 0xffff]) Check((high << 16) | low);
    }

    [Fact]
    public void Equality_is_of_bits()
    {
        Assert.Equal(BFloat16.FromSingle(1.5f), new BFloat16(0x3fc0));
        Assert.NotEqual(BFloat16.FromSingle(0f), BFloat16.FromSingle(-0f));
        Assert.Equal(new BFloat16(0x3fc0).GetHashCode(), BFloat16.FromSingle(1.5f).GetHashCode());
        Assert.False(new BFloat16(1).Equals((object)1));
        Assert.Equal(BFloat16.FromSingle(0.1f).ToSingle(), BFloat16.Round(0.1f));
    }

    /// <summary>The definition: of the two neighbours the nearer one, of two equally near ones the one with an even last bit.</summary>
    private static void Check(uint bits)
    {
        float value = BitConverter.UInt32BitsToSingle(bits);
        ushort actual = BFloat16.FromSingle(value).Bits;
        if (float.IsNaN(value))
        {
            Assert.True(float.IsNaN(new BFloat16(actual).ToSingle()));
            return;
        }
        var down = (ushort)(bits >> 16);
        if (float.IsInfinity(value))
        {
            Assert.Equal(down, actual);
            return;
        }
        var up = (ushort)(down + 1);
        // The neighbour of the largest value counts as if its binade went on; beyond the middle it is infinity.
        double magnitude = Math.Abs((double)value), low = Math.Abs((double)new BFloat16(down).ToSingle());
        double high = (up & 0x7fff) == 0x7f80 ? Math.ScaleB(1, 128) : Math.Abs((double)new BFloat16(up).ToSingle());
        ushort expected = magnitude - low < high - magnitude ? down : magnitude - low > high - magnitude ? up : (down & 1) == 0 ? down : up;
        if (expected != actual) Assert.Fail($"0x{bits:x8} became 0x{actual:x4}, not 0x{expected:x4}.");
    }
}
