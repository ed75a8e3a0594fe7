using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Bookkeeping of one object's past (docs/model/memory.md#bank): which slots of the pools a frame attends to, in what order, and which it
/// then overwrites. Conditioning frames stay for ever; tracked ones live in two rings, so a stream of any length needs the same memory.
/// A ring has one slot more than a frame reads: what a frame overwrites it does not read, so a frame that fails can be given up, or run
/// again. Slots are taken when they are first written.
/// </summary>
internal sealed class MemoryBank : IDisposable
{
    /// <summary>Tracked memories that a frame can see.</summary>
    public const int TrackedMemories = 6;

    /// <summary>Tracked pointers that a frame can see.</summary>
    public const int TrackedPointers = 15;

    /// <summary>Time codes: 0…5 for a distance of 1…6 frames, 6 for conditioning frames.</summary>
    public const int TimeCodes = 7;

    private const int ConditioningTime = 6, MemoryRing = TrackedMemories + 1, PointerRing = TrackedPointers + 1;
    private const int NotTaken = -1;
    private readonly int _capacity;
    private readonly SlotPool _memoryPool, _pointerPool;
    private readonly int[] _memories, _pointers;

    /// <param name="conditioningFrames">Most conditioning frames, at least 1.</param>
    /// <param name="memories">Where slots of memories come from.</param>
    /// <param name="pointers">Where slots of pointers come from.</param>
    public MemoryBank(int conditioningFrames, SlotPool memories, SlotPool pointers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(conditioningFrames, 1);
        (_capacity, _memoryPool, _pointerPool) = (conditioningFrames, memories, pointers);
        (_memories, _pointers) = (new int[MemorySlots(conditioningFrames)], new int[PointerSlots(conditioningFrames)]);
        Array.Fill(_memories, NotTaken);
        Array.Fill(_pointers, NotTaken);
    }

    /// <summary>A bank that nobody disposed.</summary>
    ~MemoryBank() => ReturnAll();

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
    /// <exception cref="DeviceException">There is no slot to be had.</exception>
    public int NextMemorySlot(bool tracked) =>
        SlotAt(_memories, tracked ? _capacity + (int)(Tracked % MemoryRing) : Conditioned, _memoryPool);

    /// <summary>Pointer slot that the next frame writes, and does not read.</summary>
    /// <param name="tracked">False for a conditioning frame.</param>
    /// <exception cref="DeviceException">There is no slot to be had.</exception>
    public int NextPointerSlot(bool tracked) =>
        SlotAt(_pointers, tracked ? _capacity + (int)(Tracked % PointerRing) : Conditioned, _pointerPool);

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
            (memories[i], pointers[i]) = (_memories[i], _pointers[i]);
            times[i] = ConditioningTime;
        }
        for (int i = Conditioned; i < Memories; i++)
        {
            int distance = Memories - i;
            memories[i] = _memories[_capacity + (int)((Tracked - distance) % MemoryRing)];
            times[i] = distance - 1;
        }
        for (int i = Conditioned; i < Pointers; i++)
        {
            int distance = i - Conditioned + 1;
            pointers[i] = _pointers[_capacity + (int)((Tracked - distance) % PointerRing)];
        }
    }

    /// <summary>Counts a frame whose memory and pointer have been written.</summary>
    /// <param name="tracked">False for a conditioning frame.</param>
    public void Advance(bool tracked)
    {
        if (tracked) Tracked++;
        else Conditioned++;
    }

    /// <summary>Gives all slots back: the object has left.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        ReturnAll();
    }

    private void ReturnAll()
    {
        Return(_memories, _memoryPool);
        Return(_pointers, _pointerPool);
        (Conditioned, Tracked) = (0, 0);
    }

    private static int SlotAt(int[] slots, int place, SlotPool pool) =>
        slots[place] == NotTaken ? slots[place] = pool.Take() : slots[place];

    private static void Return(int[] slots, SlotPool pool)
    {
        foreach (ref int slot in slots.AsSpan())
        {
            if (slot != NotTaken) pool.Return(slot);
            slot = NotTaken;
        }
    }
}
