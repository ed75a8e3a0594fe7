using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cuda.Driver;

/// <summary>
/// A CUtensorMap: a bf16 matrix as bulk copies see it, in boxes of 64 columns with a swizzle of 128 bytes, or in narrow ones of 16 columns
/// of a head. A kernel takes it as a parameter at a multiple of 64 bytes, which is where the driver wants to write it too.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal readonly struct TensorMap
{
    public const int Bytes = 128, Alignment = 64;

    /// <summary>Columns of a box, and of a narrow one: what a swizzle of 128 or 32 bytes goes over.</summary>
    public const int BoxColumns = 64, NarrowColumns = 16;

    /// <summary>Bytes that addresses and distances must be multiples of, and rows of a box at most.</summary>
    private const int Unit = 16, MostBoxRows = 256;

    /// <summary>Bytes between rows must be fewer.</summary>
    private const ulong StrideLimit = 1ul << 40;

    private const int BFloat16 = 9, NoInterleave = 0, Swizzle32 = 1, Swizzle128 = 3, PromoteTo256 = 3, FillZeros = 0;

    /// <summary>Has the driver write a map.</summary>
    /// <param name="context">The context.</param>
    /// <param name="map">Where; at a multiple of <see cref="Alignment"/>.</param>
    /// <param name="matrix">The matrix, whose rows begin at multiples of 16 bytes.</param>
    /// <param name="boxRows">Rows of a box, at most 256.</param>
    /// <param name="kernel">Whose parameter it becomes part of.</param>
    /// <exception cref="DeviceException">Bulk copies cannot have such a matrix.</exception>
    public static unsafe void Encode(CudaContext context, TensorMap* map, in View matrix, int boxRows, string kernel)
    {
        Assert(map, matrix, boxRows, matrix.Columns, kernel);
        ulong* dimensions = stackalloc ulong[] { (ulong)matrix.Columns, (ulong)matrix.Rows };
        ulong stride = (ulong)matrix.RowStride * sizeof(ushort);
        uint* box = stackalloc uint[] { BoxColumns, (uint)boxRows }, steps = stackalloc uint[] { 1, 1 };
        context.Check(context.Driver.TensorMapEncodeTiled(map, BFloat16, 2, matrix.Data, dimensions, &stride, box, steps, NoInterleave,
            Swizzle128, PromoteTo256, FillZeros), "describing a matrix to bulk copies");
    }

    /// <summary>Has the driver write a map of narrow boxes, with zeros where a head has ended: head, then row, are dimensions.</summary>
    /// <param name="context">The context.</param>
    /// <param name="map">Where; at a multiple of <see cref="Alignment"/>.</param>
    /// <param name="matrix">The matrix, whose rows begin at multiples of 16 bytes.</param>
    /// <param name="boxRows">Rows of a box, at most 256.</param>
    /// <param name="headColumns">Columns of a head, a multiple of eight.</param>
    /// <param name="kernel">Whose parameter it becomes part of.</param>
    /// <exception cref="DeviceException">Bulk copies cannot have such a matrix.</exception>
    public static unsafe void EncodeNarrow(CudaContext context, TensorMap* map, in View matrix, int boxRows, int headColumns, string kernel)
    {
        Assert(map, matrix, boxRows, headColumns, kernel);
        ulong* dimensions = stackalloc ulong[] { (ulong)headColumns, (ulong)(matrix.Columns / headColumns), (ulong)matrix.Rows };
        ulong* strides = stackalloc ulong[] { (ulong)headColumns * sizeof(ushort), (ulong)matrix.RowStride * sizeof(ushort) };
        uint* box = stackalloc uint[] { NarrowColumns, 1, (uint)boxRows }, steps = stackalloc uint[] { 1, 1, 1 };
        context.Check(context.Driver.TensorMapEncodeTiled(map, BFloat16, 3, matrix.Data, dimensions, strides, box, steps, NoInterleave,
            Swizzle32, PromoteTo256, FillZeros), "describing heads of a matrix to bulk copies");
    }

    /// <summary>
    /// The limits of cuTensorMapEncodeTiled, before it is asked: it says no more than that a value is invalid. What the boxes are is right
    /// by their constants.
    /// </summary>
    private static unsafe void Assert(TensorMap* map, in View matrix, int boxRows, int headColumns, string kernel)
    {
        long stride = (long)matrix.RowStride * sizeof(ushort);
        string? why = matrix.Type != DType.BF16 ? $"it holds {matrix.Type}, not {DType.BF16}"
            : matrix.Data % Unit != 0 ? $"it begins at 0x{matrix.Data:x}, no multiple of {Unit} bytes"
            : matrix.Rows < 1 || headColumns < 1 ? "it is empty"
            : stride < 0 || stride % Unit != 0 || (ulong)stride >= StrideLimit
                ? $"its rows begin {stride} bytes apart, no multiple of {Unit} below 2^40"
            : matrix.Columns % headColumns != 0 ? $"its {matrix.Columns} columns are no whole heads of {headColumns}"
            : headColumns != matrix.Columns && headColumns * sizeof(ushort) % Unit != 0
                ? $"its heads of {headColumns} columns do not begin at multiples of {Unit} bytes"
            : boxRows is < 1 or > MostBoxRows ? $"a box of {boxRows} rows is not one of 1 to {MostBoxRows}"
            : (nuint)map % Alignment != 0 ? $"its description lies at no multiple of {Alignment} bytes" : null;
        if (why is not null)
            throw new DeviceException($"Kernel {kernel} cannot copy a matrix of {matrix.Rows} rows and {matrix.Columns} columns: {why}.");
    }
}
