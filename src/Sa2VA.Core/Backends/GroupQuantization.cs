using System.Runtime.InteropServices;

namespace Sa2VA.Core;

/// <summary>
/// Matrix weights in b = 8 or 4 bits, the one rule of all backends. Of each row, <see cref="Group"/> inputs in turn (the last group may be
/// shorter) have one scale s, BF16: the weight m of the largest magnitude, the first of equals, divided by −2^(b−1). A weight w has the
/// code q = w / s in F32, rounded to nearest even and brought into −2^(b−1) … 2^(b−1) − 1, and stands for q·s, rounded to BF16: that
/// number and no other is multiplied, by every kernel.
/// </summary>
internal static unsafe class GroupQuantization
{
    /// <summary>Inputs that share a scale.</summary>
    public const int Group = 128;

    /// <summary>Bits that an op's matrix weight is stored in by a backend: 16 where it is not quantised.</summary>
    public static int BitsOf(Precision precision, Weight weight) => Math.Max(precision.WeightBits(), weight.LeastBits);

    /// <summary>Groups of a row.</summary>
    public static int Groups(int depth) => (depth + Group - 1) / Group;

    /// <summary>Codes and scales of a row.</summary>
    /// <param name="row">Its weights, finite.</param>
    /// <param name="bits">8 or 4.</param>
    /// <param name="codes">One for each weight.</param>
    /// <param name="scales">One for each group.</param>
    public static void Quantize(ReadOnlySpan<float> row, int bits, Span<sbyte> codes, Span<BFloat16> scales)
    {
        int most = 1 << (bits - 1);
        for (int g = 0; g < scales.Length; g++)
        {
            ReadOnlySpan<float> group = row[(g * Group)..Math.Min(row.Length, (g + 1) * Group)];
            float extreme = 0;
            foreach (float w in group)
                if (MathF.Abs(w) > MathF.Abs(extreme)) extreme = w;
            scales[g] = BFloat16.FromSingle(extreme / -most);
            float scale = scales[g].ToSingle();
            Span<sbyte> to = codes.Slice(g * Group, group.Length);
            // Weights so small that their scale is none are zeros.
            if (scale == 0) to.Clear();
            else
                for (int i = 0; i < to.Length; i++) to[i] = (sbyte)Math.Clamp(MathF.Round(group[i] / scale), -most, most - 1);
        }
    }

    /// <summary>The weight that a code stands for. A zero has no sign.</summary>
    public static BFloat16 Value(sbyte code, BFloat16 scale) => BFloat16.FromSingle(code * scale.ToSingle() + 0f);

    /// <summary>Stored rows as floats.</summary>
    /// <param name="data">Stored elements.</param>
    /// <param name="first">Index of the row's first.</param>
    /// <param name="row">Its elements, which lie beside each other.</param>
    public static void Read(WeightData data, long first, Span<float> row)
    {
        if (data.Info.Type == DType.BF16)
        {
            var narrow = new ReadOnlySpan<BFloat16>((ushort*)data.Pointer + first, row.Length);
            for (int i = 0; i < row.Length; i++) row[i] = narrow[i].ToSingle();
        }
        else
            for (int i = 0; i < row.Length; i++) row[i] = WeightValues.Element(data, first + i);
    }

    /// <summary>True for scales by which every code stands for a finite weight.</summary>
    public static bool IsScale(BFloat16 scale, int bits) => float.IsFinite(Value((sbyte)-(1 << (bits - 1)), scale).ToSingle());

    /// <summary>Bytes of a row's codes as they are stored (docs/model/quantized.md).</summary>
    public static int RowBytes(int depth, int bits) => (int)(((long)depth * bits + 7) / 8);

    /// <summary>A row's codes as they are stored: code + 2^(bits − 1), of 4 bits two in a byte, the even input in the lower half.</summary>
    public static void Pack(ReadOnlySpan<sbyte> codes, int bits, Span<byte> to)
    {
        if (bits == 8)
            for (int i = 0; i < codes.Length; i++) to[i] = (byte)(codes[i] + 128);
        else
            for (int i = 0; i < codes.Length; i += 2) to[i / 2] = (byte)(codes[i] + 8 | codes[i + 1] + 8 << 4);
    }

    /// <summary>The codes of a row that <see cref="Pack"/> stored.</summary>
    public static void Unpack(ReadOnlySpan<byte> from, int bits, Span<sbyte> codes)
    {
        if (bits == 8)
            for (int i = 0; i < from.Length; i++) codes[i] = (sbyte)(from[i] - 128);
        else
            for (int i = 0; i < from.Length; i++)
                (codes[2 * i], codes[2 * i + 1]) = ((sbyte)((from[i] & 15) - 8), (sbyte)((from[i] >> 4) - 8));
    }

    /// <summary>The weights that stand for stored ones, BF16, as if they were stored.</summary>
    public static WeightData Rounded(WeightInfo info, QuantizedRows rows) => new RoundedData(info, rows);

    /// <summary>A matrix, quantised and brought back.</summary>
    private sealed class RoundedData : WeightData
    {
        private readonly BFloat16* _values;

        public RoundedData(WeightInfo info, QuantizedRows rows) : base(info with { Type = DType.BF16 })
        {
            int depth = checked((int)(info.Shape.Count / info.Shape[0]));
            var codes = new sbyte[depth];
            var scales = new BFloat16[Groups(depth)];
            _values = (BFloat16*)NativeMemory.Alloc((nuint)info.Shape.Count, sizeof(ushort));
            BFloat16* to = _values;
            for (int row = 0; row < info.Shape[0]; row++, to += depth)
            {
                rows.Read(row, codes, scales);
                for (int i = 0; i < depth; i++) to[i] = Value(codes[i], scales[i / Group]);
            }
        }

        public override byte* Pointer => (byte*)_values;

        public override void Dispose() => NativeMemory.Free(_values);
    }
}
