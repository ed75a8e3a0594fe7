using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Copies rows over and over.</summary>
internal sealed class RepeatKernel(Repeat op, KernelContext context) : Kernel(op)
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
        (long row, long end) = Share(_out.Rows, part, _parts);
        while (row < end)
        {
            long from = row % _x.Rows, count = Math.Min(end - row, _x.Rows - from);
            RowCopy.Rows(_x, from, _out, row, count);
            row += count;
        }
    }
}
