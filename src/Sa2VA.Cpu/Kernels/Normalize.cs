using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>8-bit pixels to floats by a table per channel.</summary>
internal sealed unsafe class NormalizeKernel(Normalize op, KernelContext context) : Kernel(op)
{
    private readonly Operand _imageOperand = context.Operand(op.Inputs[0]);
    private readonly Operand _tableOperand = context.Operand(op.Inputs[1]);
    private readonly Operand _outOperand = context.Operand(op.Output);
    private readonly int _workers = context.Workers;
    private RowView _image, _table, _out;

    public override int Prepare(in RunContext run)
    {
        (_image, _table, _out) = (_imageOperand.Resolve(run), _tableOperand.Resolve(run), _outOperand.Resolve(run));
        return _workers;
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_out.Rows, part, _workers);
        float* red = _table.Floats, green = red + 256, blue = green + 256;
        byte* from = _image.Pointer + 3 * first;
        float* to = _out.Floats + 3 * first;
        for (long i = first; i < end; i++, from += 3, to += 3) (to[0], to[1], to[2]) = (red[from[0]], green[from[1]], blue[from[2]]);
    }
}
