using System.Numerics;
using System.Runtime.Intrinsics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Runs an operator over the lanes of a warp: D = f(A, B, C) by rows.</summary>
internal static unsafe class LaneLoops
{
    public static void Unary<T>(Warp w, Instruction i, uint mask) where T : struct, IUnary
    {
        uint* a = (uint*)(w.Rows + i.A);
        Lanes.Store(w.Rows + i.D, mask, T.Do(Vector256.Load(a)), T.Do(Vector256.Load(a + 8)), T.Do(Vector256.Load(a + 16)),
            T.Do(Vector256.Load(a + 24)));
    }

    public static void Binary<T>(Warp w, Instruction i, uint mask) where T : struct, IBinary
    {
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B);
        Lanes.Store(w.Rows + i.D, mask,
            T.Do(Vector256.Load(a), Vector256.Load(b)), T.Do(Vector256.Load(a + 8), Vector256.Load(b + 8)),
            T.Do(Vector256.Load(a + 16), Vector256.Load(b + 16)), T.Do(Vector256.Load(a + 24), Vector256.Load(b + 24)));
    }

    public static void Ternary<T>(Warp w, Instruction i, uint mask) where T : struct, ITernary
    {
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B), c = (uint*)(w.Rows + i.C);
        Lanes.Store(w.Rows + i.D, mask, T.Do(Vector256.Load(a), Vector256.Load(b), Vector256.Load(c)),
            T.Do(Vector256.Load(a + 8), Vector256.Load(b + 8), Vector256.Load(c + 8)),
            T.Do(Vector256.Load(a + 16), Vector256.Load(b + 16), Vector256.Load(c + 16)),
            T.Do(Vector256.Load(a + 24), Vector256.Load(b + 24), Vector256.Load(c + 24)));
    }

    public static void Binary64<T>(Warp w, Instruction i, uint mask) where T : struct, IBinary64
    {
        ulong* a = (ulong*)(w.Rows + i.A), b = (ulong*)(w.Rows + i.B);
        for (int k = 0; k < 8; k++)
            Lanes.Store64(w.Rows + i.D, k, mask, T.Do(Vector256.Load(a + 4 * k), Vector256.Load(b + 4 * k)));
    }

    public static void Move64(Warp w, Instruction i, uint mask)
    {
        ulong* a = (ulong*)(w.Rows + i.A);
        for (int k = 0; k < 8; k++) Lanes.Store64(w.Rows + i.D, k, mask, Vector256.Load(a + 4 * k));
    }

    /// <summary>D = Scalar(A, B, C) lane by lane; operands that are absent are 0.</summary>
    public static void Scalar(Warp w, Instruction i, uint mask)
    {
        Func<ulong, ulong, ulong, ulong> f = i.Scalar!;
        byte* rows = w.Rows;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ulong a = i.A < 0 ? 0 : Lanes.Get(rows + i.A, lane, (i.Wide & 2) != 0);
            ulong b = i.B < 0 ? 0 : Lanes.Get(rows + i.B, lane, (i.Wide & 4) != 0);
            ulong c = i.C < 0 ? 0 : Lanes.Get(rows + i.C, lane, (i.Wide & 8) != 0);
            Lanes.Set(rows + i.D, lane, (i.Wide & 1) != 0, f(a, b, c));
        }
    }

    /// <summary>Compares A with B by an operator whose lanes are all ones where it holds; Mode as in <see cref="Comparison"/>.</summary>
    public static void Compare<T>(Warp w, Instruction i, uint mask) where T : struct, IBinary
    {
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B);
        uint holds = T.Do(Vector256.Load(a), Vector256.Load(b)).ExtractMostSignificantBits()
            | T.Do(Vector256.Load(a + 8), Vector256.Load(b + 8)).ExtractMostSignificantBits() << 8
            | T.Do(Vector256.Load(a + 16), Vector256.Load(b + 16)).ExtractMostSignificantBits() << 16
            | T.Do(Vector256.Load(a + 24), Vector256.Load(b + 24)).ExtractMostSignificantBits() << 24;
        Comparison.Store(w, i, mask, holds);
    }

    /// <summary>Compares lane by lane: Scalar(A, B, ·) is not 0 where it holds; Mode as in <see cref="Comparison"/>.</summary>
    public static void CompareScalar(Warp w, Instruction i, uint mask)
    {
        uint holds = 0;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ulong a = Lanes.Get(w.Rows + i.A, lane, (i.Wide & 2) != 0), b = Lanes.Get(w.Rows + i.B, lane, (i.Wide & 4) != 0);
            if (i.Scalar!(a, b, 0) != 0) holds |= 1u << lane;
        }
        Comparison.Store(w, i, mask, holds);
    }

    /// <summary>D = C ? A : B, C a predicate, negated if Mode is 1.</summary>
    public static void Select(Warp w, Instruction i, uint mask)
    {
        uint p = *(uint*)(w.Rows + i.C);
        if (i.Mode != 0) p = ~p;
        uint* a = (uint*)(w.Rows + i.A), b = (uint*)(w.Rows + i.B);
        Lanes.Store(w.Rows + i.D, mask,
            Vector256.ConditionalSelect(Lanes.Mask(p), Vector256.Load(a), Vector256.Load(b)),
            Vector256.ConditionalSelect(Lanes.Mask(p >> 8), Vector256.Load(a + 8), Vector256.Load(b + 8)),
            Vector256.ConditionalSelect(Lanes.Mask(p >> 16), Vector256.Load(a + 16), Vector256.Load(b + 16)),
            Vector256.ConditionalSelect(Lanes.Mask(p >> 24), Vector256.Load(a + 24), Vector256.Load(b + 24)));
    }

    /// <summary>The same on 64 bits.</summary>
    public static void Select64(Warp w, Instruction i, uint mask)
    {
        uint p = *(uint*)(w.Rows + i.C);
        if (i.Mode != 0) p = ~p;
        ulong* a = (ulong*)(w.Rows + i.A), b = (ulong*)(w.Rows + i.B);
        for (int k = 0; k < 8; k++)
            Lanes.Store64(w.Rows + i.D, k, mask,
                Vector256.ConditionalSelect(Lanes.Mask64(p >> 4 * k), Vector256.Load(a + 4 * k), Vector256.Load(b + 4 * k)));
    }

    /// <summary>Predicates: D = A op B; Mode 0 and, 1 or, 2 xor, 3 not A, 4 A; 8 and 16 negate A and B first.</summary>
    public static void Predicate(Warp w, Instruction i, uint mask)
    {
        uint a = *(uint*)(w.Rows + i.A), b = i.B < 0 ? 0 : *(uint*)(w.Rows + i.B);
        if ((i.Mode & 8) != 0) a = ~a;
        if ((i.Mode & 16) != 0) b = ~b;
        uint r = (i.Mode & 7) switch { 0 => a & b, 1 => a | b, 2 => a ^ b, 3 => ~a, _ => a };
        Lanes.SetPredicate(w.Rows + i.D, mask, r);
    }

    /// <summary>Splits A into its Rows.Length equal parts, lowest first; Width bytes each, −1 for a part that nobody wants.</summary>
    public static void Unpack(Warp w, Instruction i, uint mask)
    {
        ulong keep = ulong.MaxValue >> 64 - 8 * i.Width;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ulong value = Lanes.Get(w.Rows + i.A, lane, (i.Wide & 2) != 0);
            for (int k = 0; k < i.Rows.Length; k++)
                if (i.Rows[k] >= 0) ((uint*)(w.Rows + i.Rows[k]))[lane] = (uint)(value >> 8 * i.Width * k & keep);
        }
    }

    /// <summary>Joins Rows.Length parts of Width bytes, lowest first, to D.</summary>
    public static void Pack(Warp w, Instruction i, uint mask)
    {
        ulong keep = ulong.MaxValue >> 64 - 8 * i.Width;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            ulong value = 0;
            for (int k = 0; k < i.Rows.Length; k++) value |= (((uint*)(w.Rows + i.Rows[k]))[lane] & keep) << 8 * i.Width * k;
            Lanes.Set(w.Rows + i.D, lane, (i.Wide & 1) != 0, value);
        }
    }
}

/// <summary>What a comparison does with its answer: bits of Mode.</summary>
internal static unsafe class Comparison
{
    public const int Negate = 1, And = 2, Or = 4, Xor = 8, NegateThird = 16;

    /// <summary>D gets the answer, Second its opposite, each combined with predicate C if Mode says so.</summary>
    public static void Store(Warp w, Instruction i, uint mask, uint holds)
    {
        if ((i.Mode & Negate) != 0) holds = ~holds;
        uint c = i.C < 0 ? 0 : *(uint*)(w.Rows + i.C);
        if ((i.Mode & NegateThird) != 0) c = ~c;
        if (i.D >= 0) Lanes.SetPredicate(w.Rows + i.D, mask, Combine(i.Mode, holds, c));
        if (i.Second >= 0) Lanes.SetPredicate(w.Rows + i.Second, mask, Combine(i.Mode, ~holds, c));
    }

    private static uint Combine(int mode, uint p, uint c) =>
        (mode & And) != 0 ? p & c : (mode & Or) != 0 ? p | c : (mode & Xor) != 0 ? p ^ c : p;
}
