using Sa2VA.Core;

namespace Sa2VA.Cuda;

/// <summary>
/// How the codes of <see cref="GroupQuantization"/> lie on the GPU (<c>kernels/common/codes.cuh</c>): rows one after the other, each padded
/// with zeros to stages of 64, then the scales, [group][row].
/// </summary>
/// <remarks>
/// In the order of tensor cores, lane t of the four that share a column has its numbers of a stage side by side: of each step of 16 the
/// inputs 2t, 2t + 1, 2t + 8 and 2t + 9. A code of 8 bits is stored as code + 128, a byte; codes of 4 bits are stored as code + 8, the
/// eight of two steps in a word of 32 bits, pair p of them in bits 4p … and 16 + 4p …
/// </remarks>
/// <param name="Bits">8 or 4.</param>
/// <param name="IsInRowOrder">True if inputs lie in their own order, for kernels without tensor cores; of 8 bits alone.</param>
internal readonly record struct WeightCodes(int Bits, bool IsInRowOrder = false)
{
    private const int Stage = 64;

    /// <summary>Codes of a row, with those that pad it.</summary>
    public static int Padded(int depth) => (depth + Stage - 1) / Stage * Stage;

    /// <summary>Bytes of a row's codes.</summary>
    public int RowBytes(int depth) => Padded(depth) * Bits / 8;

    /// <summary>Bytes of a matrix with its scales.</summary>
    public long Bytes(int rows, int depth) => (long)rows * (RowBytes(depth) + GroupQuantization.Groups(depth) * sizeof(ushort));

    /// <summary>Places a row's codes, padded to whole stages, in its <see cref="RowBytes"/>.</summary>
    public void Place(ReadOnlySpan<sbyte> codes, Span<byte> to)
    {
        if (Bits == 4) to.Clear();
        for (int k = 0; k < codes.Length; k++)
        {
            int stage = k / Stage, step = k % Stage / 16, half = k % 16 / 8, lane = k % 8 / 2, of = k % 2;
            if (IsInRowOrder) to[k] = (byte)(codes[k] + 128);
            else if (Bits == 8) to[stage * Stage + lane * 16 + step * 4 + half * 2 + of] = (byte)(codes[k] + 128);
            else
            {
                int nibble = step % 2 * 2 + half + 4 * of;
                to[stage * (Stage / 2) + lane * 8 + step / 2 * 4 + nibble / 2] |= (byte)((codes[k] + 8) << nibble % 2 * 4);
            }
        }
    }
}
