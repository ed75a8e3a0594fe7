using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// Panels of codes (<see cref="GroupQuantization"/>): a code q and its scale s stand for q·s rounded to BF16, and here that takes two
/// instructions. u = q·(2^16 + 1)·s in F32 is q·s rounded to eight bits, on top of 2^16·q·s, which is then taken off. It is exact: s has 8
/// bits, so (2^16 + 1)·s has 24, and u is rounded once; q·s has at most 16, so that 2^16·q·s is an even multiple of what the last of the
/// eight bits counts (ties go to the even) and never so near a power of two that adding q·s goes beyond it. A zero has no sign: the two
/// products of a zero differ in theirs.
/// </summary>
internal static unsafe class CodePanels
{
    private const int Panel = PackedWeights.PanelWidth, Half = Panel / 2, Group = GroupQuantization.Group;
    private const float Shift = 1 << 16, Both = Shift + 1;

    // 2^100: far from where products overflow. Small ones lose nothing: q·s below the normal numbers has no more bits than BF16 has there.
    private const float Largest = 1.2676506e30f;

    /// <summary>
    /// Bytes of a panel of 8 bits from what is read to what is fetched: the processor's own fetching ends with each page. For 4 bits, whose
    /// widening takes as long as memory does, it gained nothing.
    /// </summary>
    private const int BytesAhead = 2048;

    /// <summary>True for scales by which codes stand for the rule's numbers.</summary>
    public static bool Holds(float scale) => MathF.Abs(scale) <= Largest;

    /// <summary>Rows k … k + depth of a panel, which lie in one group, as floats.</summary>
    public static byte* Widen<T>(PackedWeights w, int panel, int k, int depth, float* to) where T : unmanaged, ISimd<T>
    {
        byte* scales = w.Group(panel, k / Group), codes = scales + PackedWeights.ScaleBytes + (nint)(k % Group) * w.CodeBytes;
        for (int lane = 0; lane < Half; lane += T.Count)
        {
            if (w.Bits == 8) Widen<T, Codes8<T>>(scales, codes, lane, depth, to);
            else Widen<T, Codes4<T>>(scales, codes, lane, depth, to);
        }
        return (byte*)to;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen<T, TCodes>(byte* scales, byte* codes, int lane, int depth, float* to)
        where T : unmanaged, ISimd<T> where TCodes : ICodes<T>
    {
        T low = T.LowBFloat16((ushort*)scales + 2 * lane), high = T.HighBFloat16((ushort*)scales + 2 * lane);
        T bothLow = low * T.Create(Both), bothHigh = high * T.Create(Both);
        T offLow = low * T.Create(-Shift), offHigh = high * T.Create(-Shift);
        codes += lane;
        to += lane;
        for (int i = 0; i < depth; i++, codes += TCodes.RowBytes, to += Panel)
        {
            T a = TCodes.Low((sbyte*)codes), b = TCodes.High((sbyte*)codes);
            T.Store(T.MultiplyAdd(a, offLow, a * bothLow), to);
            T.Store(T.MultiplyAdd(b, offHigh, b * bothHigh), to + Half);
        }
    }

    /// <summary>As <see cref="Gemm.RunRow{T, TEpilogue}"/>.</summary>
    public static void RunRow<T, TEpilogue>(float* a, PackedWeights w, int firstPanel, int endPanel, in TEpilogue epilogue)
        where T : unmanaged, ISimd<T> where TEpilogue : struct, IEpilogue
    {
        if (w.Bits == 8) Row<T, Codes8<T>, TEpilogue>(a, w, firstPanel, endPanel, epilogue);
        else Row<T, Codes4<T>, TEpilogue>(a, w, firstPanel, endPanel, epilogue);
    }

    private static void Row<T, TCodes, TEpilogue>(float* a, PackedWeights w, int firstPanel, int endPanel, in TEpilogue epilogue)
        where T : unmanaged, ISimd<T> where TCodes : ICodes<T> where TEpilogue : struct, IEpilogue
    {
        // Four vectors at a time, from two panels, from one, or from half of one: a step's other instructions hide the chains' latency.
        const int Most = 2;
        float* sums = stackalloc float[Most * Panel];
        int together = Math.Max(1, 2 * T.Count / Half);
        for (int panel = firstPanel; panel < endPanel; panel += together)
        {
            int last = Math.Min(together, endPanel - panel) - 1;
            for (int lane = 0; lane < Half; lane += 2 * T.Count)
            {
                // Of a panel that does not exist the last one that does is computed once more.
                (int otherPanel, int other) = together == 1 ? (0, lane + T.Count) : (last, lane);
                Four<T, TCodes>(a, w, panel, lane, panel + otherPanel, other, sums + lane, sums + otherPanel * Panel + other);
            }
            for (int p = 0; p <= last; p++) epilogue.Store<T>(sums + p * Panel, 0, 1, panel + p);
        }
    }

    /// <summary>Two pairs of vectors: outputs from a lane on and those 16 beyond.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<T, TCodes>(float* a, PackedWeights w, int panel0, int lane0, int panel1, int lane1, float* sums0, float* sums1)
        where T : unmanaged, ISimd<T> where TCodes : ICodes<T>
    {
        T t0 = T.Zero, t1 = T.Zero, t2 = T.Zero, t3 = T.Zero;
        for (int k = 0; k < w.K;)
        {
            byte* from0 = w.Group(panel0, k / Group), from1 = w.Group(panel1, k / Group);
            T scale0 = T.LowBFloat16((ushort*)from0 + 2 * lane0), scale1 = T.HighBFloat16((ushort*)from0 + 2 * lane0);
            T scale2 = T.LowBFloat16((ushort*)from1 + 2 * lane1), scale3 = T.HighBFloat16((ushort*)from1 + 2 * lane1);
            T both = T.Create(Both), shift = T.Create(-Shift);
            T both0 = scale0 * both, both1 = scale1 * both, both2 = scale2 * both, both3 = scale3 * both;
            T off0 = scale0 * shift, off1 = scale1 * shift, off2 = scale2 * shift, off3 = scale3 * shift;
            sbyte* codes0 = (sbyte*)from0 + PackedWeights.ScaleBytes + lane0, codes1 = (sbyte*)from1 + PackedWeights.ScaleBytes + lane1;
            for (int end = Math.Min(k + Group, w.K); k < end;)
            {
                T s0 = T.Zero, s1 = T.Zero, s2 = T.Zero, s3 = T.Zero;
                bool first = k == 0;
                for (int chain = Math.Min(k + Gemm.Chain, end); k < chain; k++, codes0 += TCodes.RowBytes, codes1 += TCodes.RowBytes)
                {
                    if (Sse.IsSupported && TCodes.RowBytes == Panel) Sse.Prefetch0(codes0 + BytesAhead);
                    T x = T.Create(a[k]);
                    T q0 = TCodes.Low(codes0), q1 = TCodes.High(codes0), q2 = TCodes.Low(codes1), q3 = TCodes.High(codes1);
                    s0 = T.MultiplyAdd(x, T.MultiplyAdd(q0, off0, q0 * both0), s0);
                    s1 = T.MultiplyAdd(x, T.MultiplyAdd(q1, off1, q1 * both1), s1);
                    s2 = T.MultiplyAdd(x, T.MultiplyAdd(q2, off2, q2 * both2), s2);
                    s3 = T.MultiplyAdd(x, T.MultiplyAdd(q3, off3, q3 * both3), s3);
                }
                t0 = first ? s0 : t0 + s0;
                t1 = first ? s1 : t1 + s1;
                t2 = first ? s2 : t2 + s2;
                t3 = first ? s3 : t3 + s3;
            }
        }
        T.Store(t0, sums0);
        T.Store(t1, sums0 + Half);
        T.Store(t2, sums1);
        T.Store(t3, sums1 + Half);
    }

    /// <summary>Reads codes of outputs from a lane on and of those 16 beyond.</summary>
    private interface ICodes<T>
    {
        /// <summary>Bytes from a row of a panel to the next.</summary>
        static abstract int RowBytes { get; }

        static abstract T Low(sbyte* from);

        static abstract T High(sbyte* from);
    }

    private readonly struct Codes8<T> : ICodes<T> where T : unmanaged, ISimd<T>
    {
        public static int RowBytes { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Panel; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Low(sbyte* from) => T.Bytes(from);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T High(sbyte* from) => T.Bytes(from + Half);
    }

    private readonly struct Codes4<T> : ICodes<T> where T : unmanaged, ISimd<T>
    {
        public static int RowBytes { [MethodImpl(MethodImplOptions.AggressiveInlining)] get => Half; }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T Low(sbyte* from) => T.LowFourBits(from);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static T High(sbyte* from) => T.HighFourBits(from);
    }
}
