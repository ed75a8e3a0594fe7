using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Sa2VA.Core;

namespace Sa2VA.Cpu;

/// <summary>
/// Native memory aligned to 64 bytes. Its bytes are on the account as long as it lives; memory that nobody disposed goes when the collector
/// finds it. Whoever uses the pointer while others may dispose takes a reference first (<see cref="SafeHandle.DangerousAddRef"/>).
/// </summary>
internal sealed unsafe class AlignedMemory : SafeHandle
{
    private readonly MemoryAccount _account;
    private readonly MemoryPurpose _purpose;
    private readonly bool _isReserved;

    /// <param name="account">Counts the bytes.</param>
    /// <param name="purpose">For what.</param>
    /// <param name="bytes">Size. Contents are undefined unless zeroed.</param>
    /// <param name="what">Who needs it, for messages.</param>
    /// <param name="zeroed">True for zeros.</param>
    /// <exception cref="DeviceMemoryException">The budget or the machine does not suffice.</exception>
    public AlignedMemory(MemoryAccount account, MemoryPurpose purpose, long bytes, string what, bool zeroed = false)
        : base(0, ownsHandle: true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        (_account, _purpose) = (account, purpose);
        account.Reserve(purpose, bytes, what);
        try
        {
            Allocate(bytes);
        }
        catch
        {
            account.Release(purpose, bytes);
            throw;
        }
        Bytes = bytes;
        if (zeroed && !account.CountsOnly) NativeMemory.Clear((void*)handle, (nuint)bytes);
        // The collector does not see native memory; of buffers, which come and go with sessions, it is told.
        if (HasPressure) GC.AddMemoryPressure(bytes);
    }

    private AlignedMemory(MemoryAccount account, MemoryPurpose purpose, long room) : base(0, ownsHandle: true)
    {
        (_account, _purpose, _isReserved) = (account, purpose, true);
        Allocate(room);
    }

    /// <summary>Room without memory, which comes with <see cref="Commit"/>.</summary>
    public static AlignedMemory Reserve(MemoryAccount account, MemoryPurpose purpose, long room) => new(account, purpose, room);

    /// <summary>Bytes on the account.</summary>
    public long Bytes { get; private set; }

    /// <summary>True when nothing is allocated: the pointer must not be followed.</summary>
    public bool CountsOnly => _account.CountsOnly;

    public override bool IsInvalid => handle == 0;

    public byte* Pointer
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => IsClosed ? throw new ObjectDisposedException(nameof(AlignedMemory)) : (byte*)handle;
    }

    public float* Floats => (float*)Pointer;

    private bool HasPressure => _purpose == MemoryPurpose.Buffers && Bytes > 0 && !CountsOnly;

    /// <summary>
    /// A larger size; contents are lost. The old memory goes first, to need no room for both; it comes back if the new one is refused. Only
    /// while nobody uses the pointer.
    /// </summary>
    public void Grow(long bytes, string what)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        long growth = bytes - Bytes;
        _account.Reserve(_purpose, growth, what);
        Free();
        try
        {
            Allocate(bytes);
            Bytes = bytes;
        }
        catch
        {
            _account.Release(_purpose, growth);
            Allocate(Bytes);
            throw;
        }
    }

    /// <summary>Takes the next bytes of reserved room, as zeros; what is there stays, and where it is.</summary>
    /// <param name="bytes">All that is then there, at most the room.</param>
    /// <param name="what">Who needs it, for messages.</param>
    public void Commit(long bytes, string what)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        long growth = bytes - Bytes;
        _account.Reserve(_purpose, growth, what);
        try
        {
            if (!CountsOnly) ReservedPages.Commit((byte*)handle, Bytes, bytes);
        }
        catch (OutOfMemoryException e)
        {
            _account.Release(_purpose, growth);
            throw Refused(growth, e);
        }
        Bytes = bytes;
        if (HasPressure) GC.AddMemoryPressure(growth);
    }

    /// <summary>Gives the committed bytes back to the machine and keeps the room.</summary>
    /// <returns>False where the machine cannot: they stay then.</returns>
    public bool TryTrim()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        if (!CountsOnly && !ReservedPages.TryDecommit((byte*)handle, Bytes)) return false;
        if (HasPressure) GC.RemoveMemoryPressure(Bytes);
        _account.Release(_purpose, Bytes);
        Bytes = 0;
        return true;
    }

    protected override bool ReleaseHandle()
    {
        Free();
        _account.Release(_purpose, Bytes);
        if (HasPressure) GC.RemoveMemoryPressure(Bytes);
        return true;
    }

    private void Allocate(long bytes)
    {
        if (CountsOnly)
        {
            SetHandle(-1);
            return;
        }
        try
        {
            nuint size = checked((nuint)Math.Max(bytes, 64));
            SetHandle((nint)(_isReserved ? ReservedPages.Reserve(size) : NativeMemory.AlignedAlloc(size, 64)));
        }
        catch (OutOfMemoryException e)
        {
            throw Refused(bytes, e);
        }
    }

    private static DeviceMemoryException Refused(long bytes, OutOfMemoryException e) =>
        new($"The machine refused {bytes / 1048576.0:F0} MB of memory. Use fewer or smaller inputs, or a smaller checkpoint.", e);

    private void Free()
    {
        if (_isReserved && !CountsOnly) ReservedPages.Free((byte*)handle);
        else if (!CountsOnly) NativeMemory.AlignedFree((void*)handle);
        SetHandle(0);
    }
}
