using Sa2VA.VirtualGpu.Memory;

namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions of virtual memory management: addresses, memory, and what is mapped where.</summary>
public sealed unsafe partial class VirtualDriver
{
    private const int ReadsAndWrites = 3;

    private void AddMappingCalls()
    {
        Add<GivesGranularity>("cuMemGetAllocationGranularity", (bytes, properties, option) => Call("cuMemGetAllocationGranularity", () =>
        {
            NotNull(bytes, "the granularity");
            Check(properties);
            if (option > 1) throw Invalid($"option {option}");
            *bytes = (nuint)Options.MappingGranularity;
        }));
        Add<GivesReservation>("cuMemAddressReserve", (address, bytes, alignment, _, flags) => Call("cuMemAddressReserve", context =>
        {
            NotNull(address, "the address");
            Whole(bytes, "the size");
            if (bytes == 0) throw Invalid("a reservation of 0 bytes");
            if (flags != 0) throw Invalid("flags must be 0");
            if ((alignment & (alignment - 1)) != 0) throw Invalid($"alignment {alignment} is no power of two");
            *address = addresses.Take(bytes, Math.Max(alignment, (ulong)Options.MappingGranularity));
            context.Mappings.Reserve(*address, bytes);
        }));
        Add<TakesRange>("cuMemAddressFree", (address, bytes) => Call("cuMemAddressFree", context =>
        {
            context.Mappings.Free(address, bytes);
            addresses.GiveBack(address);
        }));
        Add<GivesMemory>("cuMemCreate", (handle, bytes, properties, flags) => Call("cuMemCreate", context =>
        {
            NotNull(handle, "the handle");
            Check(properties);
            if (properties->Location.Id != context.Device.Ordinal) throw Invalid("memory of another device than the context's");
            if (bytes == 0) throw Invalid("0 bytes of memory");
            Whole(bytes, "the size");
            if (flags != 0) throw Invalid("flags must be 0");
            Inject.OnAllocation();
            long taken = context.Device.Take(bytes);
            try
            {
                bool watched = Options.Execution.WatchesGlobalMemory;
                var memory = new PhysicalMemory(context, new Backing((long)bytes, HostAlignment, watched, watched), (long)bytes, taken);
                context.Physical.Add(memory);
                *handle = (ulong)handles.Add(memory).Handle;
            }
            catch
            {
                context.Device.GiveBack(taken);
                throw;
            }
        }));
        Add<TakesAddress>("cuMemRelease", handle => Call("cuMemRelease", context =>
        {
            PhysicalMemory memory = Get<PhysicalMemory>(context, (nint)handle);
            handles.Remove(memory.Handle);
            memory.IsReleased = true;
            memory.FreeIfUnused();
        }));
        Add<Maps>("cuMemMap", (address, bytes, offset, handle, flags) => Call("cuMemMap", context =>
        {
            PhysicalMemory memory = Get<PhysicalMemory>(context, (nint)handle);
            Whole(address, "the address");
            Whole(bytes, "the size");
            if (offset != 0) throw Invalid("the offset must be 0");
            if (bytes == 0) throw Invalid("a mapping of 0 bytes");
            if (flags != 0) throw Invalid("flags must be 0");
            context.Memory.Add(context.Mappings.Map(address, bytes, memory, context.NextName("mapping")));
        }));
        Add<TakesRange>("cuMemUnmap", (address, bytes) => Call("cuMemUnmap", context =>
            dispatcher.Between(context, () => context.Mappings.Unmap(address, bytes, context.Memory))));
        Add<TakesAccess>("cuMemSetAccess", (address, bytes, access, count) => Call("cuMemSetAccess", context =>
        {
            NotNull(access, "the access");
            if (count != 1) throw Invalid($"access for {count} locations");
            if (access->Location.Type != 1 || access->Location.Id != context.Device.Ordinal)
                throw Invalid("access for another device than the context's");
            if (access->Flags is not (0 or 1 or ReadsAndWrites)) throw Invalid($"access {access->Flags}");
            dispatcher.Between(context, () => context.Mappings.SetAccess(address, bytes, access->Flags));
        }));
    }

    private void Check(AllocationProperties* properties)
    {
        NotNull(properties, "the properties");
        if (properties->Type != 1 || properties->Location.Type != 1 || properties->HandleTypes != 0)
            throw Invalid("only pinned memory of one device that is not shared is supported");
        Device(properties->Location.Id);
    }

    private void Whole(ulong value, string name)
    {
        if (value % (ulong)Options.MappingGranularity != 0)
            throw Invalid($"{name}, {value}, is no multiple of {Options.MappingGranularity}");
    }
}
