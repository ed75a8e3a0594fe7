using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions of device and pinned memory, copies and fills.</summary>
public sealed unsafe partial class VirtualDriver
{
    private const int HostAlignment = 4096;

    /// <summary>Portable, mapped, write-combined: all pinned memory is as if it had them.</summary>
    private const uint MostHostFlags = 7;

    private void AddMemoryCalls()
    {
        Add<GivesTwoSizes>("cuMemGetInfo_v2", (free, total) => Call("cuMemGetInfo_v2", context =>
        {
            if (free != null) *free = (nuint)(context.Device.MemoryBytes - context.Device.Used);
            if (total != null) *total = (nuint)context.Device.MemoryBytes;
        }));
        Add<GivesAddress>("cuMemAlloc_v2", (address, bytes) => Call("cuMemAlloc_v2", context =>
        {
            Unsafe("cuMemAlloc");
            NotNull(address, "the address");
            if (bytes == 0) throw Invalid("an allocation of 0 bytes");
            Inject.OnAllocation();
            long taken = context.Device.Take(bytes);
            try
            {
                *address = context.Memory.Allocate((long)bytes, context.NextName("allocation")).Address;
            }
            catch
            {
                context.Device.GiveBack(taken);
                throw;
            }
            context.Allocations[*address] = taken;
        }));
        Add<TakesAddress>("cuMemFree_v2", address => Call("cuMemFree_v2", context =>
        {
            Unsafe("cuMemFree");
            if (address == 0) return;
            dispatcher.Between(context, () =>
            {
                if (!context.Allocations.Remove(address, out long taken)) throw Invalid($"no allocation begins at 0x{address:x}");
                context.Memory.Free(address);
                context.Device.GiveBack(taken);
            });
        }));
        Add<GivesHostMemory>("cuMemHostAlloc", (memory, bytes, flags) => Call("cuMemHostAlloc", context =>
        {
            Unsafe("cuMemHostAlloc");
            NotNull(memory, "the memory");
            if (flags > MostHostFlags) throw Invalid($"flags {flags}");
            if (bytes == 0) throw Invalid("an allocation of 0 bytes");
            Inject.OnAllocation();
            var backing = new Backing((long)bytes, HostAlignment, poisoned: Options.Execution.Checks, tracked: false);
            var piece = new Allocation(context.NextName("host memory"), addresses.Take(bytes, HostAlignment), (long)bytes, backing);
            context.Memory.Add(piece);
            var made = new HostMemory(piece);
            context.HostMemory.Add((nint)piece.Host, made);
            pinned = [.. pinned, made];
            *memory = piece.Host;
        }));
        Add<TakesHostMemory>("cuMemFreeHost", memory => Call("cuMemFreeHost", context =>
        {
            Unsafe("cuMemFreeHost");
            dispatcher.Between(context, () =>
            {
                if (!context.HostMemory.Remove((nint)memory, out HostMemory? gone))
                    throw Invalid($"no pinned memory of this context begins at 0x{(nint)memory:x}");
                pinned = [.. pinned.Where(p => p != gone)];
                context.Memory.Free(gone.Piece.Address);
            });
        }));
        Add<GivesAddressOfHostMemory>("cuMemHostGetDevicePointer_v2", (address, memory, flags) =>
            Call("cuMemHostGetDevicePointer_v2", context =>
            {
                NotNull(address, "the address");
                if (flags != 0) throw Invalid("flags must be 0");
                HostMemory at = context.HostMemory.Values.FirstOrDefault(h => h.Holds((nint)memory, 1))
                    ?? throw Invalid($"0x{(nint)memory:x} is in no pinned memory of this context");
                *address = at.Piece.Address + (ulong)((byte*)memory - at.Piece.Host);
            }));
        Add<Uploads>("cuMemcpyHtoDAsync_v2", (to, from, bytes, stream) => Call("cuMemcpyHtoDAsync_v2", context =>
        {
            DriverStream on = Get<DriverStream>(context, stream);
            if (bytes == 0) return;
            NotNull(from, "the source");
            Check(context, to, bytes);
            byte[]? taken = null;
            if (!IsPinned((nint)from, bytes))
            {
                Pageable(on, (nint)from, bytes);
                taken = new ReadOnlySpan<byte>(from, checked((int)bytes)).ToArray();
            }
            Enqueue(on, new UploadOperation(context, to, taken, (nint)from, bytes, IsPinned));
        }));
        Add<Downloads>("cuMemcpyDtoHAsync_v2", (to, from, bytes, stream) => Call("cuMemcpyDtoHAsync_v2", context =>
        {
            DriverStream on = Get<DriverStream>(context, stream);
            if (bytes == 0) return;
            NotNull(to, "the destination");
            Check(context, from, bytes);
            bool direct = IsPinned((nint)to, bytes);
            if (!direct) Pageable(on, (nint)to, bytes);
            Enqueue(on, new DownloadOperation(context, (nint)to, from, bytes, direct ? IsPinned : null));
            // As the real driver does: a copy to pageable memory has happened when the call returns.
            if (!direct) Wait(on);
        }));
        Add<Copies>("cuMemcpyDtoDAsync_v2", (to, from, bytes, stream) => Call("cuMemcpyDtoDAsync_v2", context =>
        {
            DriverStream on = Get<DriverStream>(context, stream);
            if (bytes == 0) return;
            Check(context, from, bytes);
            Check(context, to, bytes);
            Enqueue(on, new CopyOperation(context, to, from, bytes));
        }));
        Add<Fills>("cuMemsetD8Async", (to, value, bytes, stream) => Call("cuMemsetD8Async", context =>
        {
            DriverStream on = Get<DriverStream>(context, stream);
            if (bytes == 0) return;
            Check(context, to, bytes);
            Enqueue(on, new FillOperation(context, to, value, bytes));
        }));
    }

    private static void Check(DriverContext context, ulong address, ulong bytes)
    {
        if (!context.Memory.Covers(address, bytes))
            throw Invalid($"{bytes} bytes at 0x{address:x}: {context.Memory.Describe(address)}");
    }

    private bool IsPinned(nint address, ulong bytes) => Array.Exists(Volatile.Read(ref pinned), p => p.Holds(address, bytes));

    /// <summary>Pageable memory is no part of graphs, and lies in no pinned memory.</summary>
    private void Pageable(DriverStream stream, nint address, ulong bytes)
    {
        if (Array.Exists(pinned, p => p.Touches(address, bytes)))
            throw Invalid($"{bytes} bytes at 0x{address:x} go beyond the end of pinned memory");
        if (stream.Capture is null) return;
        stream.Capture.Invalidate();
        throw new DriverException(DriverResult.StreamCaptureUnsupported, "a copy from or to pageable memory cannot be captured");
    }
}
