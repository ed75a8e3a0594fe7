using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Copies rows by index, of one table or each of its own; a negative index gives zeros.</summary>
internal sealed unsafe class GatherKernel(Gather op, KernelContext context) : Kernel(op)
{
    private readonly Operand _tableOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _indexOperand = context.Operand(op.Inputs[1]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly int _own = op.Inputs[0].Shape.Rank == 3 ? op.Inputs[0].Shape[1] : 0;
    private readonly int _workers = context.Workers;
    private RowView _table, _index, _out;
    private int _parts;

    public override int Prepare(in RunContext run)
    {
        (_table, _index, _out) = (_tableOperand.Resolve(run), _indexOperand.Resolve(run), _outOperand.Resolve(run));
        RowIndex.Check(Name, _index.Ints, _out.Rows, int.MinValue, _own > 0 ? _own : _table.Rows, "rows of the table");
        return _parts = RowCopy.Parts(_out, _workers);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_out.Rows, part, _parts);
        for (long i = first; i < end; i++)
        {
            int row = _index.Ints[i];
            if (row >= 0) RowCopy.Rows(_table, i * _own + row, _out, i, 1);
            else
            {
                int size = _out.Type.Size();
                new Span<byte>(_out.Pointer + i * _out.RowStride * size, checked(_out.Columns * size)).Clear();
            }
        }
    }
}
