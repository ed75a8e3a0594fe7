using Sa2VA.Core;

namespace Sa2VA.Models;

/// <summary>
/// Bookkeeping of one object's past (docs/model/memory.md#bank): which frames it remembers, in which slots of the pools, and what a frame
/// attends to, in what order. Conditioning frames were prompted; the others were tracked. A prompt's memory counts from the next frame on
/// (<see cref="Settle"/>): who is prompted again on the same frame does not see it. What a frame writes is in slots that none reads until
/// it is kept, so a frame that fails can be given up, or run again.
/// </summary>
internal sealed class MemoryBank : IDisposable
{
    /// <summary>Tracked memories that a frame can see.</summary>
    public const int TrackedMemories = 6;

    /// <summary>Tracked pointers that a frame can see.</summary>
    public const int TrackedPointers = 15;

    /// <summary>Time codes: 0…5 for a distance of 1…6 frames, 6 for conditioning frames.</summary>
    public const int TimeCodes = 7;

    private const int ConditioningTime = 6, NotTaken = -1;

    // A prompt's beside the frame's own and the next one's.
    private const int Unsettled = 3;
    private readonly int _capacity;
    private readonly SlotPool _memoryPool, _pointerPool;
    private readonly Dictionary<long, Slots> _frames = [];
    private readonly List<long> _conditioning = [], _selected = [], _memories = [], _pointers = [];
    private readonly List<int> _times = [];
    private readonly List<(long Frame, Slots Slots)> _prompted = [];
    private Slots _next = Slots.None;
    private int _expects;

    /// <param name="conditioningFrames">Most conditioning frames that a frame attends to, at least 1.</param>
    /// <param name="memories">Where slots of memories come from.</param>
    /// <param name="pointers">Where slots of pointers come from.</param>
    public MemoryBank(int conditioningFrames, SlotPool memories, SlotPool pointers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(conditioningFrames, 1);
        (_capacity, _memoryPool, _pointerPool) = (conditioningFrames, memories, pointers);
        Expect(1);
    }

    /// <summary>A bank that nobody disposed.</summary>
    ~MemoryBank() => ReturnAll();

    /// <summary>Most memory slots that an object of a stream has, for a number of conditioning frames.</summary>
    public static int MemorySlots(int conditioningFrames) => conditioningFrames + TrackedMemories + Unsettled;

    /// <summary>Most pointer slots that an object of a stream has, for a number of conditioning frames.</summary>
    public static int PointerSlots(int conditioningFrames) => conditioningFrames + TrackedPointers + Unsettled;

    /// <summary>Most memories that a frame reads.</summary>
    public static int MaxMemories(int conditioningFrames) => conditioningFrames + TrackedMemories;

    /// <summary>Most pointers that a frame reads.</summary>
    public static int MaxPointers(int conditioningFrames) => conditioningFrames + TrackedPointers;

    /// <summary>True if nothing is remembered, settled or not.</summary>
    public bool IsEmpty => _frames.Count == 0 && _prompted.Count == 0;

    /// <summary>The frames whose memories the latest <see cref="Select"/> chose, in order.</summary>
    public IReadOnlyList<long> Memories => _memories;

    /// <summary>The time codes of these memories.</summary>
    public IReadOnlyList<int> Times => _times;

    /// <summary>The frames whose pointers the latest <see cref="Select"/> chose, in order.</summary>
    public IReadOnlyList<long> Pointers => _pointers;

    /// <summary>Prompted frames whose memories do not count yet, in the order of their first prompts.</summary>
    public IEnumerable<long> Prompted => _prompted.Select(p => p.Frame);

    /// <summary>True if a frame was prompted and that counts.</summary>
    public bool IsConditioning(long frame) => _conditioning.Contains(frame);

    /// <summary>Slots that the next frame writes, and none reads; they are taken when first asked for.</summary>
    /// <exception cref="DeviceMemoryException">There is no slot to be had.</exception>
    public (int Memory, int Pointer) Next()
    {
        if (_next.Memory == NotTaken) _next = _next with { Memory = _memoryPool.Take() };
        if (_next.Pointer == NotTaken) _next = _next with { Pointer = _pointerPool.Take() };
        return (_next.Memory, _next.Pointer);
    }

    /// <summary>Remembers what a tracked frame wrote; what was remembered of it is forgotten.</summary>
    public void KeepTracked(long frame)
    {
        if (_frames.Remove(frame, out Slots old)) Return(old);
        _frames[frame] = TakeNext();
    }

    /// <summary>
    /// Remembers what a prompt on a frame wrote, in place of an earlier prompt's on it, once <see cref="Settle"/> is called.
    /// </summary>
    public void KeepPrompted(long frame)
    {
        int index = IndexOfPrompted(frame);
        if (index < 0) _prompted.Add((frame, TakeNext()));
        else
        {
            Return(_prompted[index].Slots);
            _prompted[index] = (frame, TakeNext());
        }
    }

    /// <summary>Has prompts count: their frames become conditioning frames. A frame that was one keeps its place.</summary>
    public void Settle()
    {
        foreach ((long frame, Slots slots) in _prompted)
        {
            if (_frames.Remove(frame, out Slots old)) Return(old);
            _frames[frame] = slots;
            if (!_conditioning.Contains(frame)) _conditioning.Add(frame);
        }
        _prompted.Clear();
    }

    /// <summary>
    /// Forgets what no frame behind the newest one, and no prompt on that, can attend to: a stream of any length needs the same memory.
    /// Of conditioning frames the latest stay; an earlier one counts as tracked from now on.
    /// </summary>
    public void Forget(long newest)
    {
        while (_conditioning.Count > _capacity)
        {
            int oldest = 0;
            for (int i = 1; i < _conditioning.Count; i++)
                if (_conditioning[i] < _conditioning[oldest]) oldest = i;
            _conditioning.RemoveAt(oldest);
        }
        foreach ((long frame, Slots slots) in _frames)
        {
            if (_conditioning.Contains(frame)) continue;
            if (newest - frame > TrackedPointers)
            {
                Return(slots);
                _frames.Remove(frame);
            }
            else if (newest - frame > TrackedMemories && slots.Memory != NotTaken)
            {
                _memoryPool.Return(slots.Memory);
                _frames[frame] = slots with { Memory = NotTaken };
            }
        }
    }

    /// <summary>
    /// Forgets tracked frames that neither what follows in a recorded video attends to, nor what will follow its start: a video of any
    /// length needs the same memory. Conditioning frames stay.
    /// </summary>
    /// <param name="frame">The frame that was tracked last.</param>
    /// <param name="reverse">True if the video runs backwards.</param>
    /// <param name="start">The frame behind which it will run forwards in the end.</param>
    public void ForgetTracked(long frame, bool reverse, long start)
    {
        foreach ((long known, Slots slots) in _frames)
        {
            if (_conditioning.Contains(known)) continue;
            long age = reverse ? known - frame : frame - known;
            // Going back, the frames up to the start are those that going on from there looks at.
            if (reverse && known <= start) age = Math.Min(age, start - known);
            if (age > TrackedPointers)
            {
                Return(slots);
                _frames.Remove(known);
            }
            else if (age > TrackedMemories && slots.Memory != NotTaken)
            {
                _memoryPool.Return(slots.Memory);
                _frames[known] = slots with { Memory = NotTaken };
            }
        }
    }

    /// <summary>
    /// Chooses what a frame attends to: conditioning frames by number, all or the nearest; then memories of the frames next to it, the
    /// furthest first, and pointers, the nearest first.
    /// </summary>
    /// <param name="frame">The frame.</param>
    /// <param name="reverse">True if the video runs backwards: then what follows is the past.</param>
    /// <param name="settled">True to count prompts that are not settled yet as if they were.</param>
    /// <param name="memories">Receives slots.</param>
    /// <param name="times">Receives each memory's time code.</param>
    /// <param name="pointers">Receives slots.</param>
    /// <returns>How many of both.</returns>
    public (int Memories, int Pointers) Select(long frame, bool reverse, bool settled, Span<int> memories, Span<int> times,
        Span<int> pointers)
    {
        int step = reverse ? 1 : -1;
        SelectConditioning(frame, settled);
        _memories.Clear();
        _times.Clear();
        _pointers.Clear();
        foreach (long c in _selected)
        {
            Slots slots = Find(c, settled);
            Remember(c, slots.Memory, ConditioningTime, memories, times);
            // Pointers only of the past side.
            if (reverse ? c < frame : c > frame) continue;
            pointers[_pointers.Count] = slots.Pointer;
            _pointers.Add(c);
        }
        for (int d = TrackedMemories; d >= 1; d--)
        {
            long near = frame + step * d;
            if (_selected.Contains(near) || Find(near, settled).Memory is not (>= 0 and int slot)) continue;
            Remember(near, slot, d - 1, memories, times);
        }
        for (int d = 1; d <= TrackedPointers; d++)
        {
            long near = frame + step * d;
            if (_selected.Contains(near) || Find(near, settled).Pointer is not (>= 0 and int slot)) continue;
            pointers[_pointers.Count] = slot;
            _pointers.Add(near);
        }
        return (_memories.Count, _pointers.Count);
    }

    /// <summary>
    /// All that is remembered: conditioning frames in the order of their prompts, tracked ones, prompts that do not count yet.
    /// </summary>
    public IEnumerable<RememberedFrame> Frames
    {
        get
        {
            foreach (long frame in _conditioning) yield return Of(frame, FrameRole.Conditioning, _frames[frame]);
            foreach ((long frame, Slots slots) in _frames)
                if (!_conditioning.Contains(frame)) yield return Of(frame, FrameRole.Tracked, slots);
            foreach ((long frame, Slots slots) in _prompted) yield return Of(frame, FrameRole.Prompted, slots);

            static RememberedFrame Of(long frame, FrameRole role, Slots slots) => new(frame, role, slots.Memory, slots.Pointer);
        }
    }

    /// <summary>Remembers a frame anew, in slots that are taken for it; in the order of <see cref="Frames"/>.</summary>
    /// <param name="frame">Its number.</param>
    /// <param name="role">Why it is remembered.</param>
    /// <param name="memory">False if only its pointer is remembered still.</param>
    /// <returns>Where what it wrote belongs.</returns>
    /// <exception cref="DeviceMemoryException">There is no slot to be had.</exception>
    public RememberedFrame Restore(long frame, FrameRole role, bool memory)
    {
        Slots slots = memory ? TakeNext() : new Slots(NotTaken, _pointerPool.Take());
        if (role == FrameRole.Prompted) _prompted.Add((frame, slots));
        else _frames[frame] = slots;
        if (role == FrameRole.Conditioning) _conditioning.Add(frame);
        return new RememberedFrame(frame, role, slots.Memory, slots.Pointer);
    }

    /// <summary>The slot that a frame's memory is in, as it counts or will; −1 if it is not remembered.</summary>
    public int MemoryOf(long frame) => Find(frame, settled: true).Memory;

    /// <summary>Gives all slots back: the object has left.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        ReturnAll();
    }

    /// <summary>
    /// The conditioning frames that a frame attends to, by number: all if they are few enough; else the nearest before it, the nearest at
    /// or behind it, and then whichever are nearest.
    /// </summary>
    private void SelectConditioning(long frame, bool settled)
    {
        _selected.Clear();
        _selected.AddRange(_conditioning);
        if (settled)
            foreach ((long prompted, _) in _prompted)
                if (!_selected.Contains(prompted)) _selected.Add(prompted);
        int known = _selected.Count, chosen = 0;
        if (known > _capacity)
        {
            Choose(before: true, behind: false);
            Choose(before: false, behind: true);
            while (chosen < _capacity) Choose(before: true, behind: true);
            _selected.RemoveRange(chosen, known - chosen);
        }
        _selected.Sort();

        // Moves the nearest of a side to the chosen ones; of equally near ones that which was prompted first.
        void Choose(bool before, bool behind)
        {
            if (chosen == _capacity) return;
            int best = -1;
            for (int i = chosen; i < known; i++)
            {
                if (!(_selected[i] < frame ? before : behind)) continue;
                if (best < 0 || Math.Abs(_selected[i] - frame) < Math.Abs(_selected[best] - frame)) best = i;
            }
            if (best < 0) return;
            long nearest = _selected[best];
            _selected.RemoveAt(best);
            _selected.Insert(chosen++, nearest);
        }
    }

    private void Remember(long frame, int slot, int time, Span<int> memories, Span<int> times)
    {
        (memories[_memories.Count], times[_memories.Count]) = (slot, time);
        _memories.Add(frame);
        _times.Add(time);
    }

    private Slots Find(long frame, bool settled)
    {
        if (settled && IndexOfPrompted(frame) is >= 0 and int index) return _prompted[index].Slots;
        return _frames.TryGetValue(frame, out Slots slots) ? slots : Slots.None;
    }

    private int IndexOfPrompted(long frame)
    {
        for (int i = 0; i < _prompted.Count; i++)
            if (_prompted[i].Frame == frame) return i;
        return -1;
    }

    private Slots TakeNext()
    {
        Next();
        Slots taken = _next;
        _next = Slots.None;
        return taken;
    }

    private void ReturnAll()
    {
        foreach (Slots slots in _frames.Values) Return(slots);
        foreach ((_, Slots slots) in _prompted) Return(slots);
        Return(_next);
        _frames.Clear();
        _prompted.Clear();
        _conditioning.Clear();
        _next = Slots.None;
        Expect(-_expects);
    }

    /// <summary>Tells the pools of an object's slots, before it comes or once it has left.</summary>
    private void Expect(int objects)
    {
        if (objects == 0) return;
        _expects += objects;
        _memoryPool.Expect(objects * MemorySlots(_capacity));
        _pointerPool.Expect(objects * PointerSlots(_capacity));
    }

    private void Return(Slots slots)
    {
        if (slots.Memory != NotTaken) _memoryPool.Return(slots.Memory);
        if (slots.Pointer != NotTaken) _pointerPool.Return(slots.Pointer);
    }

    private readonly record struct Slots(int Memory, int Pointer)
    {
        public static Slots None => new(NotTaken, NotTaken);
    }
}

/// <summary>Why a frame is remembered.</summary>
internal enum FrameRole
{
    /// <summary>It was prompted.</summary>
    Conditioning,
    /// <summary>It was tracked; or prompted, so long ago that it counts as tracked.</summary>
    Tracked,
    /// <summary>It was prompted, which counts from the next frame on.</summary>
    Prompted,
}

/// <summary>A frame that is remembered.</summary>
/// <param name="Frame">Its number.</param>
/// <param name="Role">Why.</param>
/// <param name="Memory">Slot of its memory; −1 if only its pointer is remembered still.</param>
/// <param name="Pointer">Slot of its pointer.</param>
internal readonly record struct RememberedFrame(long Frame, FrameRole Role, int Memory, int Pointer);
