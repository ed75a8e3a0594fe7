namespace Sa2VA.Models;

/// <summary>One plane of a video picture, in memory of its owner.</summary>
/// <param name="bytes">
/// Rows from the top, each <paramref name="stride"/> bytes after the one before; the last one may end with its last sample.
/// </param>
/// <param name="stride">Bytes from a row to the next; 0 when rows follow each other without padding.</param>
public readonly ref struct PixelPlane(ReadOnlySpan<byte> bytes, int stride = 0)
{
    /// <summary>All bytes.</summary>
    public ReadOnlySpan<byte> Bytes { get; } = bytes;

    /// <summary>Bytes from a row to the next; 0 when rows follow each other without padding.</summary>
    public int Stride { get; } = stride;

    /// <summary>A plane without padding.</summary>
    public static implicit operator PixelPlane(ReadOnlySpan<byte> bytes) => new(bytes);

    /// <summary>A plane without padding.</summary>
    public static implicit operator PixelPlane(byte[] bytes) => new(bytes);
}
