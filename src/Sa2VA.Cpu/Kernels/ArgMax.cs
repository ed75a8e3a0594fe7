using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Index of each row's largest element, the lowest on ties; NaN never wins over a number.</summary>
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

    /// <summary>Index of the largest element, the lowest on ties.</summary>
    public static int Of(ReadOnlySpan<float> row)
    {
        int best = 0;
        float value = float.NegativeInfinity;
        for (int i = 0; i < row.Length; i++)
        {
            if (row[i] <= value || float.IsNaN(row[i])) continue;
            (best, value) = (i, row[i]);
        }
        return best;
    }
}
