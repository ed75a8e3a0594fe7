using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>One of two tensors by the sign of one number.</summary>
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
        return 1;
    }

    public override void Run(int part)
    {
        float condition = _condition.Floats[0];
        if (float.IsNaN(condition))
        {
            new Span<float>(_out.Floats, checked((int)(_out.Rows * _out.Columns))).Fill(float.NaN);
            return;
        }
        float* from = condition > 0 ? _a.Floats : _b.Floats;
        long bytes = _out.Rows * _out.Columns * sizeof(float);
        Buffer.MemoryCopy(from, _out.Pointer, bytes, bytes);
    }
}
