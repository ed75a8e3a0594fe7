using System.Runtime.Intrinsics;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// Masks at the picture's size as bits; parts are ranges of the rows of all objects together. Only two rows of the S×S map exist at a time.
/// </summary>
internal sealed unsafe class PackMasksKernel : Kernel
{
    private readonly Operand _xOperand, _outOperand;
    private readonly PackMasks _op;
    private readonly BilinearRows _up, _toPicture;
    private readonly WorkerScratch _scratch;
    private readonly int _workers;
    private RowView _x, _out;
    private int _parts;

    public PackMasksKernel(PackMasks op, KernelContext context) : base(op)
    {
        (_xOperand, _outOperand, _op) = (context.Operand(op.Inputs[0]), context.Operand(op.Output), op);
        _up = new BilinearRows(op.LowSide, op.LowSide, op.ImageSize, op.ImageSize);
        _toPicture = new BilinearRows(op.ImageSize, op.ImageSize, op.Height, op.Width);
        _scratch = context.Scratch((_up.KeptFloats + _toPicture.KeptFloats + op.ImageSize + PaddedWidth) * (long)sizeof(float));
        _workers = context.Workers;
    }

    /// <summary>A row of the result is tested in whole words.</summary>
    private int PaddedWidth => _op.WordsPerRow * 32;

    public override int Prepare(in RunContext run)
    {
        (_x, _out) = (_xOperand.Resolve(run), _outOperand.Resolve(run));
        return _parts = (int)Math.Min(_workers, _x.Rows * _op.Height);
    }

    public override void Run(int part)
    {
        (long first, long end) = Share(_x.Rows * _op.Height, part, _parts);
        while (first < end)
        {
            long item = first / _op.Height, rows = Math.Min(end - first, (item + 1) * _op.Height - first);
            Item(_x.Row(item), (int*)_out.Pointer + item * _out.RowStride, (int)(first % _op.Height), (int)rows, part);
            first += rows;
        }
    }

    private void Item(float* results, int* to, int firstRow, int rows, int part)
    {
        int lowCount = _op.LowSide * _op.LowSide;
        if (firstRow == 0)
        {
            to[_op.MaskWords] = Finite.IndexOfNonFinite(new ReadOnlySpan<float>(results, lowCount)) < 0 ? 1 : 0;
            int beside = _x.Columns - lowCount;
            new ReadOnlySpan<int>(results + lowCount, beside).CopyTo(new Span<int>(to + _op.MaskWords + 1, beside));
        }
        float* scratch = (float*)_scratch.Slice(part);
        Span<float> upKept = new(scratch, _up.KeptFloats), kept = new(scratch += _up.KeptFloats, _toPicture.KeptFloats);
        Span<float> mid = new(scratch += _toPicture.KeptFloats, _op.ImageSize), row = new(scratch + _op.ImageSize, PaddedWidth);
        row[_op.Width..].Clear();
        Span<int> upHeld = [-1, -1], held = [-1, -1];
        for (int y = firstRow; y < firstRow + rows; y++)
        {
            (int upper, int lower) = _toPicture.Sources(y);
            Fetch(results, upper, upHeld, upKept, held, kept, mid);
            Fetch(results, lower, upHeld, upKept, held, kept, mid);
            _toPicture.Mix(y, kept, row);
            Bits(row, new Span<int>(to + (long)y * _op.WordsPerRow, _op.WordsPerRow));
        }
    }

    /// <summary>Makes row y of the S×S map available to the second resize, widened to the picture's columns.</summary>
    private void Fetch(float* low, int y, Span<int> upHeld, Span<float> upKept, Span<int> held, Span<float> kept, Span<float> mid)
    {
        if (held[y % 2] == y) return;
        (int upper, int lower) = _up.Sources(y);
        WidenLow(low, upper, upHeld, upKept);
        WidenLow(low, lower, upHeld, upKept);
        _up.Mix(y, upKept, mid);
        _toPicture.Widen(mid, _toPicture.Kept(kept, y));
        held[y % 2] = y;
    }

    private void WidenLow(float* low, int source, Span<int> held, Span<float> kept)
    {
        if (held[source % 2] == source) return;
        _up.Widen(new ReadOnlySpan<float>(low + (long)source * _op.LowSide, _op.LowSide), _up.Kept(kept, source));
        held[source % 2] = source;
    }

    private static void Bits(ReadOnlySpan<float> row, Span<int> words)
    {
        Vector256<float> threshold = Vector256.Create(PackMasks.Threshold);
        for (int j = 0; j < words.Length; j++)
        {
            uint word = 0;
            for (int i = 0; i < 4; i++)
            {
                Vector256<float> x = Vector256.Create(row.Slice(32 * j + 8 * i, 8));
                word |= Vector256.GreaterThan(x, threshold).ExtractMostSignificantBits() << (8 * i);
            }
            words[j] = (int)word;
        }
    }
}
