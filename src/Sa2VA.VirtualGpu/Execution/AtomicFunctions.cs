using System.Numerics;
using System.Runtime.CompilerServices;
using Sa2VA.VirtualGpu.Memory;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Atomics and reductions on 32 or 64 bits of global or shared memory: Scalar gives the new value from the old one, B and C.
/// </summary>
[SkipLocalsInit]
internal static unsafe class AtomicFunctions
{
    public static Func<ulong, ulong, ulong, ulong>? Find(string name, DataType type) => name switch
    {
        "exch" => (_, b, _) => b,
        "cas" => (old, b, c) => old == b ? c : old,
        "inc" => (old, b, _) => old >= b ? 0 : old + 1,
        "dec" => (old, b, _) => old == 0 || old > b ? b : old - 1,
        "add" when type == DataType.F64 => FloatFunctions.Find64("add"),
        "add" when type == DataType.F32 => FloatFunctions.Find32("add", flush: false, saturate: false),
        _ => IntegerFunctions.Find(name, type),
    };

    public static void Run(Warp w, Instruction i, uint mask)
    {
        bool wide = i.Width == 8;
        var access = new AccessCounter(w, i, stackalloc ulong[AccessCounter.Room]);
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            byte* p = Place(w, i, lane, MemoryAccess.Address(w, i, lane), ref access);
            ulong b = Lanes.Get(w.Rows + i.B, lane, wide), c = i.C < 0 ? 0 : Lanes.Get(w.Rows + i.C, lane, wide);
            ulong old = wide ? Exchange64(p, i.Scalar!, b, c) : Exchange32(p, i.Scalar!, b, c);
            if (i.D >= 0) Lanes.Set(w.Rows + i.D, lane, wide, old);
        }
        access.Finish();
    }

    private static byte* Place(Warp w, Instruction i, int lane, ulong address, ref AccessCounter access)
    {
        StateSpace space = i.Space == StateSpace.Generic ? AddressWindows.Split(ref address) : i.Space;
        if (space is StateSpace.Local or StateSpace.Param)
            throw w.Fault(FaultKind.Illegal, i, "an atomic on memory of one thread or on parameters");
        if (space == StateSpace.Shared)
        {
            ThreadBlock of = ClusterFunctions.Owner(w, i, ref address);
            byte* p = MemoryAccess.SharedPlace(w, i, address, i.Width, of);
            access.Shared((uint)address, i.Width);
            w.Block.Shadow?.Write(w, i, (int)address, i.Width, atomic: true, of);
            return p;
        }
        if ((address & (ulong)(i.Width - 1)) != 0)
            throw w.Fault(FaultKind.Misaligned, i, $"access of {i.Width} bytes at 0x{address:x} is misaligned");
        Allocation a = MemoryAccess.GlobalPlace(w, i, address, i.Width);
        access.Global(address, i.Width);
        if (a.ReadOnly) throw w.Fault(FaultKind.Illegal, i, $"{a.Name} cannot be written");
        long offset = (long)(address - a.Address);
        if (a.Written != null) MemoryAccess.CheckWritten(w, i, a, offset, i.Width);
        if (w.Block.StoresInFlight) BulkStores.CheckMeets(w, i, address, i.Width);
        w.Block.Footprint?.Touch(w, i, lane, address, i.Width);
        return a.Host + offset;
    }

    private static ulong Exchange32(byte* p, Func<ulong, ulong, ulong, ulong> f, ulong b, ulong c)
    {
        while (true)
        {
            uint old = Volatile.Read(ref Unsafe.AsRef<uint>(p));
            if (Interlocked.CompareExchange(ref Unsafe.AsRef<uint>(p), (uint)f(old, b, c), old) == old) return old;
        }
    }

    private static ulong Exchange64(byte* p, Func<ulong, ulong, ulong, ulong> f, ulong b, ulong c)
    {
        while (true)
        {
            ulong old = Volatile.Read(ref Unsafe.AsRef<ulong>(p));
            if (Interlocked.CompareExchange(ref Unsafe.AsRef<ulong>(p), f(old, b, c), old) == old) return old;
        }
    }
}
