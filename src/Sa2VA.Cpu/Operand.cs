using System.Runtime.CompilerServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>A tensor as a kernel sees it in one run: rows (all axes but the last, flattened) of <see cref="Columns"/> elements.</summary>
internal readonly unsafe struct RowView(byte* pointer, DType type, long rows, int columns, int rowStride)
{
    public byte* Pointer { get; } = pointer;
    public DType Type { get; } = type;

    /// <summary>Valid rows in this run.</summary>
    public long Rows { get; } = rows;
    public int Columns { get; } = columns;

    /// <summary>Elements from a row to the next.</summary>
    public int RowStride { get; } = rowStride;

    public float* Floats => (float*)Pointer;
    public int* Ints => (int*)Pointer;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float* Row(long row) => (float*)Pointer + row * RowStride;
}

/// <summary>
/// Where a tensor's elements will be, resolved to a <see cref="RowView"/> at each run: lengths change, and the arena may grow between runs.
/// </summary>
internal readonly unsafe struct Operand
{
    private readonly Place _place;
    private readonly long _byteOffset;
    private readonly int _slot;
    private readonly byte* _constant;
    private readonly DType _type;
    private readonly long _rows;
    private readonly int _columns;
    private readonly int _rowStride;
    private readonly int _rowsScalar;
    private readonly long _rowsPerStep;

    private enum Place { Arena, Buffer, Constant, Numbers }

    private Operand(Tensor tensor, Place place, long byteOffset, int slot, byte* constant)
    {
        (_place, _byteOffset, _slot) = (place, byteOffset + tensor.Offset * tensor.Type.Size(), slot);
        _constant = constant;
        (_type, _rows, _columns, _rowStride) = (tensor.Type, tensor.Shape.Rows, tensor.Shape.Last, tensor.RowStride);
        // A tensor of rank 1 is one row; its run-time length is then the number of columns.
        _rowsScalar = tensor.Length?.Index ?? -1;
        _rowsPerStep = tensor.Shape.Rank == 1 ? 0 : tensor.RowsPerStep;
    }

    public static Operand InArena(Tensor tensor, long byteOffset) => new(tensor, Place.Arena, byteOffset, 0, null);
    public static Operand InBuffer(Tensor tensor, int slot) => new(tensor, Place.Buffer, 0, slot, null);
    public static Operand InConstant(Tensor tensor, byte* pointer) => new(tensor, Place.Constant, 0, 0, pointer);

    public static Operand InNumbers(Tensor list) => new(list, Place.Numbers, (long)list.Root.BlockOffset * sizeof(int), 0, null);

    public RowView Resolve(in RunContext run)
    {
        byte* start = _place switch
        {
            Place.Arena => run.Arena,
            Place.Buffer => (byte*)run.Buffers[_slot],
            Place.Numbers => (byte*)Unsafe.AsPointer(ref run.Numbers[0]),
            _ => _constant,
        };
        long rows = _rows;
        int columns = _columns;
        if (_rowsScalar >= 0)
        {
            int length = run.Numbers[_rowsScalar];
            if (_rowsPerStep == 0) columns = length;
            else rows = length * _rowsPerStep;
        }
        return new RowView(start + _byteOffset, _type, rows, columns, _rowStride);
    }
}

/// <summary>What a kernel needs to resolve its operands in one run.</summary>
internal readonly unsafe struct RunContext(byte* arena, nint[] buffers, int[] numbers)
{
    public byte* Arena { get; } = arena;

    /// <summary>Addresses of bound memory, inputs first; held while the plan runs.</summary>
    public nint[] Buffers { get; } = buffers;

    /// <summary>Values of the run-time scalars, then those of the lists; pinned.</summary>
    public int[] Numbers { get; } = numbers;

    /// <summary>Value of a run-time scalar; <paramref name="absent"/> if the op has none.</summary>
    public int Scalar(RuntimeScalar? scalar, int absent = 0) => scalar is null ? absent : Numbers[scalar.Index];
}
