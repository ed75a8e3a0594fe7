using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Four neighbouring patches side by side in the channels.</summary>
internal sealed unsafe class PixelShuffleKernel(PixelShuffle op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly int _height = op.Inputs[0].Shape[0], _width = op.Inputs[0].Shape[1], _channels = op.Inputs[0].Shape.Last;
    private readonly bool _transposed = op.Transposed;
    private RowView _x, _out;

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return 1;
    }

    public override void Run(int part)
    {
        int rows = _height / 2, columns = _width / 2;
        long pair = 2L * _channels * sizeof(float);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                float* to = _out.Row(_transposed ? (long)j * rows + i : (long)i * columns + j);
                // Two neighbours of a row are adjacent in memory: one copy for each of the two rows.
                Buffer.MemoryCopy(_x.Row((2L * i) * _width + 2 * j), to, pair, pair);
                Buffer.MemoryCopy(_x.Row((2L * i + 1) * _width + 2 * j), to + 2 * _channels, pair, pair);
            }
        }
    }
}
