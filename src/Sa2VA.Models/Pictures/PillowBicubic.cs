using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Resizes 8-bit RGB exactly as Pillow before version 13 does with BICUBIC: horizontally first, rounded to bytes, then vertically; a pass
/// whose size stays the same is skipped (docs/model/preprocessing.md#bicubic-resize). Keeps the weights of sizes seen before, so
/// equal-sized frames allocate nothing. Not for use by two threads at a time.
/// </summary>
public sealed class PillowBicubic
{
    private const int Half = 1 << (BicubicTaps.FractionBits - 1);

    /// <summary>A stream needs two or four pairs; a hostile one must not collect them without end.</summary>
    private const int MaxCachedTaps = 16;

    private readonly Dictionary<(int From, int To), BicubicTaps> _taps = [];
    private byte[] _padded = [], _ring = [];
    private int[] _sums = [];

    /// <summary>Resizes an image; the aspect ratio is not kept.</summary>
    /// <param name="image">The source.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="height">Rows of the result.</param>
    /// <returns>A new image, or the same one if it has that size.</returns>
    /// <exception cref="MediaException">The new size is outside the limits of <see cref="PixelSize"/>.</exception>
    public static RgbImage Resize(RgbImage image, int width, int height)
    {
        ArgumentNullException.ThrowIfNull(image);
        PixelSize.Check(width, height, "The target of a resize");
        if (image.Width == width && image.Height == height) return image;
        var target = new byte[width * height * 3];
        new PillowBicubic().Resize(image.View, target, width, height);
        return new RgbImage(width, height, target);
    }

    /// <summary>Resizes a picture into a buffer of the caller. The source is converted row by row: no copy of it is made.</summary>
    /// <param name="source">The source, in any format.</param>
    /// <param name="target">[h2, w2, 3], RGB; must not overlap the source.</param>
    /// <param name="w2">Columns of the target.</param>
    /// <param name="h2">Rows of the target.</param>
    /// <exception cref="MediaException">A size is outside the limits of <see cref="PixelSize"/>, or does not fit its span.</exception>
    public void Resize(ImageView source, Span<byte> target, int w2, int h2)
    {
        PixelSize.Check(source.Width, source.Height, "The source of a resize");
        PixelSize.Check(w2, h2, "The target of a resize");
        if (target.Length != w2 * h2 * 3)
            throw new MediaException($"A resize to RGB {w2}×{h2} needs {w2 * h2 * 3} bytes, not {target.Length}.");
        int w = source.Width, stride = w2 * 3;
        if (source.Height != h2) Vertical(source, target, w2, h2);
        else if (w == w2)
            for (int y = 0; y < h2; y++) source.CopyRow(y, target.Slice(y * stride, stride));
        else
        {
            BicubicTaps taps = Taps(w, w2);
            for (int y = 0; y < h2; y++) HorizontalPass(source, y, target.Slice(y * stride, stride), taps);
        }
    }

    /// <summary>Makes target rows in order. Only as many horizontally resized rows are held as one target row is made of.</summary>
    private void Vertical(ImageView source, Span<byte> target, int w2, int h2)
    {
        int w = source.Width, h = source.Height;
        BicubicTaps vertical = Taps(h, h2);
        BicubicTaps? horizontal = w == w2 ? null : Taps(w, w2);
        int stride = w2 * 3, slots = Math.Min(vertical.Stride, h), ready = 0;
        if (_sums.Length < stride) _sums = new int[stride];
        // Rows that are what the vertical pass reads already are not copied.
        bool direct = horizontal == null && source.Format == PixelFormat.Rgb24;
        if (!direct && _ring.Length < (long)slots * stride) _ring = new byte[checked(slots * stride)];
        Span<int> sums = _sums.AsSpan(0, stride);
        for (int y = 0; y < h2; y++)
        {
            int first = vertical.First[y], end = first + vertical.Count[y];
            ready = Math.Max(ready, first);
            for (; ready < end && !direct; ready++)
            {
                Span<byte> slot = _ring.AsSpan(ready % slots * stride, stride);
                if (horizontal == null) source.CopyRow(ready, slot);
                else HorizontalPass(source, ready, slot, horizontal);
            }
            sums.Fill(Half);
            for (int row = first; row < end; row++)
            {
                ReadOnlySpan<byte> values = direct ? source.Row(row) : _ring.AsSpan(row % slots * stride, stride);
                Accumulate(values, vertical.Weights[y * vertical.Stride + row - first], sums);
            }
            Round(sums, target.Slice(y * stride, stride));
        }
    }

    private BicubicTaps Taps(int from, int to)
    {
        if (_taps.TryGetValue((from, to), out BicubicTaps? taps)) return taps;
        if (_taps.Count == MaxCachedTaps) _taps.Clear();
        return _taps[(from, to)] = new BicubicTaps(from, to);
    }

    /// <summary>One row. A pixel is read as four bytes, so the row is copied first to where a byte may be read past its end.</summary>
    private void HorizontalPass(ImageView source, int y, Span<byte> target, BicubicTaps taps)
    {
        int length = source.Width * 3;
        if (_padded.Length <= length) _padded = new byte[length + 1];
        source.CopyRow(y, _padded.AsSpan(0, length));
        ref byte pixels = ref MemoryMarshal.GetArrayDataReference(_padded);
        ref int weights = ref MemoryMarshal.GetArrayDataReference(taps.Weights);
        for (int x = 0; x < taps.First.Length; x++)
        {
            ref byte tap = ref Unsafe.Add(ref pixels, taps.First[x] * 3);
            ref int weight = ref Unsafe.Add(ref weights, x * taps.Stride);
            Vector128<int> sum = Vector128.Create(Half);
            for (int k = 0; k < taps.Count[x]; k++)
            {
                Vector128<byte> rgb = Vector128.CreateScalar(Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref tap, k * 3))).AsByte();
                sum += Vector128.WidenLower(Vector128.WidenLower(rgb)).AsInt32() * Unsafe.Add(ref weight, k);
            }
            sum = Clamp(sum >> BicubicTaps.FractionBits);
            target[x * 3] = (byte)sum[0];
            target[x * 3 + 1] = (byte)sum[1];
            target[x * 3 + 2] = (byte)sum[2];
        }
    }

    private static void Accumulate(ReadOnlySpan<byte> values, int weight, Span<int> sums)
    {
        ref byte from = ref MemoryMarshal.GetReference(values);
        ref int to = ref MemoryMarshal.GetReference(sums);
        int i = 0;
        for (; i + Vector128<byte>.Count <= values.Length; i += Vector128<byte>.Count)
        {
            (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.LoadUnsafe(ref from, (nuint)i));
            Vector256<int> a = Vector256.WidenLower(low.ToVector256Unsafe()).AsInt32(),
                b = Vector256.WidenLower(high.ToVector256Unsafe()).AsInt32();
            (Vector256.LoadUnsafe(ref to, (nuint)i) + a * weight).StoreUnsafe(ref to, (nuint)i);
            (Vector256.LoadUnsafe(ref to, (nuint)i + 8) + b * weight).StoreUnsafe(ref to, (nuint)i + 8);
        }
        for (; i < values.Length; i++) sums[i] += values[i] * weight;
    }

    private static void Round(ReadOnlySpan<int> sums, Span<byte> target)
    {
        ref int from = ref MemoryMarshal.GetReference(sums);
        ref byte to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i + 16 <= sums.Length; i += 16)
        {
            Vector128<int> a = At(ref from, i), b = At(ref from, i + 4), c = At(ref from, i + 8), d = At(ref from, i + 12);
            Vector128<ushort> low = Vector128.Narrow(a.AsUInt32(), b.AsUInt32()), high = Vector128.Narrow(c.AsUInt32(), d.AsUInt32());
            Vector128.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }
        for (; i < sums.Length; i++) target[i] = (byte)Math.Clamp(sums[i] >> BicubicTaps.FractionBits, 0, 255);

        static Vector128<int> At(ref int from, int i) => Clamp(Vector128.LoadUnsafe(ref from, (nuint)i) >> BicubicTaps.FractionBits);
    }

    private static Vector128<int> Clamp(Vector128<int> levels) =>
        Vector128.Min(Vector128.Max(levels, Vector128<int>.Zero), Vector128.Create(255));
}
