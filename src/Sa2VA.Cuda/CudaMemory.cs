using Sa2VA.Core;
using Sa2VA.Cuda.Driver;

namespace Sa2VA.Cuda;

/// <summary>
/// Device memory at an address that never changes: all of it at once, or addresses into which memory is mapped as it is needed. It is freed
/// by <see cref="Free"/> once nothing that was enqueued uses it.
/// </summary>
internal sealed unsafe class CudaMemory
{
    private readonly CudaBackend _backend;
    private readonly MemoryPurpose _purpose;
    private readonly ulong _room;
    private readonly List<(ulong Handle, ulong Bytes)> _mapped = [];
    private ulong _mappedBytes;

    private CudaMemory(CudaBackend backend, MemoryPurpose purpose, ulong room) =>
        (_backend, _purpose, _room) = (backend, purpose, room);

    /// <summary>Where it begins; 0 in a backend that only counts.</summary>
    public ulong Address { get; private set; }

    /// <summary>Bytes on the account.</summary>
    public long Bytes { get; private set; }

    private CudaDriver Driver => _backend.Context.Driver;

    /// <summary>Memory with undefined contents.</summary>
    /// <exception cref="DeviceMemoryException">Budget or device do not suffice.</exception>
    public static CudaMemory Allocate(CudaBackend backend, MemoryPurpose purpose, long bytes, string what)
    {
        var memory = new CudaMemory(backend, purpose, 0);
        backend.Account.Reserve(purpose, bytes, what);
        try
        {
            if (!backend.Account.CountsOnly)
            {
                using CudaContext.Scope scope = backend.Context.Enter();
                ulong address;
                CudaResult result = memory.Driver.MemAlloc(&address, (nuint)Math.Max(bytes, 16));
                if (result == CudaResult.OutOfMemory) throw memory.Refused(bytes, what);
                backend.Context.Check(result, $"allocating {what}");
                memory.Address = address;
            }
        }
        catch
        {
            backend.Account.Release(purpose, bytes);
            throw;
        }
        memory.Bytes = bytes;
        return memory;
    }

    /// <summary>Addresses without memory.</summary>
    public static CudaMemory Reserve(CudaBackend backend, MemoryPurpose purpose, long room, string what)
    {
        ulong unit = backend.MapUnit, size = Math.Max(unit, ((ulong)room + unit - 1) / unit * unit);
        var memory = new CudaMemory(backend, purpose, size);
        if (backend.Account.CountsOnly) return memory;
        using CudaContext.Scope scope = backend.Context.Enter();
        ulong address;
        backend.Context.Check(memory.Driver.MemAddressReserve(&address, (nuint)size, (nuint)unit, 0, 0), $"reserving addresses for {what}");
        memory.Address = address;
        return memory;
    }

    /// <summary>Maps memory so that at least the first bytes are there; contents of what is new are undefined.</summary>
    /// <exception cref="DeviceMemoryException">Budget or device do not suffice.</exception>
    public void Commit(long bytes, string what)
    {
        if (bytes <= Bytes) return;
        if (!_backend.Account.CountsOnly && (ulong)bytes > _room)
            throw new DeviceMemoryException($"{what} need {bytes >> 20} MB, more than the {_room >> 20} MB that there are addresses for.");
        long growth = bytes - Bytes;
        _backend.Account.Reserve(_purpose, growth, what);
        try
        {
            if (!_backend.Account.CountsOnly && (ulong)bytes > _mappedBytes) Map((ulong)bytes, what);
        }
        catch
        {
            _backend.Account.Release(_purpose, growth);
            throw;
        }
        Bytes = bytes;
    }

    /// <summary>Unmaps what was mapped; the addresses stay. Nothing that is enqueued may use them.</summary>
    public void Trim()
    {
        if (!_backend.Account.CountsOnly) _backend.Context.GiveBack(_ => Unmap());
        _backend.Account.Release(_purpose, Bytes);
        Bytes = 0;
    }

    /// <summary>Gives all back. Nothing that is enqueued may use it.</summary>
    public void Free()
    {
        if (Address != 0) _backend.Context.GiveBack(driver =>
        {
            if (_room == 0) driver.MemFree(Address);
            else
            {
                Unmap();
                driver.MemAddressFree(Address, (nuint)_room);
            }
        });
        Address = 0;
        _backend.Account.Release(_purpose, Bytes);
        Bytes = 0;
    }

    private void Map(ulong bytes, string what)
    {
        using CudaContext.Scope scope = _backend.Context.Enter();
        ulong unit = _backend.MapUnit, wanted = bytes - _mappedBytes;
        ulong size = Math.Min((wanted + unit - 1) / unit * unit, _room - _mappedBytes);
        AllocationProperties properties = new(_backend.Context.Device.Handle);
        ulong handle;
        CudaResult result = Driver.MemCreate(&handle, (nuint)size, &properties, 0);
        if (result == CudaResult.OutOfMemory) throw Refused((long)size, what);
        _backend.Context.Check(result, $"allocating {what}");
        result = Driver.MemMap(Address + _mappedBytes, (nuint)size, 0, handle, 0);
        if (result == CudaResult.Success)
        {
            AccessDescriptor access = new(_backend.Context.Device.Handle);
            result = Driver.MemSetAccess(Address + _mappedBytes, (nuint)size, &access, 1);
            if (result != CudaResult.Success) Driver.MemUnmap(Address + _mappedBytes, (nuint)size);
        }
        if (result != CudaResult.Success) Driver.MemRelease(handle);
        _backend.Context.Check(result, $"mapping {what}");
        _mapped.Add((handle, size));
        _mappedBytes += size;
    }

    private void Unmap()
    {
        ulong at = Address;
        foreach ((ulong handle, ulong bytes) in _mapped)
        {
            Driver.MemUnmap(at, (nuint)bytes);
            Driver.MemRelease(handle);
            at += bytes;
        }
        _mapped.Clear();
        _mappedBytes = 0;
    }

    private DeviceMemoryException Refused(long bytes, string what)
    {
        nuint free = 0, total = 0;
        Driver.MemGetInfo(&free, &total);
        return new DeviceMemoryException($"The GPU has no room for {bytes / 1048576.0:F1} MB for {what}: "
            + $"{free / 1048576.0:F0} of {total / 1048576.0:F0} MB are free. Use fewer or smaller inputs, or a smaller checkpoint.");
    }
}
