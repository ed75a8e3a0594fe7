using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Slots of memory that objects share: taken as they are needed, given back when an object leaves. Any thread may call any member.
/// </summary>
/// <param name="name">What the slots hold, for messages.</param>
/// <param name="capacity">How many there can be.</param>
/// <param name="grow">Told how many slots there are before a new one is taken; may refuse by throwing.</param>
internal sealed class SlotPool(string name, int capacity, Action<int>? grow = null)
{
    // Growing may wait for finalizers, and those give slots back: they must not meet the lock that it is under.
    private readonly Lock _taking = new(), _lock = new();
    private readonly Stack<int> _free = [];
    private int _made, _expected;

    /// <summary>How many there can be.</summary>
    public int Capacity => capacity;

    /// <summary>How many were ever taken at a time.</summary>
    public int Made => Volatile.Read(ref _made);

    /// <summary>How many more there will have to be, once all that are expected are taken.</summary>
    public int Missing => Math.Max(0, Math.Min(Volatile.Read(ref _expected), capacity) - Made);

    /// <summary>How many are taken now.</summary>
    public int Taken
    {
        get
        {
            lock (_lock) return _made - _free.Count;
        }
    }

    /// <summary>Somebody comes who may take so many, or leaves: then it is less than 0.</summary>
    public void Expect(int count) => Interlocked.Add(ref _expected, count);

    /// <summary>Takes a slot; what it holds is of somebody who left.</summary>
    /// <exception cref="DeviceMemoryException">All are taken, or the memory budget does not suffice.</exception>
    public int Take()
    {
        lock (_taking)
        {
            lock (_lock)
                if (_free.TryPop(out int slot)) return slot;
            if (_made == capacity)
                throw new DeviceMemoryException($"All {capacity} slots for {name} are taken. Close streams, or follow fewer objects.");
            grow?.Invoke(_made + 1);
            lock (_lock) return _made++;
        }
    }

    /// <summary>Gives a slot back.</summary>
    public void Return(int slot)
    {
        lock (_lock) _free.Push(slot);
    }
}
