namespace Sa2VA.Models;

/// <summary>
/// Bookkeeping of one object's past (docs/model/memory.md#bank): which slots of the bank a frame attends to, in what order, and which slots
/// it then overwrites. Conditioning frames stay for ever; tracked ones live in two rings, so a stream of any length needs the same memory.
/// A ring has one slot more than a frame reads: what a frame overwrites it does not read, so a frame that fails can be given up, or run
/// again.
/// </summary>
internal sealed class MemoryBank
{
    /// <summary>Tracked memories that a frame can see.</summary>
    public const int TrackedMemories = 6;

    /// <summary>Tracked pointers that a frame can see.</summary>
    public const int TrackedPointers = 15;

    /// <summary>Time codes: 0…5 for a distance of 1…6 frames, 6 for conditioning frames.</summary>
    public const int TimeCodes = 7;

    private const int ConditioningTime = 6, MemoryRing = TrackedMemories + 1, PointerRing = TrackedPointers + 1;
    private readonly int _capacity;

    /// <param name="conditioningFrames">Most conditioning frames, at least 1.</param>
    public MemoryBank(int conditioningFrames)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(conditioningFrames, 1);
        _capacity = conditioningFrames;
    }

    /// <summary>Memory slots needed for a number of conditioning frames.</summary>
    public static int MemorySlots(int conditioningFrames) => conditioningFrames + MemoryRing;

    /// <summary>Pointer slots needed for a number of conditioning frames.</summary>
    public static int PointerSlots(int conditioningFrames) => conditioningFrames + PointerRing;

    /// <summary>Most memories that a frame reads.</summary>
    public static int MaxMemories(int conditioningFrames) => conditioningFrames + TrackedMemories;

    /// <summary>Most pointers that a frame reads.</summary>
    public static int MaxPointers(int conditioningFrames) => conditioningFrames + TrackedPointers;

    /// <summary>Conditioning frames so far.</summary>
    public int Conditioned { get; private set; }

    /// <summary>Tracked frames so far.</summary>
    public long Tracked { get; private set; }

    /// <summary>Memories that the next tracked frame attends to.</summary>
    public int Memories => Conditioned + (int)Math.Min(TrackedMemories, Tracked);

    /// <summary>Pointers that the next tracked frame attends to.</summary>
    public int Pointers => Conditioned + (int)Math.Min(TrackedPointers, Tracked);

    /// <summary>True while a conditioning frame can be added: all of them come before the first tracked one.</summary>
    public bool AcceptsConditioning => Tracked == 0 && Conditioned < _capacity;

    /// <summary>Memory slot that the next frame writes, and does not read.</summary>
    /// <param name="tracked">False for a conditioning frame.</param>
    public int NextMemorySlot(bool tracked) => tracked ? _capacity + (int)(Tracked % MemoryRing) : Conditioned;

    /// <summary>Pointer slot that the next frame writes, and does not read.</summary>
    /// <param name="tracked">False for a conditioning frame.</param>
    public int NextPointerSlot(bool tracked) => tracked ? _capacity + (int)(Tracked % PointerRing) : Conditioned;

    /// <summary>
    /// Lists what the next tracked frame attends to, in upstream's order: memories oldest first, tracked pointers newest first.
    /// </summary>
    /// <param name="memories">Receives <see cref="Memories"/> slots.</param>
    /// <param name="times">Receives each memory's time code.</param>
    /// <param name="pointers">Receives <see cref="Pointers"/> slots.</param>
    public void Select(Span<int> memories, Span<int> times, Span<int> pointers)
    {
        for (int i = 0; i < Conditioned; i++)
        {
            memories[i] = pointers[i] = i;
            times[i] = ConditioningTime;
        }
        for (int i = Conditioned; i < Memories; i++)
        {
            int distance = Memories - i;
            memories[i] = _capacity + (int)((Tracked - distance) % MemoryRing);
            times[i] = distance - 1;
        }
        for (int i = Conditioned; i < Pointers; i++)
        {
            int distance = i - Conditioned + 1;
            pointers[i] = _capacity + (int)((Tracked - distance) % PointerRing);
        }
    }

    /// <summary>Counts a frame whose memory and pointer have been written.</summary>
    /// <param name="tracked">False for a conditioning frame.</param>
    public void Advance(bool tracked)
    {
        if (tracked) Tracked++;
        else Conditioned++;
    }
}
