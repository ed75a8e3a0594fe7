using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Loads and stores of 32-bit rows without a look at each lane's checks: where all lanes want places of one allocation. Whatever is not so,
/// or is forbidden, is left to <see cref="MemoryAccess"/>.
/// </summary>
[SkipLocalsInit]
internal static unsafe class WholeRows
{
    /// <summary>Places of the lanes behind the begin of what they lie in; lanes that are off have that of the first which is on.</summary>
    private ref struct Places
    {
        public byte* Host, Written;
        public ulong Origin;
        public uint* Offsets;
        public bool IsOnePiece, IsOnePlace;
    }

    public static bool TryLoad(Warp w, Instruction i, uint mask)
    {
        uint* offsets = stackalloc uint[32];
        var at = new Places { Offsets = offsets };
        int bytes = i.Width * i.Rows.Length;
        if (!Find(w, i, mask, bytes, write: false, ref at)) return false;
        if (i.Space == StateSpace.Shared)
        {
            if (w.Block.Shadow is { } shadow && !shadow.TryReadRow(w, i, offsets, bytes, at.IsOnePiece)) return false;
        }
        else
        {
            if (at.Written != null && !AreWritten(at, bytes)) return false;
            w.Block.Footprint?.TouchRow(w, i, mask, at.Origin, offsets, bytes, at.IsOnePiece);
        }
        if ((i.Mode & MemoryAccess.WideData) != 0) LoadWidened(w, i, mask, at);
        else if (i.Width == 4 && i.Rows.Length == 4) LoadQuads(w, i, mask, at);
        else
            for (int k = 0; k < i.Rows.Length; k++)
                if (i.Rows[k] >= 0) LoadRow(w.Rows + i.Rows[k], at.Host + i.Width * k, i.Width, mask, at);
        return true;
    }

    public static bool TryStore(Warp w, Instruction i, uint mask)
    {
        uint* offsets = stackalloc uint[32];
        var at = new Places { Offsets = offsets };
        int bytes = i.Width * i.Rows.Length;
        if (!Find(w, i, mask, bytes, write: true, ref at)) return false;
        if (i.Space == StateSpace.Shared)
        {
            if (w.Block.Shadow is { } shadow && !shadow.TryWriteRow(w, i, offsets, bytes, at.IsOnePiece)) return false;
        }
        else
        {
            if (at.Written != null) MarkWritten(at, bytes);
            w.Block.Footprint?.TouchRow(w, i, mask, at.Origin, offsets, bytes, at.IsOnePiece);
        }
        for (int k = 0; k < i.Rows.Length; k++) StoreRow(w.Rows + i.Rows[k], at.Host + i.Width * k, i.Width, mask, at);
        return true;
    }

    /// <summary>
    /// Whether an instruction moves rows of 32 bits, zero-extended, whatever the addresses, or loads one that is widened to 64.
    /// </summary>
    public static bool Suits(Instruction i, bool load)
    {
        if (i.Width > 4 || i.Space is not (StateSpace.Global or StateSpace.Shared)) return false;
        if ((i.Mode & MemoryAccess.WideData) != 0) return load && i.Width == 4 && i.Rows is [>= 0];
        return i.Width == 4 || (i.Mode & MemoryAccess.SignedData) == 0;
    }

    /// <summary>The places, if all are aligned and in one allocation or in shared memory.</summary>
    private static bool Find(Warp w, Instruction i, uint mask, int bytes, bool write, ref Places at)
    {
        ThreadBlock block = w.Block;
        if (block.CountsMemory || block.StoresInFlight && i.Space == StateSpace.Global) return false;
        ulong limit;
        if (i.Space == StateSpace.Global)
        {
            ulong address = MemoryAccess.Address(w, i, BitOperations.TrailingZeroCount(mask));
            if (MemoryAccess.FindGlobal(w, i, address, bytes) is not { } hit || write && hit.ReadOnly) return false;
            at.Host = hit.Host;
            at.Written = hit.Written;
            at.Origin = hit.Address;
            limit = (ulong)hit.Bytes;
        }
        else
        {
            at.Host = block.Shared;
            limit = (ulong)block.SharedBytes;
        }
        if (limit < (ulong)bytes) return false;
        limit = Math.Min(limit - (ulong)bytes, uint.MaxValue);
        uint high = Offsets(w, i, at.Origin, at.Offsets);
        uint first = at.Offsets[0];
        if (mask != ~0u)
        {
            first = at.Offsets[BitOperations.TrailingZeroCount(mask)];
            Vector256<uint> all = Vector256.Create(first);
            for (int k = 0; k < 32; k += 8)
                Vector256.ConditionalSelect(Lanes.Mask(mask >> k), Vector256.Load(at.Offsets + k), all).Store(at.Offsets + k);
        }
        Vector256<uint> a = Vector256.Load(at.Offsets), b = Vector256.Load(at.Offsets + 8), c = Vector256.Load(at.Offsets + 16),
            d = Vector256.Load(at.Offsets + 24), lane = Vector256<uint>.Indices, start = Vector256.Create(first);
        Vector256<uint> largest = Vector256.Max(Vector256.Max(a, b), Vector256.Max(c, d)), bits = a | b | c | d;
        if ((high & mask) != 0 || Vector256.GreaterThanAny(largest, Vector256.Create((uint)limit))) return false;
        if ((bits & Vector256.Create((uint)bytes - 1)) != Vector256<uint>.Zero) return false;
        at.IsOnePlace = ((a ^ start) | (b ^ start) | (c ^ start) | (d ^ start)) == Vector256<uint>.Zero;
        Vector256<uint> expected = start + lane * Vector256.Create((uint)bytes), step = Vector256.Create(8 * (uint)bytes);
        Vector256<uint> apart = a ^ expected;
        apart |= b ^ (expected += step);
        apart |= c ^ (expected += step);
        apart |= d ^ (expected + step);
        at.IsOnePiece = apart == Vector256<uint>.Zero;
        return true;
    }

    /// <summary>The low halves of each lane's place behind an origin; lanes of which the high half is not 0 are told.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Offsets(Warp w, Instruction i, ulong origin, uint* offsets)
    {
        ulong shift = (ulong)i.Offset - origin;
        uint far = 0;
        if ((i.Mode & MemoryAccess.WideAddress) != 0)
        {
            ulong* a = (ulong*)(w.Rows + i.A);
            Vector256<ulong> by = Vector256.Create(shift);
            for (int k = 0; k < 32; k += 8)
            {
                Vector256<ulong> low = Vector256.Load(a + k) + by, high = Vector256.Load(a + k + 4) + by;
                Vector256.Narrow(low, high).Store(offsets + k);
                if (((low | high) >>> 32) == Vector256<ulong>.Zero) continue;
                far |= ~Vector256.Equals(Vector256.Narrow(low >>> 32, high >>> 32), Vector256<uint>.Zero).ExtractMostSignificantBits() << k
                    & 255u << k;
            }
            return far;
        }
        uint* narrow = (uint*)(w.Rows + i.A);
        Vector256<uint> plus = Vector256.Create((uint)shift);
        for (int k = 0; k < 32; k += 8)
        {
            Vector256<uint> address = Vector256.Load(narrow + k), sum = address + plus;
            sum.Store(offsets + k);
            // A sum that runs over is smaller than what was added to; one below zero is larger.
            Vector256<uint> over = i.Offset >= 0 ? Vector256.LessThan(sum, address) : Vector256.GreaterThan(sum, address);
            far |= over.ExtractMostSignificantBits() << k;
        }
        return far;
    }

    private static bool AreWritten(in Places at, int bytes)
    {
        if (at.IsOnePiece) return new ReadOnlySpan<byte>(at.Written + at.Offsets[0], 32 * bytes).IndexOfAnyExcept((byte)1) < 0;
        uint before = ~at.Offsets[0];
        for (int lane = 0; lane < 32; lane++)
        {
            uint offset = at.Offsets[lane];
            if (offset == before) continue;
            before = offset;
            if (!AreOnes(at.Written + offset, bytes)) return false;
        }
        return true;
    }

    /// <summary>Whether all of 1, 2, 4, 8 or 16 bytes are 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool AreOnes(byte* written, int bytes) => bytes switch
    {
        16 => Vector128.Load(written) == Vector128<byte>.One,
        8 => *(ulong*)written == 0x0101010101010101,
        4 => *(uint*)written == 0x01010101,
        2 => *(ushort*)written == 0x0101,
        _ => *written == 1,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetOnes(byte* written, int bytes)
    {
        switch (bytes)
        {
            case 16: Vector128<byte>.One.Store(written); break;
            case 8: *(ulong*)written = 0x0101010101010101; break;
            case 4: *(uint*)written = 0x01010101; break;
            case 2: *(ushort*)written = 0x0101; break;
            default: *written = 1; break;
        }
    }

    private static void MarkWritten(in Places at, int bytes)
    {
        if (at.IsOnePiece) new Span<byte>(at.Written + at.Offsets[0], 32 * bytes).Fill(1);
        else
            for (int lane = 0; lane < 32; lane++) SetOnes(at.Written + at.Offsets[lane], bytes);
    }

    private static void LoadRow(byte* row, byte* from, int width, uint mask, in Places at)
    {
        uint* values = stackalloc uint[32], to = mask == ~0u ? (uint*)row : values;
        uint* offsets = at.Offsets;
        if (at.IsOnePlace)
        {
            Vector256<uint> all = Vector256.Create(Value(from + offsets[0], width));
            for (int lane = 0; lane < 32; lane += 8) all.Store(to + lane);
        }
        else if (width == 4 && at.IsOnePiece && offsets[1] - offsets[0] == 4)
        {
            for (int lane = 0; lane < 32; lane += 8) Vector256.Load((uint*)(from + offsets[0]) + lane).Store(to + lane);
        }
        else if (width == 4)
        {
            for (int lane = 0; lane < 32; lane++) to[lane] = *(uint*)(from + offsets[lane]);
        }
        else
        {
            for (int lane = 0; lane < 32; lane++) to[lane] = Value(from + offsets[lane], width);
        }
        if (mask != ~0u) Lanes.Store(row, mask, values);
    }

    private static uint Value(byte* from, int width) => width switch { 4 => *(uint*)from, 2 => *(ushort*)from, _ => *from };

    /// <summary>A row of 32 bits to one of 64, as addresses are made of.</summary>
    private static void LoadWidened(Warp w, Instruction i, uint mask, in Places at)
    {
        uint* values = stackalloc uint[32];
        LoadRow((byte*)values, at.Host, 4, ~0u, at);
        byte* row = w.Rows + i.Rows[0];
        for (int part = 0; part < 8; part += 2)
        {
            Vector256<uint> v = Vector256.Load(values + 4 * part);
            (Vector256<ulong> low, Vector256<ulong> high) =
                (i.Mode & MemoryAccess.SignedData) != 0 ? WidenSigned.Do(v) : WidenUnsigned.Do(v);
            Lanes.Store64(row, part, mask, low);
            Lanes.Store64(row, part + 1, mask, high);
        }
    }

    /// <summary>Four rows of 32 bits, of each lane side by side.</summary>
    private static void LoadQuads(Warp w, Instruction i, uint mask, in Places at)
    {
        uint* values = stackalloc uint[4 * 32], a = Place(0), b = Place(1), c = Place(2), d = Place(3);
        if (at.IsOnePlace)
        {
            uint* from = (uint*)(at.Host + at.Offsets[0]);
            for (int lane = 0; lane < 32; lane += 8)
            {
                Vector256.Create(from[0]).Store(a + lane);
                Vector256.Create(from[1]).Store(b + lane);
                Vector256.Create(from[2]).Store(c + lane);
                Vector256.Create(from[3]).Store(d + lane);
            }
        }
        else if (Avx.IsSupported)
        {
            for (int lane = 0; lane < 32; lane += 8)
            {
                Vector256<float> w0 = Pair(at, lane), w1 = Pair(at, lane + 1), w2 = Pair(at, lane + 2), w3 = Pair(at, lane + 3);
                Vector256<double> low = Avx.UnpackLow(w0, w1).AsDouble(), high = Avx.UnpackHigh(w0, w1).AsDouble(),
                    lowNext = Avx.UnpackLow(w2, w3).AsDouble(), highNext = Avx.UnpackHigh(w2, w3).AsDouble();
                Avx.UnpackLow(low, lowNext).AsUInt32().Store(a + lane);
                Avx.UnpackHigh(low, lowNext).AsUInt32().Store(b + lane);
                Avx.UnpackLow(high, highNext).AsUInt32().Store(c + lane);
                Avx.UnpackHigh(high, highNext).AsUInt32().Store(d + lane);
            }
        }
        else
        {
            for (int lane = 0; lane < 32; lane++)
            {
                uint* from = (uint*)(at.Host + at.Offsets[lane]);
                a[lane] = from[0];
                b[lane] = from[1];
                c[lane] = from[2];
                d[lane] = from[3];
            }
        }
        if (mask == ~0u) return;
        for (int k = 0; k < 4; k++)
            if (i.Rows[k] >= 0) Lanes.Store(w.Rows + i.Rows[k], mask, values + 32 * k);

        static Vector256<float> Pair(in Places at, int lane) => Vector256.Create(
            Vector128.Load((float*)(at.Host + at.Offsets[lane])), Vector128.Load((float*)(at.Host + at.Offsets[lane + 4])));

        uint* Place(int k) => mask == ~0u && i.Rows[k] >= 0 ? (uint*)(w.Rows + i.Rows[k]) : values + 32 * k;
    }

    private static void StoreRow(byte* row, byte* to, int width, uint mask, in Places at)
    {
        uint* from = (uint*)row, offsets = at.Offsets;
        if (mask == ~0u && width == 4)
        {
            if (at.IsOnePiece && offsets[1] - offsets[0] == 4)
                for (int lane = 0; lane < 32; lane += 8) Vector256.Load(from + lane).Store((uint*)(to + offsets[0]) + lane);
            else
                for (int lane = 0; lane < 32; lane++) *(uint*)(to + offsets[lane]) = from[lane];
            return;
        }
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            if (width == 4) *(uint*)(to + offsets[lane]) = from[lane];
            else if (width == 2) *(ushort*)(to + offsets[lane]) = (ushort)from[lane];
            else to[offsets[lane]] = (byte)from[lane];
        }
    }
}
