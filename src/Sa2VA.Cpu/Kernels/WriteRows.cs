using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Writes rows into a state in place, converting to its float type. Parts are row ranges.</summary>
internal sealed unsafe class WriteRowsKernel(WriteRows op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _stateOperand = context.Operand(op.Inputs[1]);
    private readonly Operand _rowsOperand = context.Operand(op.Rows);
    private readonly long _capacity = op.Inputs[1].Shape.Rows;
    private readonly int _workers = context.Workers;
    private RowView _x, _state;
    private int* _rows;
    private int _parts;

    public override int Prepare(in RunContext run)
    {
        (_x, _state) = (_xOperand.Resolve(run), _stateOperand.Resolve(run));
        _rows = _rowsOperand.Resolve(run).Ints;
        RowIndex.Check(Name, _rows, _x.Rows, -1, _capacity, "rows of the state");
        return _parts = RowCopy.Parts(_x, _workers);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_x.Rows, part, _parts);
        for (long i = first; i < end; i++)
            if (_rows[i] >= 0) RowCopy.Rows(_x, i, _state, _rows[i], 1);
    }
}
