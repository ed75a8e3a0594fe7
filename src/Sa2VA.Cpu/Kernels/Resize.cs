using System.Numerics;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Separable resampling, horizontal pass first. A part takes a band of the output rows of all maps and keeps the horizontally resampled
/// source rows it still needs in a ring, so each source row is resampled once per part.
/// </summary>
internal sealed unsafe class ResizeKernel : Kernel
{
    private readonly Operand _xOperand, _outOperand;
    private readonly ResizeTaps _horizontal, _vertical;
    private readonly int _inHeight, _inWidth, _outHeight, _outWidth, _channels, _workers;
    private readonly WorkerScratch _scratch;
    private RowView _x, _out;
    private long _rows;
    private int _parts;

    public ResizeKernel(Resize op, KernelContext context) : base(op)
    {
        (_xOperand, _outOperand) = (context.Operand(op.Inputs[0]), context.Operand(op.Output));
        Shape from = op.Inputs[0].Shape, to = op.Output.Shape;
        (_inHeight, _inWidth, _outHeight, _outWidth, _channels) = (from[-3], from[-2], to[-3], to[-2], to.Last);
        _horizontal = ResizeTaps.Create(_inWidth, _outWidth, op.Mode);
        _vertical = ResizeTaps.Create(_inHeight, _outHeight, op.Mode);
        _workers = context.Workers;
        _scratch = context.Scratch((long)_vertical.Count * (_outWidth * _channels * sizeof(float) + sizeof(int)));
    }

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        _rows = _out.Rows / _outWidth;
        return _parts = (int)Math.Min(_workers, _rows);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_rows, part, _parts);
        int taps = _vertical.Count, width = _outWidth * _channels;
        float* ring = (float*)_scratch.Slice(part);
        var held = new Span<int>(ring + (long)taps * width, taps);
        for (long row = first; row < end; row++)
        {
            (long map, long place) = Math.DivRem(row, _outHeight);
            int y = (int)place;
            if (row == first || y == 0) held.Fill(-1);
            float* from = _x.Floats + map * _inHeight * _inWidth * _channels;
            var to = new Span<float>(_out.Floats + row * width, width);
            to.Clear();
            for (int t = 0; t < taps; t++)
            {
                float weight = _vertical.Weight[y * taps + t];
                if (weight == 0) continue;
                int source = _vertical.Index[y * taps + t];
                int slot = source % taps;
                float* kept = ring + (long)slot * width;
                if (held[slot] != source)
                {
                    ResampleRow(from + (long)source * _inWidth * _channels, kept);
                    held[slot] = source;
                }
                AddScaled(new ReadOnlySpan<float>(kept, width), weight, to);
            }
        }
    }

    private void ResampleRow(float* from, float* to)
    {
        int taps = _horizontal.Count;
        fixed (int* index = _horizontal.Index)
        fixed (float* weight = _horizontal.Weight)
        {
            for (int x = 0; x < _outWidth; x++)
            {
                int* i = index + x * taps;
                float* w = weight + x * taps;
                if (_channels == 1)
                {
                    float sum = w[0] * from[i[0]];
                    for (int t = 1; t < taps; t++) sum += w[t] * from[i[t]];
                    to[x] = sum;
                    continue;
                }
                var pixel = new Span<float>(to + (long)x * _channels, _channels);
                pixel.Clear();
                for (int t = 0; t < taps; t++) AddScaled(new ReadOnlySpan<float>(from + (long)i[t] * _channels, _channels), w[t], pixel);
            }
        }
    }

    private static void AddScaled(ReadOnlySpan<float> from, float weight, Span<float> to)
    {
        int i = 0;
        var w = new Vector<float>(weight);
        for (; i <= to.Length - Vector<float>.Count; i += Vector<float>.Count)
            (new Vector<float>(to[i..]) + w * new Vector<float>(from[i..])).CopyTo(to[i..]);
        for (; i < to.Length; i++) to[i] += weight * from[i];
    }
}
