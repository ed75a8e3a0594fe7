using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Sa2VA.Cpu;

/// <summary>Rows laid side by side, element by element: so register blocks read an element of each of their rows from one place.</summary>
internal static unsafe class Interleave
{
    /// <summary>to[k·<paramref name="stride"/> + i] = rows[i][k].</summary>
    /// <param name="rows">Rows of floats.</param>
    /// <param name="count">How many; at most <paramref name="stride"/>.</param>
    /// <param name="depth">Elements of each.</param>
    /// <param name="to">Where to; what lies between is left as it is.</param>
    /// <param name="stride">Floats from an element's place to the next one's.</param>
    public static void Rows(float** rows, int count, int depth, float* to, int stride)
    {
        int i = 0;
        if (Sse.IsSupported)
        {
            for (; i <= count - 4; i += 4) Four(rows + i, depth, to + i, stride);
            for (; i <= count - 2; i += 2) Two(rows[i], rows[i + 1], depth, to + i, stride);
        }
        for (; i < count; i++)
        {
            float* row = rows[i], at = to + i;
            for (int k = 0; k < depth; k++, at += stride) *at = row[k];
        }
    }

    private static void Four(float** rows, int depth, float* to, int stride)
    {
        float* r0 = rows[0], r1 = rows[1], r2 = rows[2], r3 = rows[3];
        int k = 0;
        for (; k <= depth - 4; k += 4, to += 4 * (nint)stride)
        {
            Vector128<float> x0 = Vector128.Load(r0 + k), x1 = Vector128.Load(r1 + k);
            Vector128<float> x2 = Vector128.Load(r2 + k), x3 = Vector128.Load(r3 + k);
            Vector128<float> low01 = Sse.UnpackLow(x0, x1), low23 = Sse.UnpackLow(x2, x3);
            Vector128<float> high01 = Sse.UnpackHigh(x0, x1), high23 = Sse.UnpackHigh(x2, x3);
            Sse.MoveLowToHigh(low01, low23).Store(to);
            Sse.MoveHighToLow(low23, low01).Store(to + stride);
            Sse.MoveLowToHigh(high01, high23).Store(to + 2 * (nint)stride);
            Sse.MoveHighToLow(high23, high01).Store(to + 3 * (nint)stride);
        }
        for (; k < depth; k++, to += stride) (to[0], to[1], to[2], to[3]) = (r0[k], r1[k], r2[k], r3[k]);
    }

    private static void Two(float* r0, float* r1, int depth, float* to, int stride)
    {
        int k = 0;
        for (; k <= depth - 4; k += 4, to += 4 * (nint)stride)
        {
            Vector128<float> x0 = Vector128.Load(r0 + k), x1 = Vector128.Load(r1 + k);
            Vector128<float> low = Sse.UnpackLow(x0, x1), high = Sse.UnpackHigh(x0, x1);
            Sse.StoreLow(to, low);
            Sse.StoreHigh(to + stride, low);
            Sse.StoreLow(to + 2 * (nint)stride, high);
            Sse.StoreHigh(to + 3 * (nint)stride, high);
        }
        for (; k < depth; k++, to += stride) (to[0], to[1]) = (r0[k], r1[k]);
    }
}
