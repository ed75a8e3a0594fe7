using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>A row of one of two tensors by the sign of a number.</summary>
internal sealed unsafe class WhereKernel(Where op, KernelContext context) : Kernel(op)
{
    private readonly Operand _conditionOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _aOperand = context.Operand(op.Inputs[1]);
    private readonly Operand _bOperand = context.Operand(op.Inputs[2]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private RowView _condition, _a, _b, _out;

    public override int Prepare(in RunContext run)
    {
        (_condition, _a, _b) = (_conditionOperand.Resolve(run), _aOperand.Resolve(run), _bOperand.Resolve(run));
        _out = _outOperand.Resolve(run);
        return _out.Rows == 0 ? 0 : 1;
    }

    public override void Run(int part)
    {
        for (long r = 0; r < _out.Rows; r++)
        {
            var to = new Span<float>(_out.Row(r), _out.Columns);
            float condition = _condition.Floats[r];
            if (float.IsNaN(condition)) to.Fill(float.NaN);
            else new ReadOnlySpan<float>(condition > 0 ? _a.Row(r) : _b.Row(r % _b.Rows), _out.Columns).CopyTo(to);
        }
    }
}
