using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Pillow's bicubic resize; parts are ranges of target rows. A part holds only as many horizontally resized rows as one target row is made
/// of; rows at the seam of two parts are made by both.
/// </summary>
internal sealed unsafe class PillowResizeKernel : Kernel
{
    private readonly Operand _xOperand, _outOperand;
    private readonly int _h, _w, _h2, _w2, _slots, _workers;
    private readonly PillowTaps? _horizontal, _vertical;
    private readonly WorkerScratch _scratch;
    private RowView _x, _out;

    public PillowResizeKernel(PillowResize op, KernelContext context) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        Shape from = op.Inputs[0].Shape, to = op.Output.Shape;
        (_h, _w, _h2, _w2) = (from[0], from[1], to[0], to[1]);
        // A pass whose size stays the same is skipped.
        _horizontal = _w == _w2 ? null : new PillowTaps(_w, _w2);
        _vertical = _h == _h2 ? null : new PillowTaps(_h, _h2);
        _slots = _vertical is null ? 1 : Math.Min(_vertical.Stride, _h);
        _workers = Math.Min(context.Workers, _h2);
        _scratch = context.Scratch(_w2 * 3L * sizeof(int) + (long)_slots * _w2 * 3 + _w * 3 + 1);
    }

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return _workers;
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_h2, part, _workers);
        int stride = _w2 * 3;
        byte* scratch = _scratch.Slice(part);
        var sums = new Span<int>(scratch, stride);
        byte* ring = scratch + stride * sizeof(int), padded = ring + (long)_slots * stride;
        if (_vertical is null)
        {
            for (int y = (int)first; y < end; y++) Widen(y, Target(y), padded);
            return;
        }
        int ready = 0;
        for (int y = (int)first; y < end; y++)
        {
            int firstRow = _vertical.First[y], endRow = firstRow + _vertical.Count[y];
            ready = Math.Max(ready, firstRow);
            for (; ready < endRow && _horizontal is not null; ready++)
                Widen(ready, new Span<byte>(ring + ready % _slots * (long)stride, stride), padded);
            PillowRows.Begin(sums);
            for (int row = firstRow; row < endRow; row++)
            {
                ReadOnlySpan<byte> values = _horizontal is null
                    ? new ReadOnlySpan<byte>(_x.Pointer + (long)row * stride, stride)
                    : new ReadOnlySpan<byte>(ring + row % _slots * (long)stride, stride);
                PillowRows.Add(values, _vertical.Weights[y * _vertical.Stride + row - firstRow], sums);
            }
            PillowRows.End(sums, Target(y));
        }
    }

    private Span<byte> Target(int y) => new(_out.Pointer + (long)y * _w2 * 3, _w2 * 3);

    /// <summary>The horizontal pass of one row. Behind the last row there is no byte that could be read.</summary>
    private void Widen(int row, Span<byte> target, byte* padded)
    {
        int length = _w * 3;
        byte* source = _x.Pointer + (long)row * length;
        if (_horizontal is null)
        {
            new ReadOnlySpan<byte>(source, length).CopyTo(target);
            return;
        }
        if (row == _h - 1)
        {
            Buffer.MemoryCopy(source, padded, length, length);
            source = padded;
        }
        PillowRows.Horizontal(new ReadOnlySpan<byte>(source, length + 1), target, _horizontal);
    }
}
