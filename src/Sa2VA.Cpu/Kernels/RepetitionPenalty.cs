using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Logits of tokens that were said already, made less likely. Parts are row ranges.</summary>
internal sealed unsafe class RepetitionPenaltyKernel(RepetitionPenalty op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _heldOperand = context.Operand(op.Inputs[1]);
    private readonly Operand _penaltiesOperand = context.Operand(op.Inputs[2]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly int _workers = context.Workers;
    private RowView _x, _held, _penalties, _out;
    private int _parts;

    public override int Prepare(in RunContext run)
    {
        (_x, _held) = (_xOperand.Resolve(run), _heldOperand.Resolve(run));
        (_penalties, _out) = (_penaltiesOperand.Resolve(run), _outOperand.Resolve(run));
        return _parts = (int)Math.Min(_workers, _x.Rows);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_x.Rows, part, _parts);
        for (long r = first; r < end; r++)
        {
            RowCopy.Rows(_x, r, _out, r, 1);
            float penalty = BitConverter.Int32BitsToSingle(_penalties.Ints[r]);
            if (!(penalty > 0) || !float.IsFinite(penalty)) continue;
            var row = new Span<float>(_out.Row(r), _out.Columns);
            var words = new ReadOnlySpan<int>(_held.Ints + r * _held.RowStride, _held.Columns);
            for (int w = 0; w < words.Length; w++)
            {
                for (uint bits = (uint)words[w]; bits != 0; bits &= bits - 1)
                {
                    // Bits behind the last token are nobody's.
                    int i = 32 * w + BitOperations.TrailingZeroCount(bits);
                    if (i < row.Length) row[i] = row[i] < 0 ? row[i] * penalty : row[i] / penalty;
                }
            }
        }
    }
}
