using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Sa2VA.Core;

/// <summary>
/// The two passes of Pillow's bicubic resize of 8-bit RGB, a row at a time (docs/model/preprocessing.md#bicubic-resize): horizontally
/// first, rounded to bytes, then vertically. Integers throughout, so every machine gives the same bytes.
/// </summary>
public static class PillowRows
{
    private const int Half = 1 << (PillowTaps.FractionBits - 1);

    /// <summary>Resizes one row.</summary>
    /// <param name="source">[w, 3] and at least one byte more, whatever it is: a pixel is read as four bytes.</param>
    /// <param name="target">[w2, 3].</param>
    /// <param name="taps">From w to w2.</param>
    public static void Horizontal(ReadOnlySpan<byte> source, Span<byte> target, PillowTaps taps)
    {
        int last = taps.First.Length - 1;
        if (target.Length != 3 * taps.First.Length || source.Length <= 3 * (taps.First[last] + taps.Count[last]))
            throw new ArgumentException($"A row of {source.Length} bytes and one of {target.Length} do not fit the taps.");
        ref byte pixels = ref MemoryMarshal.GetReference(source);
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
            sum = Clamp(sum >> PillowTaps.FractionBits);
            target[x * 3] = (byte)sum[0];
            target[x * 3 + 1] = (byte)sum[1];
            target[x * 3 + 2] = (byte)sum[2];
        }
    }

    /// <summary>Begins a row of the vertical pass.</summary>
    /// <param name="sums">[w2, 3], overwritten.</param>
    public static void Begin(Span<int> sums) => sums.Fill(Half);

    /// <summary>Adds a row with its weight.</summary>
    /// <param name="row">[w2, 3].</param>
    /// <param name="weight">Of <see cref="PillowTaps.Weights"/>.</param>
    /// <param name="sums">[w2, 3].</param>
    public static void Add(ReadOnlySpan<byte> row, int weight, Span<int> sums)
    {
        if (sums.Length < row.Length) throw new ArgumentException($"{sums.Length} sums do not take {row.Length} bytes.");
        ref byte from = ref MemoryMarshal.GetReference(row);
        ref int to = ref MemoryMarshal.GetReference(sums);
        int i = 0;
        for (; i + Vector128<byte>.Count <= row.Length; i += Vector128<byte>.Count)
        {
            (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.LoadUnsafe(ref from, (nuint)i));
            Vector256<int> a = Vector256.WidenLower(low.ToVector256Unsafe()).AsInt32(),
                b = Vector256.WidenLower(high.ToVector256Unsafe()).AsInt32();
            (Vector256.LoadUnsafe(ref to, (nuint)i) + a * weight).StoreUnsafe(ref to, (nuint)i);
            (Vector256.LoadUnsafe(ref to, (nuint)i + 8) + b * weight).StoreUnsafe(ref to, (nuint)i + 8);
        }
        for (; i < row.Length; i++) sums[i] += row[i] * weight;
    }

    /// <summary>Ends a row of the vertical pass.</summary>
    /// <param name="sums">[w2, 3].</param>
    /// <param name="target">[w2, 3].</param>
    public static void End(ReadOnlySpan<int> sums, Span<byte> target)
    {
        if (target.Length < sums.Length) throw new ArgumentException($"{target.Length} bytes do not take {sums.Length} sums.");
        ref int from = ref MemoryMarshal.GetReference(sums);
        ref byte to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i + 16 <= sums.Length; i += 16)
        {
            Vector128<int> a = At(ref from, i), b = At(ref from, i + 4), c = At(ref from, i + 8), d = At(ref from, i + 12);
            Vector128<ushort> low = Vector128.Narrow(a.AsUInt32(), b.AsUInt32()), high = Vector128.Narrow(c.AsUInt32(), d.AsUInt32());
            Vector128.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }
        for (; i < sums.Length; i++) target[i] = (byte)Math.Clamp(sums[i] >> PillowTaps.FractionBits, 0, 255);

        static Vector128<int> At(ref int from, int i) => Clamp(Vector128.LoadUnsafe(ref from, (nuint)i) >> PillowTaps.FractionBits);
    }

    private static Vector128<int> Clamp(Vector128<int> levels) =>
        Vector128.Min(Vector128.Max(levels, Vector128<int>.Zero), Vector128.Create(255));
}
