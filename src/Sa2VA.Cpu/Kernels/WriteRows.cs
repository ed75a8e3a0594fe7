using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Writes rows into a state in place, converting to its float type.</summary>
internal sealed unsafe class WriteRowsKernel(WriteRows op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _stateOperand = context.Operand(op.Inputs[1].Root);
    private readonly Operand? _rowsOperand = op.Rows is null ? null : context.Operand(op.Rows);
    private readonly RuntimeScalar? _start = op.Start;
    private readonly long _capacity = op.Inputs[1].Shape.Rows;
    private RowView _x, _state;
    private int* _rows;
    private long _at;

    public override int Prepare(in RunContext run)
    {
        (_x, _state, _at) = (_xOperand.Resolve(run), _stateOperand.Resolve(run), run.Scalar(_start));
        if (_rowsOperand is { } rows)
        {
            _rows = rows.Resolve(run).Ints;
            RowIndex.Check(Name, _rows, _x.Rows, -1, _capacity, "rows of the state");
        }
        return _x.Rows > 0 ? 1 : 0;
    }

    public override void Run(int part)
    {
        if (_rowsOperand is null) RowCopy.Rows(_x, 0, _state, _at, _x.Rows);
        else
            for (long i = 0; i < _x.Rows; i++)
                if (_rows[i] >= 0) RowCopy.Rows(_x, i, _state, _rows[i], 1);
    }
}
