namespace Sa2VA.VirtualGpu.Execution;

/// <summary>
/// An mbarrier of a block: a phase ends when all its arrivals have come and all the bytes that it was told to expect. The 64 bits in shared
/// memory are opaque; what they stand for is here.
/// </summary>
/// <param name="block">Whose.</param>
/// <param name="address">In shared memory.</param>
/// <param name="count">Arrivals of a phase.</param>
/// <param name="warp">The warp that made it.</param>
/// <param name="number">Which of the block's it is, in order of their making.</param>
internal sealed class Mbarrier(ThreadBlock block, int address, int count, int warp, int number)
{
    public ThreadBlock Block => block;

    public int Address => address;

    public int Count => count;

    public int Warp => warp;

    public int Number => number;

    /// <summary>Arrivals that this phase still waits for.</summary>
    public int Pending { get; set; }

    /// <summary>Bytes that this phase was told to expect, less those that have come.</summary>
    public long Bytes { get; set; }

    /// <summary>Phases that have ended.</summary>
    public long Phases { get; private set; }

    /// <summary>Whether bulk copies may use it: a fence has followed its making.</summary>
    public bool IsFenced { get; set; }

    /// <summary>Copies in flight that will tell it their bytes.</summary>
    public List<BulkCopy> Copies { get; } = [];

    /// <summary>What those know who arrive in this phase, and what they knew who arrived in the last.</summary>
    public uint[]? Known, KnownBefore;

    /// <summary>Whether one of those knows that the launch before this one has ended.</summary>
    public bool KnowsGrid, KnewGrid;

    /// <summary>Whether a phase of that parity is not under way: it has ended, or has not begun since the one before it ended.</summary>
    public bool HasEnded(ulong parity) => ((ulong)Phases & 1) != (parity & 1);

    /// <summary>Ends the phase.</summary>
    public void Advance()
    {
        Phases++;
        Pending = count;
        KnownBefore = Known;
        Known = null;
        KnewGrid |= KnowsGrid;
    }

    public override string ToString() =>
        $"the mbarrier at 0x{address:x}, in whose phase {Phases} {count - Pending} of {count} have arrived and "
        + (Bytes >= 0 ? $"{Bytes} expected bytes are missing" : $"{-Bytes} bytes more have come than were expected");
}
