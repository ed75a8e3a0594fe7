using System.Numerics;
using System.Runtime.InteropServices;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>
/// Low-resolution logits → logits at the image's own size, for those who ask for them
/// (docs/model/tracking.md#mask-at-the-pictures-size): two chained bilinear resizes, 4G → S → H×W, without antialias. Only two rows of the
/// S×S map exist at a time. Tables are kept while the size stays the same: a warm call allocates nothing.
/// </summary>
internal sealed class MaskResampler
{
    private readonly int _lowSide, _imageSize;
    private readonly Stage _up;
    private Stage _out;
    private int _height, _width;

    /// <param name="lowSide">4G.</param>
    /// <param name="imageSize">S.</param>
    public MaskResampler(int lowSide, int imageSize)
    {
        (_lowSide, _imageSize) = (lowSide, imageSize);
        _up = _out = new Stage(lowSide, lowSide, imageSize, imageSize);
    }

    /// <summary>Writes logits at full size.</summary>
    /// <param name="low">[4G, 4G].</param>
    /// <param name="height">Rows of the result.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="logits">[height, width].</param>
    public void Logits(ReadOnlySpan<float> low, int height, int width, Span<float> logits)
    {
        Begin(low, height, width, logits.Length);
        for (int y = 0; y < height; y++) Row(low, y, logits.Slice(y * width, width));
    }

    private void Begin(ReadOnlySpan<float> low, int height, int width, int capacity)
    {
        if (height < 1 || width < 1 || capacity < (long)height * width || low.Length != _lowSide * _lowSide)
            throw new MediaException(
                $"Mask logits of {_lowSide}×{_lowSide} and room for {height}×{width} pixels are needed, not {low.Length} and {capacity}.");
        if (height != _height || width != _width)
        {
            _out = new Stage(_imageSize, _imageSize, height, width);
            (_height, _width) = (height, width);
        }
        _up.Forget();
        _out.Forget();
    }

    private void Row(ReadOnlySpan<float> low, int y, Span<float> row)
    {
        (int upper, int lower) = _out.Rows(y);
        Fetch(low, upper);
        Fetch(low, lower);
        _out.Combine(y, row);
    }

    /// <summary>Makes row y of the S×S map available to the second stage, widened to the result's columns.</summary>
    private void Fetch(ReadOnlySpan<float> low, int y)
    {
        if (_out.Has(y)) return;
        (int upper, int lower) = _up.Rows(y);
        if (!_up.Has(upper)) _up.Widen(upper, low.Slice(upper * _lowSide, _lowSide));
        if (!_up.Has(lower)) _up.Widen(lower, low.Slice(lower * _lowSide, _lowSide));
        _up.Combine(y, _up.Result);
        _out.Widen(y, _up.Result);
    }

    /// <summary>One bilinear resize, row by row: the two source rows that a row lies between are widened first, then mixed.</summary>
    private sealed class Stage
    {
        private readonly Taps _vertical, _horizontal;
        private readonly float[] _even, _odd;
        private int _evenRow = -1, _oddRow = -1;

        public Stage(int fromHeight, int fromWidth, int toHeight, int toWidth)
        {
            (_vertical, _horizontal) = (new Taps(fromHeight, toHeight), new Taps(fromWidth, toWidth));
            (_even, _odd, Result) = (new float[toWidth], new float[toWidth], new float[toWidth]);
        }

        /// <summary>Room for one row of the result.</summary>
        public float[] Result { get; }

        public void Forget() => _evenRow = _oddRow = -1;

        public (int Upper, int Lower) Rows(int y) => (_vertical.First[y], _vertical.Second[y]);

        /// <summary>The two source rows of any result row are neighbours, so one even and one odd row are all that is kept.</summary>
        public bool Has(int row) => (row % 2 == 0 ? _evenRow : _oddRow) == row;

        public void Widen(int row, ReadOnlySpan<float> source)
        {
            float[] target = row % 2 == 0 ? _even : _odd;
            int[] first = _horizontal.First, second = _horizontal.Second;
            float[] w0 = _horizontal.FirstWeight, w1 = _horizontal.SecondWeight;
            for (int x = 0; x < target.Length; x++) target[x] = w0[x] * source[first[x]] + w1[x] * source[second[x]];
            if (row % 2 == 0) _evenRow = row;
            else _oddRow = row;
        }

        public void Combine(int y, Span<float> result)
        {
            (int upper, int lower) = Rows(y);
            float h0 = _vertical.FirstWeight[y], h1 = _vertical.SecondWeight[y];
            float[] a = upper % 2 == 0 ? _even : _odd, b = lower % 2 == 0 ? _even : _odd;
            var av = MemoryMarshal.Cast<float, Vector<float>>(a);
            var bv = MemoryMarshal.Cast<float, Vector<float>>(b);
            var rv = MemoryMarshal.Cast<float, Vector<float>>(result);
            for (int i = 0; i < rv.Length; i++) rv[i] = av[i] * h0 + bv[i] * h1;
            for (int x = rv.Length * Vector<float>.Count; x < result.Length; x++) result[x] = a[x] * h0 + b[x] * h1;
        }
    }

    /// <summary>Two taps per target sample: source = scale·(i + ½) − ½, not below 0, neighbours clamped to the last sample.</summary>
    private sealed class Taps
    {
        public Taps(int from, int to)
        {
            (First, Second, FirstWeight, SecondWeight) = (new int[to], new int[to], new float[to], new float[to]);
            float scale = (float)from / to;
            for (int i = 0; i < to; i++)
            {
                float source = MathF.Max(MathF.FusedMultiplyAdd(scale, i + 0.5f, -0.5f), 0);
                First[i] = Math.Min((int)source, from - 1);
                Second[i] = Math.Min(First[i] + 1, from - 1);
                SecondWeight[i] = source - First[i];
                FirstWeight[i] = 1 - SecondWeight[i];
            }
        }

        public int[] First { get; }

        public int[] Second { get; }

        public float[] FirstWeight { get; }

        public float[] SecondWeight { get; }
    }
}
