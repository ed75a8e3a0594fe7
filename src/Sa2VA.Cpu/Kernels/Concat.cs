using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Parts one under the other, each with its run-time length.</summary>
internal sealed class ConcatKernel(Concat op, KernelContext context) : Kernel(op)
{
    private readonly Operand[] _operands = [.. op.Inputs.Select(context.Operand)];
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly RowView[] _parts = new RowView[op.Inputs.Count];
    private readonly int _workers = context.Workers;
    private RowView _out;
    private int _shares;

    public override int Prepare(in RunContext run)
    {
        long rows = 0;
        for (int i = 0; i < _parts.Length; i++)
        {
            _parts[i] = _operands[i].Resolve(run);
            rows += _parts[i].Rows;
        }
        _out = _outOperand.Resolve(run);
        return _shares = rows * _out.Columns < 16384 ? 1 : _workers;
    }

    public override void Run(int part)
    {
        long at = 0;
        foreach (ref readonly RowView p in _parts.AsSpan())
        {
            (long first, long end) = Share(p.Rows, part, _shares);
            RowCopy.Rows(p, first, _out, at + first, end - first);
            at += p.Rows;
        }
    }
}
