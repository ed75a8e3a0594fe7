using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>Largest of each 2×2 block, channel by channel.</summary>
internal sealed unsafe class MaxPool2dKernel(MaxPool2d op, KernelContext context) : Kernel(op)
{
    private readonly Operand _xOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly int _inWidth = op.Inputs[0].Shape[1], _height = op.Output.Shape[0], _width = op.Output.Shape[1],
        _channels = op.Output.Shape[2];
    private readonly int _workers = Math.Min(context.Workers, op.Output.Shape[0]);
    private RowView _x, _out;

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return _workers;
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_height, part, _workers);
        for (long y = first; y < end; y++)
        {
            for (int x = 0; x < _width; x++)
            {
                float* top = _x.Row(2 * y * _inWidth + 2 * x), bottom = _x.Row((2 * y + 1) * _inWidth + 2 * x);
                float* to = _out.Row(y * _width + x);
                int c = 0;
                for (; c <= _channels - Vector<float>.Count; c += Vector<float>.Count)
                {
                    Vector<float> upper = Vector.Max(Vector.Load(top + c), Vector.Load(top + _channels + c));
                    Vector<float> lower = Vector.Max(Vector.Load(bottom + c), Vector.Load(bottom + _channels + c));
                    Vector.Max(upper, lower).Store(to + c);
                }
                for (; c < _channels; c++)
                    to[c] = MathF.Max(MathF.Max(top[c], top[_channels + c]), MathF.Max(bottom[c], bottom[_channels + c]));
            }
        }
    }
}
