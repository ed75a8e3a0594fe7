namespace Sa2VA.Core;

/// <summary>What native memory is held for.</summary>
internal enum MemoryPurpose
{
    Weights,
    Arena,
    Buffers,
}

/// <summary>
/// The bytes that a backend holds, by purpose, and the budget that bounds their sum. Any thread may reserve and release; it knows nothing
/// of the backend, so what is still counted here keeps no backend alive.
/// </summary>
/// <param name="budget">Most bytes; 0 means no limit.</param>
/// <param name="countsOnly">True for a backend that allocates nothing and finds out what it would hold.</param>
/// <param name="isWhatWasFree">True if the budget is nobody's wish but what the device had free.</param>
internal sealed class MemoryAccount(long budget, bool countsOnly = false, bool isWhatWasFree = false)
{
    private readonly long[] _held = new long[3];
    private long _total;

    public bool CountsOnly => countsOnly;

    /// <summary>What may yet be taken.</summary>
    public long Left => budget > 0 ? Math.Max(0, budget - Interlocked.Read(ref _total)) : long.MaxValue;

    public BackendMemory Memory => new(Held(MemoryPurpose.Weights), Held(MemoryPurpose.Arena), Held(MemoryPurpose.Buffers));

    /// <summary>Takes bytes before they are allocated.</summary>
    /// <param name="purpose">For what.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="what">Who needs them, for the message.</param>
    /// <exception cref="DeviceMemoryException">The budget does not suffice, even after what forgotten owners held came back.</exception>
    public void Reserve(MemoryPurpose purpose, long bytes, string what)
    {
        if (!TryReserve(bytes))
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            if (!TryReserve(bytes))
                throw new DeviceMemoryException($"{what} needs {Amount(bytes)}; {Amount(Interlocked.Read(ref _total))} of the "
                    + (isWhatWasFree ? $"{Amount(budget)} that the device had free when it was opened are in use."
                        : $"budget of {Amount(budget)} are in use."));
        }
        Interlocked.Add(ref _held[(int)purpose], bytes);
    }

    public void Release(MemoryPurpose purpose, long bytes)
    {
        Interlocked.Add(ref _held[(int)purpose], -bytes);
        Interlocked.Add(ref _total, -bytes);
    }

    private static string Amount(long bytes) => bytes switch
    {
        < 1 << 10 => $"{bytes} bytes",
        < 1 << 20 => FormattableString.Invariant($"{bytes / 1024.0:F1} kB"),
        _ => FormattableString.Invariant($"{bytes / 1048576.0:F1} MB"),
    };

    private long Held(MemoryPurpose purpose) => Interlocked.Read(ref _held[(int)purpose]);

    /// <summary>In one step, so that two threads cannot pass the budget together.</summary>
    private bool TryReserve(long bytes)
    {
        while (true)
        {
            long held = Interlocked.Read(ref _total);
            if (budget > 0 && bytes > budget - held) return false;
            if (Interlocked.CompareExchange(ref _total, held + bytes, held) == held) return true;
        }
    }
}
