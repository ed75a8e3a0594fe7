using System.Runtime.Intrinsics;
using Sa2VA.VirtualGpu.Execution;

namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Quotients by way of float64 against those of integers.</summary>
public sealed class WholeDivisionTests
{
    [Fact]
    public void Is_the_quotient_of_integers()
    {
        var random = new Random(7);
        for (int run = 0; run < 50000; run++)
        {
            uint a = Number(), b = Number();
            // Quotients that are whole numbers, and those just below one.
            if (run % 3 == 0 && b != 0) a = a / b * b - (uint)(run & 1);
            Vector256<uint> dividend = Vector256.Create(a), divisor = Vector256.Create(b);
            int lane = run % 8;
            Assert.Equal(b == 0 ? uint.MaxValue : a / b, WholeDivision.Unsigned(dividend, divisor).GetElement(lane));
            long quotient = b == 0 ? -1 : (long)(int)a / (int)b;
            Assert.Equal((uint)quotient, WholeDivision.Signed(dividend, divisor).GetElement(lane));
        }

        // Of any length in bits, and what lies at the ends.
        uint Number() => random.Next(8) == 0 ? (uint)(random.Next(-2, 3) + (random.Next(2) << 31))
            : (uint)random.NextInt64(1L << 32) >> random.Next(32);
    }
}
