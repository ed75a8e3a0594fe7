using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Sa2VA.VirtualGpu.Memory;
using Sa2VA.VirtualGpu.Ptx;

namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// Loads and stores. A row of addresses, Offset added to each, Rows the registers, Width the bytes of one of them; Mode says how wide rows
/// are
/// and how narrow values are extended.
/// </summary>
[SkipLocalsInit]
internal static unsafe class MemoryAccess
{
    public const int WideAddress = 1, WideData = 2, SignedData = 4, HalfData = 8;

    public static void Load(Warp w, Instruction i, uint mask)
    {
        if (i.IsPlain && WholeRows.TryLoad(w, i, mask) || i.Space == StateSpace.Param && TryLoadParameter(w, i, mask)) return;
        int bytes = i.Width * i.Rows.Length;
        var access = new AccessCounter(w, i, stackalloc ulong[AccessCounter.Room]);
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            byte* from = Resolve(w, i, lane, Address(w, i, lane), bytes, write: false, ref access);
            for (int k = 0; k < i.Rows.Length; k++)
                if (i.Rows[k] >= 0) Lanes.Set(w.Rows + i.Rows[k], lane, (i.Mode & WideData) != 0, Read(from + k * i.Width, i));
        }
        access.Finish();
    }

    public static void Store(Warp w, Instruction i, uint mask)
    {
        if (i.IsPlain && WholeRows.TryStore(w, i, mask)) return;
        int bytes = i.Width * i.Rows.Length;
        var access = new AccessCounter(w, i, stackalloc ulong[AccessCounter.Room]);
        for (uint rest = mask; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            byte* to = Resolve(w, i, lane, Address(w, i, lane), bytes, write: true, ref access);
            for (int k = 0; k < i.Rows.Length; k++)
            {
                ulong value = Lanes.Get(w.Rows + i.Rows[k], lane, (i.Mode & WideData) != 0);
                Write(to + k * i.Width, i.Width, value);
            }
        }
        access.Finish();
    }

    /// <summary>Offset is the place in the block of parameters.</summary>
    public static void LoadParameter(Warp w, Instruction i, uint mask) => LoadForAll(w, i, mask, w.Block.Parameters + i.Offset);

    /// <summary>Loads a parameter at an address in a register, if all lanes have the same.</summary>
    private static bool TryLoadParameter(Warp w, Instruction i, uint mask)
    {
        ulong address = Address(w, i, BitOperations.TrailingZeroCount(mask));
        for (uint rest = mask; rest != 0; rest &= rest - 1)
            if (Address(w, i, BitOperations.TrailingZeroCount(rest)) != address) return false;
        LoadForAll(w, i, mask, Parameter(w, i, address, i.Width * i.Rows.Length, write: false));
        return true;
    }

    private static void LoadForAll(Warp w, Instruction i, uint mask, byte* from)
    {
        for (int k = 0; k < i.Rows.Length; k++)
        {
            if (i.Rows[k] < 0) continue;
            ulong value = Read(from + k * i.Width, i);
            byte* row = w.Rows + i.Rows[k];
            Vector256<uint> narrow = Vector256.Create((uint)value);
            if ((i.Mode & WideData) == 0) Lanes.Store(row, mask, narrow, narrow, narrow, narrow);
            else
                for (int part = 0; part < 8; part++) Lanes.Store64(row, part, mask, Vector256.Create(value));
        }
    }

    public static ulong Address(Warp w, Instruction i, int lane) =>
        Lanes.Get(w.Rows + i.A, lane, (i.Mode & WideAddress) != 0) + (ulong)i.Offset;

    private static ulong Read(byte* from, Instruction i)
    {
        ulong value = i.Width switch { 1 => *from, 2 => *(ushort*)from, 4 => *(uint*)from, _ => *(ulong*)from };
        if ((i.Mode & SignedData) == 0) return value;
        int unused = 64 - 8 * i.Width;
        value = (ulong)((long)(value << unused) >> unused);
        return (i.Mode & HalfData) != 0 ? value & 0xffff : value;
    }

    private static void Write(byte* to, int width, ulong value)
    {
        switch (width)
        {
            case 1: *to = (byte)value; break;
            case 2: *(ushort*)to = (ushort)value; break;
            case 4: *(uint*)to = (uint)value; break;
            default: *(ulong*)to = value; break;
        }
    }

    /// <summary>Where an address of the instruction's space is in this process, all checks done.</summary>
    public static byte* Resolve(Warp w, Instruction i, int lane, ulong address, int bytes, bool write, ref AccessCounter access)
    {
        StateSpace space = i.Space == StateSpace.Generic ? AddressWindows.Split(ref address) : i.Space;
        return space switch
        {
            StateSpace.Shared => Shared(w, i, address, bytes, write, ref access),
            StateSpace.Local => w.Block.Local(w, i).Place(w, i, lane, address, bytes, write),
            StateSpace.Param => Parameter(w, i, address, bytes, write),
            _ => Global(w, i, lane, address, bytes, write, ref access),
        };
    }

    private static byte* Parameter(Warp w, Instruction i, ulong address, int bytes, bool write)
    {
        int all = w.Block.Kernel.ParameterBytes;
        if (write) throw w.Fault(FaultKind.Illegal, i, "parameters cannot be written");
        if (address > (ulong)all || (ulong)bytes > (ulong)all - address)
            throw w.Fault(FaultKind.OutOfBounds, i, $"access of {bytes} bytes at 0x{address:x} is outside the {all} bytes of parameters");
        if ((address & (ulong)(bytes - 1)) != 0)
            throw w.Fault(FaultKind.Misaligned, i, $"access of {bytes} bytes at parameter address 0x{address:x} is misaligned");
        return w.Block.Parameters + address;
    }

    private static byte* Shared(Warp w, Instruction i, ulong address, int bytes, bool write, ref AccessCounter access)
    {
        ThreadBlock of = ClusterFunctions.Owner(w, i, ref address);
        byte* p = SharedPlace(w, i, address, bytes, of);
        access.Shared((uint)address, bytes);
        if (w.Block.Shadow is { } shadow)
        {
            if (write) shadow.Write(w, i, (int)address, bytes, atomic: false, of);
            else shadow.Read(w, i, (int)address, bytes, of);
        }
        return p;
    }

    /// <summary>Checks bounds and alignment only, in a block's shared memory, its own if none is named.</summary>
    public static byte* SharedPlace(Warp w, Instruction i, ulong address, int bytes, ThreadBlock? of = null)
    {
        ThreadBlock block = of ?? w.Block;
        if (address > (ulong)block.SharedBytes || (ulong)bytes > (ulong)block.SharedBytes - address)
            throw w.Fault(FaultKind.OutOfBounds, i,
                $"access of {bytes} bytes at 0x{address:x} is outside the block's shared memory of {block.SharedBytes} bytes");
        if ((address & (ulong)(bytes - 1)) != 0)
            throw w.Fault(FaultKind.Misaligned, i, $"access of {bytes} bytes at shared address 0x{address:x} is misaligned");
        return block.Shared + address;
    }

    private static byte* Global(Warp w, Instruction i, int lane, ulong address, int bytes, bool write, ref AccessCounter access)
    {
        if ((address & (ulong)(bytes - 1)) != 0)
            throw w.Fault(FaultKind.Misaligned, i, $"access of {bytes} bytes at 0x{address:x} is misaligned");
        Allocation a = GlobalPlace(w, i, address, bytes);
        access.Global(address, bytes);
        long offset = (long)(address - a.Address);
        if (write && a.ReadOnly) throw w.Fault(FaultKind.Illegal, i, $"{a.Name} cannot be written");
        if (w.Block.StoresInFlight) BulkStores.CheckMeets(w, i, address, bytes);
        // Before it is looked at: what nothing wrote yet may be what the launch before this one writes.
        w.Block.Footprint?.Touch(w, i, lane, address, bytes);
        if (a.Written != null)
        {
            if (write) new Span<byte>(a.Written + offset, bytes).Fill(1);
            else CheckWritten(w, i, a, offset, bytes);
        }
        return a.Host + offset;
    }

    public static void CheckWritten(Warp w, Instruction i, Allocation a, long offset, int bytes)
    {
        if (bytes is 4 or 8 or 16 && WholeRows.AreOnes(a.Written + offset, bytes)) return;
        int hole = new Span<byte>(a.Written + offset, bytes).IndexOf((byte)0);
        if (hole >= 0) throw w.Fault(FaultKind.Uninitialised, i, $"read of byte {offset + hole} of {a.Name}, which nothing wrote");
    }

    /// <summary>The live allocation of an address, or null; the one that this instruction hit last is tried first.</summary>
    public static Allocation? FindGlobal(Warp w, Instruction i, ulong address, int bytes)
    {
        ref Allocation? last = ref w.Block.LastHit[i.Index];
        if (last is null || !last.Holds(address, bytes)) last = w.Block.Memory.Find(address, bytes);
        return last;
    }

    /// <summary>The live allocation of an address.</summary>
    public static Allocation GlobalPlace(Warp w, Instruction i, ulong address, int bytes) => FindGlobal(w, i, address, bytes)
        ?? throw w.Fault(FaultKind.OutOfBounds, i, $"access of {bytes} bytes at 0x{address:x}, {w.Block.Memory.Describe(address)}");

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CopyBytes(byte* to, byte* from, int bytes) => Unsafe.CopyBlockUnaligned(to, from, (uint)bytes);
}
