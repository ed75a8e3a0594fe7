using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Index of each row's largest element, the lowest on ties; −1 where one is not finite.</summary>
internal sealed unsafe class ArgMaxKernel(ArgMax op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private RowView _x, _out;

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return _x.Rows > 0 ? 1 : 0;
    }

    public override void Run(int part)
    {
        for (long r = 0; r < _x.Rows; r++) _out.Ints[r] = Of(new ReadOnlySpan<float>(_x.Row(r), _x.Columns));
    }

    /// <summary>Index of the largest element, the lowest on ties; −1 if any is NaN or infinite.</summary>
    public static int Of(ReadOnlySpan<float> row)
    {
        if (Finite.IndexOfNonFinite(row) >= 0) return -1;
        int best = 0;
        for (int i = 1; i < row.Length; i++)
            if (row[i] > row[best]) best = i;
        return best;
    }
}
