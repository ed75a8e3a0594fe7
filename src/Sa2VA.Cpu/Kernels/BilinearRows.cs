using System.Numerics;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu.Kernels;

/// <summary>
/// One bilinear resize of a map with one channel, row by row: the two source rows that a row lies between are widened first, then mixed.
/// Any two such rows are neighbours, so one even and one odd row are all that is kept.
/// </summary>
internal sealed class BilinearRows
{
    private readonly ResizeTaps _horizontal, _vertical;
    private readonly int _width;

    public BilinearRows(int fromHeight, int fromWidth, int toHeight, int toWidth)
    {
        (_vertical, _horizontal, _width) = (ResizeTaps.Create(fromHeight, toHeight, ResizeMode.Bilinear),
            ResizeTaps.Create(fromWidth, toWidth, ResizeMode.Bilinear), toWidth);
    }

    /// <summary>Floats of the two rows that are kept.</summary>
    public int KeptFloats => 2 * _width;

    /// <summary>The source rows of a row.</summary>
    public (int Upper, int Lower) Sources(int y) => (_vertical.Index[2 * y], _vertical.Index[2 * y + 1]);

    /// <summary>Where a source row is kept.</summary>
    public Span<float> Kept(Span<float> kept, int source) => kept.Slice(source % 2 * _width, _width);

    /// <summary>Widens a source row to the result's columns.</summary>
    public unsafe void Widen(ReadOnlySpan<float> source, Span<float> target)
    {
        fixed (int* index = _horizontal.Index)
        fixed (float* weight = _horizontal.Weight, from = source, to = target)
        {
            for (int x = 0; x < _width; x++)
                to[x] = weight[2 * x] * from[index[2 * x]] + weight[2 * x + 1] * from[index[2 * x + 1]];
        }
    }

    /// <summary>Mixes the two kept source rows of a row.</summary>
    public void Mix(int y, Span<float> kept, Span<float> result)
    {
        (int upper, int lower) = Sources(y);
        float h0 = _vertical.Weight[2 * y], h1 = _vertical.Weight[2 * y + 1];
        ReadOnlySpan<float> a = Kept(kept, upper), b = Kept(kept, lower);
        ReadOnlySpan<Vector<float>> av = MemoryMarshal.Cast<float, Vector<float>>(a), bv = MemoryMarshal.Cast<float, Vector<float>>(b);
        Span<Vector<float>> rv = MemoryMarshal.Cast<float, Vector<float>>(result[.._width]);
        for (int i = 0; i < rv.Length; i++) rv[i] = av[i] * h0 + bv[i] * h1;
        for (int x = rv.Length * Vector<float>.Count; x < _width; x++) result[x] = a[x] * h0 + b[x] * h1;
    }
}
