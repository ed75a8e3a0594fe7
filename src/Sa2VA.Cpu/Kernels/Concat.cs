using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Parts one under the other, each with its run-time length, segment by segment. A share has some rows of each block.</summary>
internal sealed unsafe class ConcatKernel : Kernel
{
    private readonly Concat _op;
    private readonly Operand[] _operands, _lengthOperands;
    private readonly Operand _outOperand;
    private readonly RowView[] _parts;
    private readonly long[] _each;
    private readonly nint[] _lengths;
    private readonly int _workers, _segments;
    private RowView _out;
    private int _shares;

    public ConcatKernel(Concat op, KernelContext context) : base(op)
    {
        _op = op;
        _operands = [.. op.Parts.Select(context.Operand)];
        _lengthOperands = [.. op.Lengths.Select(context.Operand)];
        _outOperand = context.Operand(op.Output);
        (_parts, _lengths) = (new RowView[_operands.Length], new nint[_lengthOperands.Length]);
        _each = [.. op.Parts.Select(p => p.Shape.Rows / op.Segments)];
        (_workers, _segments) = (context.Workers, op.Segments);
    }

    public override int Prepare(in RunContext run)
    {
        long rows = 0;
        for (int i = 0; i < _parts.Length; i++)
        {
            _parts[i] = _operands[i].Resolve(run);
            rows += _parts[i].Rows;
            if (_lengths.Length == 0) continue;
            int* lengths = _lengthOperands[i].Resolve(run).Ints;
            _lengths[i] = (nint)lengths;
            _op.CheckLengths(i, _parts[i].Rows, new ReadOnlySpan<int>(lengths, _segments));
        }
        _out = _outOperand.Resolve(run);
        return _shares = rows * _out.Columns < 16384 ? 1 : _workers;
    }

    public override void Run(int part)
    {
        long at = 0;
        Span<long> next = stackalloc long[_parts.Length];
        next.Clear();
        for (int s = 0; s < _segments; s++)
        {
            for (int i = 0; i < _parts.Length; i++)
            {
                long rows = Rows(i, s);
                (long first, long end) = Share(rows, part, _shares);
                RowCopy.Rows(_parts[i], next[i] + first, _out, at + first, end - first);
                next[i] += rows;
                at += rows;
            }
        }
    }

    /// <summary>A segment's rows of a part.</summary>
    private long Rows(int part, int segment) =>
        _segments == 1 && _lengths.Length == 0 ? _parts[part].Rows
        : _lengths.Length > 0 ? ((int*)_lengths[part])[segment]
        : segment * _each[part] < _parts[part].Rows ? _each[part] : 0;
}
