using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Rotates queries; writes rotated keys, and values, into their states. Parts are row ranges.</summary>
internal sealed unsafe class RotaryAppendKernel : Kernel
{
    private readonly RotaryAppend _op;
    private readonly Operand _qOperand, _kOperand, _vOperand, _cosOperand, _sinOperand, _positionsOperand, _rowsOperand;
    private readonly Operand _outOperand, _keysOperand, _valuesOperand;
    private readonly SimdLevel _simd;
    private readonly int _workers;
    private readonly WorkerScratch _scratch;
    private RowView _q, _k, _v, _cos, _sin, _out, _keys, _values;
    private int* _positions, _rows;
    private int _parts;

    public RotaryAppendKernel(RotaryAppend op, KernelContext context) : base(op)
    {
        (_op, _simd, _workers) = (op, context.Simd, context.Workers);
        (_qOperand, _kOperand, _vOperand) = (context.Operand(op.Q), context.Operand(op.K), context.Operand(op.V));
        (_cosOperand, _sinOperand) = (context.Operand(op.Cos), context.Operand(op.Sin));
        (_positionsOperand, _rowsOperand) = (context.Operand(op.Positions), context.Operand(op.Rows));
        (_outOperand, _keysOperand, _valuesOperand) = (context.Operand(op.Output), context.Operand(op.Keys), context.Operand(op.Values));
        _scratch = context.Scratch(2L * Math.Max(op.Q.Shape.Last, op.K.Shape.Last) * sizeof(float));
    }

    public override int Prepare(in RunContext run)
    {
        (_q, _k, _v) = (_qOperand.Resolve(run), _kOperand.Resolve(run), _vOperand.Resolve(run));
        (_cos, _sin, _out) = (_cosOperand.Resolve(run), _sinOperand.Resolve(run), _outOperand.Resolve(run));
        (_keys, _values) = (_keysOperand.Resolve(run), _valuesOperand.Resolve(run));
        _positions = _positionsOperand.Resolve(run).Ints;
        _rows = _rowsOperand.Resolve(run).Ints;
        RowIndex.Check(Name, _positions, _q.Rows, -1, _cos.Rows, "rows of the table");
        RowIndex.Check(Name, _rows, _q.Rows, -1, _keys.Rows, "rows of the state");
        return _parts = RowCopy.Parts(_q, _workers);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_q.Rows, part, _parts);
        float* scratch = (float*)_scratch.Slice(part);
        for (long r = first; r < end; r++)
        {
            Rotate(_q, r, _out, r, _op.Heads, scratch);
            if (_rows[r] < 0) continue;
            Rotate(_k, r, _keys, _rows[r], _op.KvHeads, scratch);
            RowCopy.Rows(_v, r, _values, _rows[r], 1);
        }
    }

    private void Rotate(in RowView from, long row, in RowView to, long toRow, int heads, float* scratch)
    {
        int position = _positions[row];
        if (position < 0)
        {
            RowCopy.Rows(from, row, to, toRow, 1);
            return;
        }
        float* x = Widen.Rows(from, row, 1, scratch).Row(row), cos = _cos.Row(position), sin = _sin.Row(position);
        RowView target = to.Type == DType.F32 ? to : Widen.InScratch(to, toRow, scratch + from.Columns);
        float* y = target.Row(toRow);
        switch (_simd)
        {
            case SimdLevel.V512: Rotation.Row<V512>(x, y, cos, sin, heads, _cos.Columns, _op.Pairing); break;
            case SimdLevel.V256: Rotation.Row<V256>(x, y, cos, sin, heads, _cos.Columns, _op.Pairing); break;
            default: Rotation.Row<V128>(x, y, cos, sin, heads, _cos.Columns, _op.Pairing); break;
        }
        if (to.Type != DType.F32) Widen.Store(target, to, toRow, 1);
    }
}
