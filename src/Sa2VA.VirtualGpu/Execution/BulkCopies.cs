using System.Numerics;
using Sa2VA.VirtualGpu.Checks;
using Sa2VA.VirtualGpu.Memory;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Bulk copies from global to shared memory: A the destination, B the source (or the tensor map), C the mbarrier, SourceOffset added to its
/// address. They land in any order, at any time until somebody waits for them.
/// </summary>
internal static unsafe class BulkCopies
{
    /// <summary>In Mode: the mbarrier's address has 64 bits.</summary>
    public const int WideBarrier = 1 << 8;

    /// <summary>In Mode: row Second holds the ranks of the cluster's blocks that get it, a bit for each.</summary>
    public const int Multicast = 1 << 9;

    public const int TensorAlignment = 128, PlainAlignment = 16;

    /// <summary>cp.async.bulk.tensor: Rows are the coordinates, innermost first.</summary>
    public static void Tensor(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            (BulkRow[] rows, int swizzle) = Box(w, i, lane);
            Issue(w, i, lane, rows, swizzle, TensorAlignment);
        }
    }

    /// <summary>The box of a tensor that a lane names.</summary>
    public static (BulkRow[] Rows, int Swizzle) Box(Warp w, Instruction i, int lane)
    {
        Span<int> at = stackalloc int[TensorMap.MostDimensions];
        TensorMap map = Map(w, i, ((ulong*)(w.Rows + i.B))[lane]);
        if (map.Dimensions.Count != i.Rows.Length)
            throw w.Fault(FaultKind.Illegal, i, $"{i.Rows.Length} coordinates in a tensor of {map.Dimensions.Count} dimensions");
        for (int d = 0; d < i.Rows.Length; d++) at[d] = ((int*)(w.Rows + i.Rows[d]))[lane];
        return (TensorBox.Rows(map, at), map.Swizzle);
    }

    /// <summary>cp.async.bulk: row Rows[0] holds the bytes.</summary>
    public static void Plain(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            Issue(w, i, lane, [Whole(w, i, lane)], swizzle: 0, PlainAlignment);
        }
    }

    /// <summary>The bytes of global memory that a lane names.</summary>
    public static BulkRow Whole(Warp w, Instruction i, int lane)
    {
        ulong at = ((ulong*)(w.Rows + i.B))[lane];
        uint bytes = ((uint*)(w.Rows + i.Rows[0]))[lane];
        if (bytes % 16 != 0 || bytes > (uint)w.Block.SharedBytes)
            throw w.Fault(FaultKind.Illegal, i, $"a bulk copy of {bytes} bytes: a multiple of 16 that fits into shared memory is allowed");
        if (at % 16 != 0) throw w.Fault(FaultKind.Misaligned, i, $"a bulk copy at 0x{at:x}, which is no multiple of 16");
        return new((int)bytes, at, 0, (int)bytes);
    }

    /// <summary>Whether rows fit at a shared address.</summary>
    /// <returns>Their bytes.</returns>
    public static int CheckShared(Warp w, Instruction i, ulong at, BulkRow[] rows, int alignment)
    {
        int bytes = rows.Sum(r => r.Bytes), most = w.Block.SharedBytes;
        if (at % (ulong)alignment != 0)
            throw w.Fault(FaultKind.Misaligned, i, $"a bulk copy at shared address 0x{at:x}, which is no multiple of {alignment}");
        if (at > (ulong)most || (ulong)bytes > (ulong)most - at)
            throw w.Fault(FaultKind.OutOfBounds, i,
                $"a bulk copy of {bytes} bytes at 0x{at:x} is outside the block's shared memory of {most} bytes");
        return bytes;
    }

    private static void Issue(Warp w, Instruction i, int lane, BulkRow[] rows, int swizzle, int alignment)
    {
        ulong to = MemoryAccess.Address(w, i, lane);
        ulong at = Lanes.Get(w.Rows + i.C, lane, (i.Mode & WideBarrier) != 0) + (ulong)i.SourceOffset;
        Touch(w, i, lane, rows);
        int sectors = Count(w, i, rows, rows.Sum(r => r.Bytes));
        if ((i.Mode & Multicast) == 0)
        {
            ThreadBlock into = ClusterFunctions.Owner(w, i, ref to);
            if (ClusterFunctions.Owner(w, i, ref at) != into)
                throw w.Fault(FaultKind.Illegal, i, "a bulk copy goes to another block than that of its mbarrier");
            Issue(w, i, into, to, at, rows, swizzle, alignment, sectors);
            return;
        }
        uint ranks = ((ushort*)(w.Rows + i.Second))[2 * lane];
        if (ranks == 0 || ranks >> w.Block.ClusterSize != 0)
            throw w.Fault(FaultKind.Illegal, i, $"a copy to blocks 0x{ranks:x} of a cluster of {w.Block.ClusterSize}");
        for (; ranks != 0; ranks &= ranks - 1)
        {
            ThreadBlock into = w.Block.Reach(w, i, BitOperations.TrailingZeroCount(ranks), isCopy: true);
            Issue(w, i, into, to, at, rows, swizzle, alignment, sectors);
        }
    }

    private static void Issue(Warp w, Instruction i, ThreadBlock into, ulong to, ulong at, BulkRow[] rows, int swizzle, int alignment,
        int sectors)
    {
        int bytes = CheckShared(w, i, to, rows, alignment);
        Mbarrier barrier = MbarrierFunctions.Find(w, i, at, into);
        if (!barrier.IsFenced)
            throw w.Fault(FaultKind.MissingFence, i, $"a bulk copy uses the mbarrier at 0x{at:x}, but no fence.mbarrier_init or "
                + $"fence.proxy.async of warp {barrier.Warp} follows the making of it");
        var copy = new BulkCopy(w, i, barrier, (int)to, bytes, rows, swizzle);
        w.Block.Trace?.Copy(w.Id, copy, sectors);
        into.Shadow?.IssueBulk(copy);
        barrier.Copies.Add(copy);
        into.BulkCopies.Add(copy);
    }

    /// <summary>Tells what blocks touch of global memory, in pieces of which none crosses 64 bytes.</summary>
    public static void Touch(Warp w, Instruction i, int lane, BulkRow[] rows)
    {
        BlockFootprint? footprint = w.Block.Footprint;
        bool storing = w.Block.StoresInFlight;
        if (footprint is null && !storing) return;
        foreach (BulkRow r in rows)
            for (ulong at = r.Source, end = r.Source + (ulong)r.Copied; at < end;)
            {
                ulong next = Math.Min((at | 63) + 1, end);
                footprint?.Touch(w, i, lane, at, (int)(next - at));
                if (storing) BulkStores.CheckMeets(w, i, at, (int)(next - at));
                at = next;
            }
    }

    /// <summary>Counts what rows ask of memory.</summary>
    /// <returns>Sectors.</returns>
    public static int Count(Warp w, Instruction i, BulkRow[] rows, int bytes)
    {
        if (!w.Block.CountsMemory) return 0;
        BlockCounts counts = w.Block.Counts;
        int n = i.Index, sectors = 0;
        foreach (BulkRow r in rows)
            if (r.Copied > 0) sectors += (int)((r.Source + (ulong)r.Copied - 1 >> 5) - (r.Source >> 5)) + 1;
        counts.GlobalRequests[n]++;
        counts.GlobalSectors[n] += sectors;
        int copied = rows.Sum(r => r.Copied), wavefronts = (bytes + 127) / 128;
        counts.LeastSectors[n] += (copied + 31) / 32;
        counts.GlobalBytes += copied;
        counts.SharedRequests[n]++;
        counts.SharedWavefronts[n] += wavefronts;
        counts.LeastWavefronts[n] += wavefronts;
        return sectors;
    }

    /// <summary>The copy's data arrive.</summary>
    public static void Land(BulkCopy copy)
    {
        (Warp w, Instruction i, ThreadBlock block) = (copy.Warp, copy.Issued, copy.Barrier.Block);
        Span<byte> row = stackalloc byte[copy.Swizzle > 0 ? copy.Swizzle : 0];
        byte* to = block.Shared + copy.To;
        foreach (BulkRow r in copy.Rows)
        {
            Span<byte> target = copy.Swizzle > 0 ? row[..r.Bytes] : new(to, r.Bytes);
            target.Clear();
            if (r.Copied > 0)
            {
                Allocation a = MemoryAccess.GlobalPlace(w, i, r.Source, r.Copied);
                long offset = (long)(r.Source - a.Address);
                new Span<byte>(a.Host + offset, r.Copied).CopyTo(target[r.Before..]);
                if (a.Written != null && new ReadOnlySpan<byte>(a.Written + offset, r.Copied).Contains((byte)0))
                    FillUnwritten(copy, a, offset, target.Slice(r.Before, r.Copied));
            }
            if (copy.Swizzle > 0)
                for (int piece = 0; piece < r.Bytes; piece += 16)
                    row.Slice(piece, 16).CopyTo(new(block.Shared + Swizzle.Of((uint)(to - block.Shared + piece), copy.Swizzle), 16));
            to += r.Bytes;
        }
        block.Shadow?.LandBulk(copy);
        copy.Barrier.Copies.Remove(copy);
        copy.Barrier.Bytes -= copy.Bytes;
        copy.Barrier.KnowsGrid |= copy.KnowsGrid;
        block.Mbarriers.Settle(copy.Barrier, w, i);
    }

    /// <summary>
    /// Of a box that reaches behind what was written, as one does of a matrix with a run-time number of rows, that is NaN: who uses it
    /// shows it. A box of which nothing was written is a fault.
    /// </summary>
    private static void FillUnwritten(BulkCopy copy, Allocation a, long offset, Span<byte> target)
    {
        (Warp w, Instruction i) = (copy.Warp, copy.Issued);
        if (copy.Rows.Length == 1 || !Array.Exists(copy.Rows, r => IsWritten(w, i, r)))
            MemoryAccess.CheckWritten(w, i, a, offset, target.Length);
        for (int n = 0; n < target.Length; n++)
            if (a.Written[offset + n] == 0) target[n] = 0xff;
    }

    private static bool IsWritten(Warp w, Instruction i, BulkRow r)
    {
        if (r.Copied == 0) return false;
        Allocation a = MemoryAccess.GlobalPlace(w, i, r.Source, r.Copied);
        return new ReadOnlySpan<byte>(a.Written + (long)(r.Source - a.Address), r.Copied).Contains((byte)1);
    }

    /// <summary>The tensor map at an address: of a parameter, or in global memory.</summary>
    private static TensorMap Map(Warp w, Instruction i, ulong address)
    {
        if (address % 64 != 0) throw w.Fault(FaultKind.Misaligned, i, $"a tensor map at 0x{address:x}, which is no multiple of 64");
        ulong at = address;
        StateSpace space = AddressWindows.Split(ref at);
        if (space is StateSpace.Shared or StateSpace.Local)
            throw w.Fault(FaultKind.Illegal, i, "a tensor map lies in parameters, constants or global memory");
        ReadOnlySpan<byte> bytes = space == StateSpace.Param ? Parameters(w, i, at) : Global(w, i, address);
        return TensorMap.Decode(bytes) ?? throw w.Fault(FaultKind.Illegal, i, $"there is no tensor map at 0x{address:x}");
    }

    private static ReadOnlySpan<byte> Parameters(Warp w, Instruction i, ulong at)
    {
        var all = new ReadOnlySpan<byte>(w.Block.Parameters, w.Block.Kernel.ParameterBytes);
        if (at > (ulong)all.Length || TensorMap.EncodedBytes > all.Length - (int)at)
            throw w.Fault(FaultKind.OutOfBounds, i, $"a tensor map at parameter address 0x{at:x}, outside the {all.Length} bytes");
        return all.Slice((int)at, TensorMap.EncodedBytes);
    }

    private static ReadOnlySpan<byte> Global(Warp w, Instruction i, ulong address)
    {
        Allocation a = MemoryAccess.GlobalPlace(w, i, address, TensorMap.EncodedBytes);
        long offset = (long)(address - a.Address);
        if (a.Written != null) MemoryAccess.CheckWritten(w, i, a, offset, TensorMap.EncodedBytes);
        return new(a.Host + offset, TensorMap.EncodedBytes);
    }

    /// <summary>prefetch.tensormap: A the map's address.</summary>
    public static void Prefetch(Warp w, Instruction i, uint mask)
    {
        for (uint rest = mask; rest != 0; rest &= rest - 1)
            Map(w, i, ((ulong*)(w.Rows + i.A))[BitOperations.TrailingZeroCount(rest)]);
    }
}
