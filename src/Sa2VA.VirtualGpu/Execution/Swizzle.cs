namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// How tensor maps and matrix descriptors permute pieces of 16 bytes in shared memory, so that rows and columns of a matrix meet all banks:
/// the piece's number within a span of 32, 64 or 128 bytes is combined with the number of its 128 bytes.
/// </summary>
internal static class Swizzle
{
    /// <param name="address">In shared memory.</param>
    /// <param name="span">Bytes, or 0 for none.</param>
    public static uint Of(uint address, int span) => span == 0 ? address : address ^ (address >> 7 & (uint)(span / 16 - 1)) << 4;
}
