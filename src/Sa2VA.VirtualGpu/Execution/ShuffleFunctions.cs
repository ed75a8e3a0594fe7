using System.Runtime.CompilerServices;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Exchanges between the lanes of a warp; Rows[0] is the mask of the lanes that take part.</summary>
[SkipLocalsInit]
internal static unsafe class ShuffleFunctions
{
    public const int Up = 0, Down = 1, Butterfly = 2, Index = 3;
    public const int All = 0, Any = 1, Uniform = 2, Ballot = 3, NegatedVote = 4;

    private static bool Members(Warp w, Instruction i, uint mask, out uint members)
    {
        members = BarrierFunctions.Uniform(w, i, i.Rows[0], mask);
        if ((mask & ~members) != 0)
            throw w.Fault(FaultKind.DivergentCollective, i,
                $"lanes {mask & ~members:x8} run it but are not among its members {members:x8}");
        return w.Gather(i, members, mask);
    }

    /// <summary>
    /// shfl: A value, B lane or distance, C clamp and segments, Mode direction; Second: whether the source lane is in range.
    /// </summary>
    public static void Shuffle(Warp w, Instruction i, uint mask)
    {
        if (!Members(w, i, mask, out uint members)) return;
        uint* values = (uint*)(w.Rows + i.A), amounts = (uint*)(w.Rows + i.B), limits = (uint*)(w.Rows + i.C);
        uint* results = stackalloc uint[32];
        uint inRange = 0;
        for (int lane = 0; lane < 32; lane++)
        {
            if ((mask >> lane & 1) == 0) continue;
            int b = (int)(amounts[lane] & 31), clamp = (int)(limits[lane] & 31), segment = (int)(limits[lane] >> 8 & 31);
            int most = lane & segment | clamp & ~segment, least = lane & segment;
            int from = i.Mode switch { Up => lane - b, Down => lane + b, Butterfly => lane ^ b, _ => least | b & ~segment };
            bool valid = i.Mode == Up ? from >= most : from <= most;
            if (!valid) from = lane;
            else inRange |= 1u << lane;
            if ((members & w.Live & mask) >> from << 31 == 0)
                throw w.Fault(FaultKind.DivergentCollective, i, $"lane {lane} reads lane {from}, which does not take part");
            results[lane] = values[from];
        }
        if (i.D >= 0)
        {
            uint* d = (uint*)(w.Rows + i.D);
            for (int lane = 0; lane < 32; lane++)
                if ((mask >> lane & 1) != 0) d[lane] = results[lane];
        }
        if (i.Second >= 0) Lanes.SetPredicate(w.Rows + i.Second, mask, inRange);
    }

    /// <summary>vote: A a predicate, Mode the question.</summary>
    public static void Vote(Warp w, Instruction i, uint mask)
    {
        if (!Members(w, i, mask, out _)) return;
        uint p = *(uint*)(w.Rows + i.A);
        if ((i.Mode & NegatedVote) != 0) p = ~p;
        uint yes = p & mask;
        if ((i.Mode & 3) == Ballot)
        {
            uint* d = (uint*)(w.Rows + i.D);
            for (int lane = 0; lane < 32; lane++)
                if ((mask >> lane & 1) != 0) d[lane] = yes;
            return;
        }
        bool answer = (i.Mode & 3) switch { All => yes == mask, Any => yes != 0, _ => yes == mask || yes == 0 };
        Lanes.SetPredicate(w.Rows + i.D, mask, answer ? ~0u : 0);
    }

    /// <summary>redux: D the reduction of A over the members.</summary>
    public static void Reduce(Warp w, Instruction i, uint mask)
    {
        if (!Members(w, i, mask, out _)) return;
        uint* values = (uint*)(w.Rows + i.A), d = (uint*)(w.Rows + i.D);
        int first = System.Numerics.BitOperations.TrailingZeroCount(mask);
        ulong sum = values[first];
        for (int lane = first + 1; lane < 32; lane++)
            if ((mask >> lane & 1) != 0) sum = i.Scalar!(sum, values[lane], 0);
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0) d[lane] = (uint)sum;
    }

    /// <summary>match.any: D the members whose A is the lane's.</summary>
    public static void MatchAny(Warp w, Instruction i, uint mask)
    {
        if (!Members(w, i, mask, out _)) return;
        uint* d = (uint*)(w.Rows + i.D);
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0 && i.D >= 0) d[lane] = Equal(w, i, mask, lane);
    }

    /// <summary>match.all: D all members if A is the same in them, else none; Second whether it is.</summary>
    public static void MatchAll(Warp w, Instruction i, uint mask)
    {
        if (!Members(w, i, mask, out _)) return;
        bool same = Equal(w, i, mask, System.Numerics.BitOperations.TrailingZeroCount(mask)) == mask;
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0 && i.D >= 0) ((uint*)(w.Rows + i.D))[lane] = same ? mask : 0;
        if (i.Second >= 0) Lanes.SetPredicate(w.Rows + i.Second, mask, same ? ~0u : 0);
    }

    private static uint Equal(Warp w, Instruction i, uint mask, int lane)
    {
        bool wide = (i.Wide & 2) != 0;
        ulong value = Lanes.Get(w.Rows + i.A, lane, wide);
        uint equal = 0;
        for (int other = 0; other < 32; other++)
            if ((mask >> other & 1) != 0 && Lanes.Get(w.Rows + i.A, other, wide) == value) equal |= 1u << other;
        return equal;
    }

    public static void ActiveMask(Warp w, Instruction i, uint mask)
    {
        uint* d = (uint*)(w.Rows + i.D);
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0) d[lane] = mask;
    }

    /// <summary>elect: D becomes the first of the lanes that take part, and Second holds in that one.</summary>
    public static void Elect(Warp w, Instruction i, uint mask)
    {
        if (!Members(w, i, mask, out uint members)) return;
        int first = System.Numerics.BitOperations.TrailingZeroCount(members & w.Live);
        if (i.D >= 0)
            for (int lane = 0; lane < 32; lane++)
                if ((mask >> lane & 1) != 0) ((uint*)(w.Rows + i.D))[lane] = (uint)first;
        if (i.Second >= 0) Lanes.SetPredicate(w.Rows + i.Second, mask, 1u << first);
    }
}
