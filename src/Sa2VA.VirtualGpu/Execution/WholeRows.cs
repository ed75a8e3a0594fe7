using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Loads and stores of 32-bit rows without a look at each lane: where all lanes want one place or places side by side, or at least one
/// allocation. Whatever is not so, or is forbidden, is left to <see cref="MemoryAccess"/>.
/// </summary>
internal static unsafe class WholeRows
{
    private static readonly Vector512<ulong> Lane = Vector512.Create(0ul, 1, 2, 3, 4, 5, 6, 7);

    public static bool TryLoad(Warp w, Instruction i, uint mask)
    {
        if (!IsPlain(w, i)) return false;
        byte* host, written = null;
        ulong* offsets = stackalloc ulong[32];
        ulong limit, origin = 0;
        BlockFootprint? footprint = null;
        if (i.Space == StateSpace.Global)
        {
            if (w.Block.LastHit[i.Index] is not { } hit) return false;
            host = hit.Host;
            written = hit.Written;
            limit = (ulong)hit.Bytes;
            origin = hit.Address;
            footprint = w.Block.Footprint;
            if (!Offsets(w, i, origin, offsets)) return false;
        }
        else
        {
            if (i.Width != 4 && w.Block.Shadow is not null || !Offsets(w, i, 0, offsets)) return false;
            host = w.Block.Shared;
            limit = (ulong)w.Block.SharedBytes;
        }
        int count = i.Rows.Length, bytes = 4 * count;
        if (limit < (ulong)bytes) return false;
        limit -= (ulong)bytes;
        SharedShadow? shadow = i.Space == StateSpace.Shared ? w.Block.Shadow : null;
        bool isOnePiece = mask == ~0u && count == 1 && i.Width == 4 && offsets[0] % 4 == 0 && AreSideBySide(offsets, 4);
        if (shadow is null && isOnePiece && offsets[0] <= limit && offsets[31] <= limit)
        {
            if (written != null && !AreAllSet(written + offsets[0])) return false;
            footprint?.TouchRow(w, i, mask, origin, offsets, bytes);
            if (i.Rows[0] < 0) return true;
            uint* d = (uint*)(w.Rows + i.Rows[0]), from = (uint*)(host + offsets[0]);
            Vector512.Load(from).Store(d);
            Vector512.Load(from + 16).Store(d + 16);
            return true;
        }
        // First all that could be wrong, so that nothing is half done.
        uint wrong = (uint)(i.Width * count) - 1;
        for (int lane = 0; lane < 32; lane++)
        {
            if ((mask >> lane & 1) == 0) continue;
            ulong at = offsets[lane];
            if (at > limit + (ulong)(bytes - i.Width * count) || (at & wrong) != 0) return false;
            if (written == null) continue;
            if (i.Width == 4)
            {
                for (int k = 0; k < count; k++)
                    if (*(uint*)(written + at + 4 * k) != 0x01010101) return false;
            }
            else if (written[at] == 0 || written[at + (ulong)i.Width - 1] == 0) return false;
        }
        if (shadow is not null && !shadow.TryReadRow(w, i, mask, offsets, bytes)) return false;
        footprint?.TouchRow(w, i, mask, origin, offsets, i.Width * count);
        for (int k = 0; k < count; k++)
        {
            if (i.Rows[k] < 0) continue;
            uint* d = (uint*)(w.Rows + i.Rows[k]);
            byte* from = host + 4 * k;
            if (i.Width == 4)
            {
                for (int lane = 0; lane < 32; lane++)
                    if ((mask >> lane & 1) != 0) d[lane] = *(uint*)(from + offsets[lane]);
            }
            else
            {
                for (int lane = 0; lane < 32; lane++)
                    if ((mask >> lane & 1) != 0) d[lane] = i.Width == 2 ? *(ushort*)(from + offsets[lane]) : from[offsets[lane]];
            }
        }
        return true;
    }

    public static bool TryStore(Warp w, Instruction i, uint mask)
    {
        if (!IsPlain(w, i) || i.Width != 4) return false;
        byte* host, written = null;
        ulong* offsets = stackalloc ulong[32];
        ulong limit, origin = 0;
        BlockFootprint? footprint = null;
        if (i.Space == StateSpace.Global)
        {
            if (w.Block.LastHit[i.Index] is not { ReadOnly: false } hit) return false;
            host = hit.Host;
            written = hit.Written;
            limit = (ulong)hit.Bytes;
            origin = hit.Address;
            footprint = w.Block.Footprint;
            if (!Offsets(w, i, origin, offsets)) return false;
        }
        else
        {
            if (!Offsets(w, i, 0, offsets)) return false;
            host = w.Block.Shared;
            limit = (ulong)w.Block.SharedBytes;
        }
        int count = i.Rows.Length;
        ulong bytes = 4 * (ulong)count;
        if (limit < bytes) return false;
        limit -= bytes;
        for (int lane = 0; lane < 32; lane++)
            if ((mask >> lane & 1) != 0 && (offsets[lane] > limit || (offsets[lane] & (bytes - 1)) != 0)) return false;
        if (i.Space == StateSpace.Shared && w.Block.Shadow is { } shadow && !shadow.TryWriteRow(w, i, mask, offsets, (int)bytes))
            return false;
        footprint?.TouchRow(w, i, mask, origin, offsets, (int)bytes);
        for (int k = 0; k < count; k++)
        {
            uint* from = (uint*)(w.Rows + i.Rows[k]);
            for (int lane = 0; lane < 32; lane++)
            {
                if ((mask >> lane & 1) == 0) continue;
                *(uint*)(host + offsets[lane] + 4 * k) = from[lane];
                if (written != null) *(uint*)(written + offsets[lane] + 4 * k) = 0x01010101;
            }
        }
        return true;
    }

    /// <summary>Rows of 32 bits, zero-extended, nobody counts sectors.</summary>
    private static bool IsPlain(Warp w, Instruction i) => !w.Block.CountsMemory && i.Width <= 4 && (i.Width == 4 || i.Rows.Length == 1)
        && i.Space is StateSpace.Global or StateSpace.Shared && (i.Mode & (MemoryAccess.WideData | MemoryAccess.SignedData)) == 0;

    /// <summary>Where each lane's address lies behind an origin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Offsets(Warp w, Instruction i, ulong origin, ulong* offsets)
    {
        Vector512<ulong> shift = Vector512.Create((ulong)i.Offset - origin);
        if ((i.Mode & MemoryAccess.WideAddress) != 0)
        {
            ulong* a = (ulong*)(w.Rows + i.A);
            for (int k = 0; k < 4; k++) (Vector512.Load(a + 8 * k) + shift).Store(offsets + 8 * k);
        }
        else
        {
            uint* a = (uint*)(w.Rows + i.A);
            for (int k = 0; k < 2; k++)
            {
                (Vector512<ulong> low, Vector512<ulong> high) = WidenUnsigned.Do(Vector512.Load(a + 16 * k));
                (low + shift).Store(offsets + 16 * k);
                (high + shift).Store(offsets + 16 * k + 8);
            }
        }
        return true;
    }

    /// <summary>Whether all 32 lanes' pieces of so many bytes follow each other.</summary>
    public static bool AreSideBySide(ulong* offsets, ulong bytes)
    {
        Vector512<ulong> expected = Vector512.Create(offsets[0]) + Lane * bytes, step = Vector512.Create(8 * bytes);
        for (int k = 0; k < 4; k++, expected += step)
            if (!Vector512.EqualsAll(Vector512.Load(offsets + 8 * k), expected)) return false;
        return true;
    }

    /// <summary>128 bytes are all 1.</summary>
    private static bool AreAllSet(byte* written)
    {
        Vector512<byte> one = Vector512.Create((byte)1);
        return Vector512.EqualsAll(Vector512.Load(written), one) && Vector512.EqualsAll(Vector512.Load(written + 64), one);
    }
}
