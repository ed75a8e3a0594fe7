using System.Runtime.InteropServices;

namespace Sa2VA.Models.Tests;

public class WeightScanTests
{
    public static TheoryData<string, ulong[], long, long, long> Values() => new()
    {
        // Finite extremes, denormals, zeros of both signs; then NaN of both signs and kinds, and infinities.
        { "F64", [0, 1UL << 63, 0x7FEF_FFFF_FFFF_FFFF, 1], 0, 0, -1 },
        { "F64", [0, 0x7FF0_0000_0000_0000, 0xFFF8_0000_0000_0000, 0x7FF0_0000_0000_0001], 2, 1, 1 },
        { "F32", [0, 0x8000_0000, 0x7F7F_FFFF, 1], 0, 0, -1 },
        { "F32", [0x7FC0_0000, 0xFF80_0000, 0x7F80_0001, 0], 2, 1, 0 },
        { "C64", [0, 0, 0, 0x7F80_0000], 0, 1, 1 },
        { "F16", [0x7BFF, 0xFBFF, 1, 0x8000], 0, 0, -1 },
        { "F16", [0, 0, 0x7C00, 0xFE00], 1, 1, 2 },
        { "BF16", [0x7F7F, 0xFF7F, 1, 0x8000], 0, 0, -1 },
        { "BF16", [0, 0, 0, 0x7FC0], 1, 0, 3 },
        { "F8_E5M2", [0x7B, 0xFB, 1, 0x80], 0, 0, -1 },
        { "F8_E5M2", [0x7C, 0xFC, 0x7D, 0xFF], 2, 2, 0 },
        { "F8_E4M3", [0x7E, 0xFE, 0x78, 0x80], 0, 0, -1 },
        { "F8_E4M3", [0, 0x7F, 0xFF, 0], 2, 0, 1 },
        { "F8_E8M0", [0xFE, 0, 0x7F, 1], 0, 0, -1 },
        { "F8_E8M0", [0, 0, 0, 0xFF], 1, 0, 3 },
        { "I32", [0x7FC0_0000, 0xFF80_0000, 0, 0], 0, 0, -1 },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Every_stored_type_has_its_own_bits(string type, ulong[] bits, long nan, long infinite, long first)
    {
        byte[] bytes = [.. bits.SelectMany(b => Little(b, type))];
        var counts = new WeightScan.Counts();
        counts.Add(bytes, type);
        Assert.Equal((nan, infinite, first), (counts.NaN, counts.Infinite, counts.First));

        // The same values behind blocks that are finite, at every place of a vector.
        int size = bytes.Length / bits.Length;
        for (int before = 1; before < 70; before++)
        {
            counts = new WeightScan.Counts();
            counts.Add(new byte[64 * size], type);
            counts.Add([.. new byte[2 * before * size], .. bytes, .. new byte[40 * size]], type);
            long skipped = (64 + (2 * before)) / (type == "C64" ? 2 : 1);
            Assert.Equal((nan, infinite, first < 0 ? -1 : first + skipped), (counts.NaN, counts.Infinite, counts.First));
        }
    }

    private static byte[] Little(ulong bits, string type)
    {
        int size = type switch { "F64" => 8, "F32" or "C64" or "I32" => 4, "F16" or "BF16" => 2, _ => 1 };
        return MemoryMarshal.AsBytes<ulong>(new[] { bits })[..size].ToArray();
    }
}
