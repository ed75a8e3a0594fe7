using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Rows of bits, with one more set in each.</summary>
internal sealed unsafe class SetBitsKernel(SetBits op, KernelContext context) : Kernel(op)
{
    private readonly Operand _bitsOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _indexOperand = context.Operand(op.Inputs[1]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private RowView _bits, _index, _out;

    public override int Prepare(in RunContext run)
    {
        (_bits, _index, _out) = (_bitsOperand.Resolve(run), _indexOperand.Resolve(run), _outOperand.Resolve(run));
        return _out.Rows > 0 ? 1 : 0;
    }

    public override void Run(int part)
    {
        for (long r = 0; r < _out.Rows; r++)
        {
            RowCopy.Rows(_bits, r, _out, r, 1);
            int index = _index.Ints[r];
            if (index >= 0 && index / 32 < _out.Columns) _out.Ints[r * _out.RowStride + index / 32] |= 1 << index % 32;
        }
    }
}
