namespace Sa2VA.VirtualGpu.Driver;

/// <summary>The function that describes a tensor to bulk copies.</summary>
public sealed unsafe partial class VirtualDriver
{
    private const int MapAlignment = 64;

    /// <summary>Of a CUtensorMapDataType: the floats lie beside each other.</summary>
    private const int FirstFloat = 6, LastFloat = 12;

    private void AddTensorMapCalls() => Add<EncodesTensorMap>("cuTensorMapEncodeTiled",
        (map, type, rank, address, dimensions, strides, box, steps, interleave, swizzle, promotion, fill) =>
            Call("cuTensorMapEncodeTiled", context =>
            {
                if (context.Device.Kind.Capability < Hopper)
                    throw new DriverException(DriverResult.NotSupported, $"tensor maps need compute capability 9.0, "
                        + $"{context.Device.Kind.Name} has {context.Device.Kind.Capability / 10.0:0.0}");
                NotNull(map, "the tensor map");
                if (rank is < 1 or > TensorMap.MostDimensions) throw Invalid($"a tensor of {rank} dimensions");
                NotNull(dimensions, "the dimensions");
                NotNull(box, "the box");
                NotNull(steps, "the element strides");
                if ((nuint)map % MapAlignment != 0) throw Invalid($"the tensor map lies at no multiple of {MapAlignment}");
                if (rank > 1) NotNull(strides, "the strides");
                if (promotion is < 0 or > 3) throw Invalid($"promotion {promotion}");
                int bytes = ElementBytes(type);
                if (interleave is < 0 or > 2) throw Invalid($"interleave {interleave}");
                if (interleave != 0 && rank < 3) throw Invalid($"an interleaved tensor of {rank} dimensions, at least 3 are needed");
                if (interleave == 2 && (swizzle != 1 || address % 32 != 0))
                    throw Invalid("a tensor interleaved by 32 bytes begins at a multiple of 32 and has a swizzle of 32");
                if (fill is < 0 or > 1) throw Invalid($"fill {fill}");
                if (fill == 1 && type is not (>= FirstFloat and <= LastFloat)) throw Invalid($"a fill of NaN for type {type}, no float");
                if (interleave != 0 || fill != 0)
                    throw new DriverException(DriverResult.NotSupported, "interleaved tensors and a fill of NaN are not supported");
                var tensor = new TensorMap
                {
                    Address = address,
                    ElementBytes = bytes,
                    Dimensions = new ReadOnlySpan<ulong>(dimensions, (int)rank).ToArray(),
                    Strides = new ReadOnlySpan<ulong>(strides, (int)rank - 1).ToArray(),
                    Box = new ReadOnlySpan<uint>(box, (int)rank).ToArray(),
                    Steps = new ReadOnlySpan<uint>(steps, (int)rank).ToArray(),
                    Swizzle = swizzle switch { 0 => 0, 1 => 32, 2 => 64, 3 => 128, _ => throw Invalid($"swizzle {swizzle}") },
                };
                if (tensor.Fault() is { } why) throw Invalid($"the tensor map: {why}");
                tensor.Encode().CopyTo(new Span<byte>(map, TensorMap.EncodedBytes));
            }));

    /// <summary>Of a CUtensorMapDataType.</summary>
    private static int ElementBytes(int type) => type switch
    {
        0 => 1,
        1 or 6 or 9 => 2,
        2 or 3 or 7 => 4,
        4 or 5 or 8 => 8,
        10 or 11 or 12 => throw new DriverException(DriverResult.NotSupported, "copies that round or flush are not supported"),
        _ => throw Invalid($"type {type} of a tensor's elements"),
    };
}
