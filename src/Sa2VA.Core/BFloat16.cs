using System.Runtime.CompilerServices;

namespace Sa2VA.Core;

/// <summary>The upper half of a binary32: .NET 10 has no such type of its own.</summary>
public readonly struct BFloat16(ushort bits) : IEquatable<BFloat16>
{
    /// <summary>The stored bits.</summary>
    public ushort Bits { get; } = bits;

    /// <summary>Rounds to nearest, ties to even; NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BFloat16 FromSingle(float value)
    {
        uint u = BitConverter.SingleToUInt32Bits(value);
        if ((u & 0x7fffffff) > 0x7f800000) return new BFloat16((ushort)((u >> 16) | 0x40));
        return new BFloat16((ushort)((u + 0x7fff + ((u >> 16) & 1)) >> 16));
    }

    /// <summary>The exact binary32 value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float ToSingle() => BitConverter.UInt32BitsToSingle((uint)Bits << 16);

    /// <summary>Rounds a binary32 to the nearest bfloat16 and back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Round(float value) => FromSingle(value).ToSingle();

    /// <inheritdoc/>
    public bool Equals(BFloat16 other) => Bits == other.Bits;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is BFloat16 other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Bits;
}
