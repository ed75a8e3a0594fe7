using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Copies the last valid row.</summary>
internal sealed class LastRowKernel(LastRow op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private RowView _x, _out;

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return 1;
    }

    public override void Run(int part) => RowCopy.Rows(_x, _x.Rows - 1, _out, 0, 1);
}
