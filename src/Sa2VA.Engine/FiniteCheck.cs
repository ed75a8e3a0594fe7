using Sa2VA.Core;

namespace Sa2VA.Engine;

/// <summary>
/// Results are checked where they leave a network, on the values that are read anyway. Only when one is not finite, what the network was
/// given is read as well, to name the first stage that went wrong.
/// </summary>
internal static class FiniteCheck
{
    private const ushort ShortExponent = 0x7F80;
    private const int Piece = 1 << 16;

    /// <summary>True if no value is NaN or infinite.</summary>
    public static bool IsFinite(ReadOnlySpan<float> values) => Finite.IndexOfNonFinite(values) < 0;

    /// <summary>True if no value of a buffer, F32 or BF16, is NaN or infinite. Reads all of it from the device, piece by piece.</summary>
    public static bool IsFinite(DeviceQueue queue, DeviceBuffer buffer) => IsFinite(queue, buffer, 0, buffer.Shape.Count);

    /// <summary>The same of a part of a buffer.</summary>
    /// <param name="queue">Where what wrote it was enqueued.</param>
    /// <param name="buffer">F32 or BF16.</param>
    /// <param name="first">First element.</param>
    /// <param name="count">Elements.</param>
    public static bool IsFinite(DeviceQueue queue, DeviceBuffer buffer, long first, long count)
    {
        int piece = (int)Math.Min(count, Piece);
        float[] values = buffer.Type == DType.F32 ? new float[piece] : [];
        ushort[] halves = buffer.Type == DType.F32 ? [] : new ushort[piece];
        for (long at = first, end = first + count; at < end; at += piece)
        {
            int length = (int)Math.Min(piece, end - at);
            if (buffer.Type == DType.F32)
            {
                queue.Read(buffer, values.AsSpan(0, length), at);
                if (!IsFinite(values.AsSpan(0, length))) return false;
                continue;
            }
            queue.Read(buffer, halves.AsSpan(0, length), at);
            foreach (ushort v in halves.AsSpan(0, length))
                if ((v & ShortExponent) == ShortExponent) return false;
        }
        return true;
    }

    /// <summary>The error that says where.</summary>
    /// <param name="stage">The first stage whose results are not finite, with its article: <c>The vision tower</c>.</param>
    public static NonFiniteException Error(string stage) =>
        new($"{stage} gave NaN or infinity: a weight of the checkpoint is damaged, or too large "
        + "for float32. Compare its files with the published ones; `sa2va inspect --scan` looks for values that are not finite.");
}
