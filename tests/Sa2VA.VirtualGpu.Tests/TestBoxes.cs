namespace Sa2VA.VirtualGpu.Tests;

/// <summary>Boxes of tensors, within them and across their edges, that bulk copies bring either way.</summary>
internal static class TestBoxes
{
    /// <summary>Bytes of the tensor of <see cref="Flat"/>.</summary>
    public const int FlatBytes = 208 * 50;

    /// <summary>Swizzles and the widest boxes that they allow of 16-bit elements.</summary>
    public static TheoryData<int, int> AcrossEdges => new() { { 0, 64 }, { 128, 64 }, { 64, 32 }, { 32, 16 } };

    public static int[][] FlatCorners => [[0, 0], [64, 32], [-8, -3], [-64, 0], [99, 49], [100, 0], [0, 50], [37, 20]];

    /// <summary>Of one, three and five dimensions: the map, bytes of the tensor, corners.</summary>
    public static IEnumerable<(TensorMap Map, int Bytes, int[][] Corners)> Deep =>
    [
        (new() { Address = 0, ElementBytes = 1, Dimensions = [1000], Strides = [], Box = [256] }, 1000, [[0], [900], [-100]]),
        (new() { Address = 0, ElementBytes = 4, Dimensions = [8, 5, 6], Strides = [32, 160], Box = [8, 4, 8], Swizzle = 32 },
            960, [[0, 0, 0], [-4, 2, -1], [4, 4, 5]]),
        (new() { Address = 0, ElementBytes = 2, Dimensions = [8, 3, 3, 2, 3], Strides = [16, 48, 144, 288], Box = [8, 2, 2, 2, 2] },
            288 * 3, [[0, 0, 0, 0, 0], [0, 2, -1, 1, 2]]),
    ];

    /// <summary>100 by 50 elements of 16 bits, rows of 208 bytes.</summary>
    public static TensorMap Flat(int swizzle, int wide) => new()
    {
        Address = 0, ElementBytes = 2, Dimensions = [100, 50], Strides = [208], Box = [(uint)wide, 32], Swizzle = swizzle,
    };
}
