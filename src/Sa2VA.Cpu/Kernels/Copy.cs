using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Copies rows, converting between float types.</summary>
internal sealed unsafe class CopyKernel(Copy op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly int _workers = context.Workers;
    private RowView _x, _out;
    private int _parts;

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return _parts = RowCopy.Parts(_out, _workers);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_out.Rows, part, _parts);
        RowCopy.Rows(_x, first, _out, first, end - first);
    }
}

/// <summary>Rows from one view to another.</summary>
internal static unsafe class RowCopy
{
    /// <summary>Parts that share copying all rows of a view: one where another thread costs more than it brings.</summary>
    public static int Parts(in RowView view, int workers) => (int)Math.Min(view.Rows, view.Rows * view.Columns < 16384 ? 1 : workers);

    /// <summary>Copies <paramref name="count"/> rows; float types convert, integers to F32 too, others must be equal.</summary>
    public static void Rows(in RowView from, long fromRow, in RowView to, long toRow, long count)
    {
        int columns = to.Columns;
        int fromSize = from.Type.Size(), toSize = to.Type.Size();
        if (from.Type == to.Type && from.RowStride == columns && to.RowStride == columns)
        {
            long bytes = count * columns * toSize;
            Buffer.MemoryCopy(from.Pointer + fromRow * columns * fromSize, to.Pointer + toRow * columns * toSize, bytes, bytes);
            return;
        }
        for (long i = 0; i < count; i++)
        {
            byte* source = from.Pointer + (fromRow + i) * from.RowStride * fromSize;
            byte* target = to.Pointer + (toRow + i) * to.RowStride * toSize;
            if (from.Type == to.Type) Buffer.MemoryCopy(source, target, (long)columns * toSize, (long)columns * toSize);
            else if (from.Type == DType.F32) Widen.Store(new ReadOnlySpan<float>(source, columns), target, to.Type, 0);
            else if (from.Type == DType.I32)
                for (int c = 0; c < columns; c++) ((float*)target)[c] = ((int*)source)[c];
            else if (to.Type == DType.F32) Widen.Row(source, from.Type, 0, new Span<float>(target, columns));
            else ThroughFloat(source, from.Type, target, to.Type, columns);
        }
    }

    private static void ThroughFloat(byte* source, DType from, byte* target, DType to, int columns)
    {
        Span<float> block = stackalloc float[256];
        for (int c = 0; c < columns; c += block.Length)
        {
            Span<float> part = block[..Math.Min(block.Length, columns - c)];
            Widen.Row(source, from, c, part);
            Widen.Store(part, target, to, c);
        }
    }
}
