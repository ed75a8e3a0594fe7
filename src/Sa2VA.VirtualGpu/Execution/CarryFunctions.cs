using System.Numerics;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>Additions, subtractions and products with a carry from one instruction to the next; Second is the row of carries.</summary>
internal static unsafe class CarryFunctions
{
    public const int Reads = 1, Writes = 2, Subtract = 4, Product = 8, High = 16;

    /// <summary>D = A op B op C by Mode, with Width bytes; the carry of a subtraction is its borrow.</summary>
    public static void Run(Warp w, Instruction i, uint mask)
    {
        bool wide = i.Width == 8;
        int bits = 8 * i.Width;
        UInt128 most = (UInt128.One << bits) - 1;
        uint carries = *(uint*)(w.Rows + i.Second), written = 0;
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            UInt128 a = Lanes.Get(w.Rows + i.A, lane, wide), b = Lanes.Get(w.Rows + i.B, lane, wide);
            uint carry = (i.Mode & Reads) != 0 ? carries >> lane & 1 : 0;
            if ((i.Mode & Product) != 0)
            {
                UInt128 product = a * b;
                a = (i.Mode & High) != 0 ? product >> bits : product & most;
                b = Lanes.Get(w.Rows + i.C, lane, wide);
            }
            UInt128 r = (i.Mode & Subtract) != 0 ? a - b - carry : a + b + carry;
            Lanes.Set(w.Rows + i.D, lane, wide, (ulong)(r & most));
            if ((r & ~most) != 0) written |= 1u << lane;
        }
        if ((i.Mode & Writes) != 0) Lanes.SetPredicate(w.Rows + i.Second, mask, written);
    }
}
