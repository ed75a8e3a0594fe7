using System.Buffers.Binary;

namespace Sa2VA.VirtualGpu;

/// <summary>
/// A tensor in global memory as bulk copies see it (CUtensorMap): a copy takes a box of it, and what of the box lies outside the tensor is
/// zero. Dimensions are innermost first.
/// </summary>
public sealed record TensorMap
{
    /// <summary>Bytes of an encoded map, which lie at a multiple of 64.</summary>
    public const int EncodedBytes = 128;

    /// <summary>Dimensions at most.</summary>
    public const int MostDimensions = 5;

    private const uint Magic = 0x314d5654;

    /// <summary>Device address of the first element, a multiple of 16.</summary>
    public required ulong Address { get; init; }

    /// <summary>Bytes of an element: 1, 2, 4 or 8.</summary>
    public required int ElementBytes { get; init; }

    /// <summary>Elements in each dimension, 1 … 2³².</summary>
    public required IReadOnlyList<ulong> Dimensions { get; init; }

    /// <summary>Bytes from one element to the next in each dimension but the first, multiples of 16 below 2⁴⁰.</summary>
    public required IReadOnlyList<ulong> Strides { get; init; }

    /// <summary>Elements of the tensor that a box covers in each dimension, 1 … 256.</summary>
    public required IReadOnlyList<uint> Box { get; init; }

    /// <summary>Every how manyth element of a box is taken in each dimension, 1 … 8; null for all. The first is ignored.</summary>
    public IReadOnlyList<uint>? Steps { get; init; }

    /// <summary>
    /// Bytes over which a box's pieces of 16 bytes are permuted in shared memory: 0 (not at all), 32, 64 or 128. A row of the box has no
    /// more bytes than that.
    /// </summary>
    public int Swizzle { get; init; }

    /// <summary>Elements that a copy takes in a dimension.</summary>
    internal int Count(int dimension) => (int)((Box[dimension] + Step(dimension) - 1) / Step(dimension));

    internal uint Step(int dimension) => dimension == 0 || Steps is null ? 1 : Steps[dimension];

    /// <summary>The bytes that a kernel gets as a parameter of 128 bytes, or finds in global memory.</summary>
    /// <exception cref="ArgumentException">The map is one that cuTensorMapEncodeTiled refuses.</exception>
    public byte[] Encode()
    {
        if (Fault() is { } why) throw new ArgumentException($"The tensor map: {why}.");
        var bytes = new byte[EncodedBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        bytes[4] = (byte)Dimensions.Count;
        bytes[5] = (byte)ElementBytes;
        bytes[6] = (byte)Swizzle;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), Address);
        for (int d = 0; d < Dimensions.Count; d++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16 + 8 * d), Dimensions[d]);
            if (d > 0) BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(56 + 8 * d - 8), Strides[d - 1]);
            bytes[88 + d] = (byte)(Box[d] - 1);
            bytes[93 + d] = (byte)Step(d);
        }
        return bytes;
    }

    /// <summary>The map in those bytes, or null if they are none.</summary>
    internal static TensorMap? Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < EncodedBytes || BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic) return null;
        int rank = Math.Clamp((int)bytes[4], 1, MostDimensions);
        var map = new TensorMap
        {
            Address = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            ElementBytes = bytes[5],
            Dimensions = Numbers(bytes[16..], rank),
            Strides = Numbers(bytes[56..], rank - 1),
            Box = [.. bytes.Slice(88, rank).ToArray().Select(b => (uint)b + 1)],
            Steps = [.. bytes.Slice(93, rank).ToArray().Select(b => (uint)b)],
            Swizzle = bytes[6],
        };
        return map.Fault() is null ? map : null;
    }

    private static ulong[] Numbers(ReadOnlySpan<byte> bytes, int count)
    {
        var numbers = new ulong[count];
        for (int n = 0; n < count; n++) numbers[n] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(8 * n)..]);
        return numbers;
    }

    /// <summary>What cuTensorMapEncodeTiled would refuse, or null.</summary>
    internal string? Fault()
    {
        int rank = Dimensions.Count;
        if (rank is < 1 or > MostDimensions) return $"it has {rank} dimensions, 1 to {MostDimensions} are allowed";
        if (ElementBytes is not (1 or 2 or 4 or 8)) return $"elements of {ElementBytes} bytes are not supported";
        if (Box.Count != rank || Strides.Count < rank - 1 || Steps is not null && Steps.Count != rank)
            return $"a box, strides or steps do not have its {rank} dimensions";
        if (Address % 16 != 0) return $"address 0x{Address:x} is no multiple of 16";
        for (int d = 0; d < rank; d++)
        {
            if (Dimensions[d] is 0 or > 1ul << 32) return $"dimension {d} has {Dimensions[d]} elements, 1 to 2^32 are allowed";
            if (d > 0 && (Strides[d - 1] % 16 != 0 || Strides[d - 1] >= 1ul << 40))
                return $"the stride of dimension {d} is {Strides[d - 1]} bytes, no multiple of 16 below 2^40";
            if (Box[d] is 0 or > 256) return $"the box has {Box[d]} elements in dimension {d}, 1 to 256 are allowed";
            if (d > 0 && Step(d) is 0 or > 8) return $"the step of dimension {d} is {Step(d)}, 1 to 8 are allowed";
        }
        long row = Box[0] * ElementBytes;
        if (row % 16 != 0) return $"a row of the box has {row} bytes, no multiple of 16";
        if (Swizzle is not (0 or 32 or 64 or 128)) return $"a swizzle over {Swizzle} bytes is not supported";
        return Swizzle > 0 && row > Swizzle ? $"a row of the box has {row} bytes, more than the swizzle's {Swizzle}" : null;
    }
}
