using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>The bank against docs/model/memory.md#bank and docs/model/interactive.md#bank, written down frame by frame.</summary>
public sealed class MemoryBankTests
{
    [Theory]
    [InlineData(5, 5)]
    [InlineData(5, 3)]
    [InlineData(5, 1)]
    [InlineData(2, 2)]
    [InlineData(1, 1)]
    public void Every_frame_of_a_stream_attends_to_the_frames_that_the_specification_lists(int capacity, int conditioned)
    {
        SlotPool memoryPool = new("memories", 100), pointerPool = new("pointers", 100);
        // Another object takes slots in between.
        var bank = new Bank(capacity, memoryPool, pointerPool);
        var other = new Bank(1, memoryPool, pointerPool);
        for (int t = 0; t < 60; t++)
        {
            bool tracked = t >= conditioned;
            if (tracked)
            {
                bank.Select(t, reverse: false, settled: true);
                Assert.Equal(ExpectedMemories(t, conditioned), bank.Memories);
                Assert.Equal(ExpectedPointers(t, conditioned), bank.Pointers);
            }
            bank.Keep(t, prompted: !tracked);
            other.Keep(t, prompted: t == 0);
        }
        int most = MemoryBank.MemorySlots(capacity) + MemoryBank.MemorySlots(1);
        Assert.InRange(memoryPool.Made, conditioned + 6 + 1 + 6, most);
        Assert.InRange(pointerPool.Made, conditioned + 15 + 1 + 15, MemoryBank.PointerSlots(capacity) + MemoryBank.PointerSlots(1));
    }

    /// <summary>Corrections on the newest frame of a stream that forgets: as if everything were kept.</summary>
    [Theory]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    [InlineData(8, 3)]
    [InlineData(8, 4)]
    public void A_stream_that_forgets_attends_to_what_one_that_keeps_all_attends_to(int capacity, int seed)
    {
        var random = new Random(seed);
        var memories = new SlotPool("memories", MemoryBank.MemorySlots(capacity));
        var pointers = new SlotPool("pointers", MemoryBank.PointerSlots(capacity));
        var bank = new Bank(capacity, memories, pointers);
        SlotPool all = new("all memories", 1000), allPointers = new("all pointers", 1000);
        var keeper = new Bank(capacity, all, allPointers) { Forgets = false };
        for (int t = 0; t < 200; t++)
        {
            if (t > 0)
            {
                Same(t, settled: true);
                if (random.Next(10) == 0)
                {
                    // The frame fails, and is pushed again behind a correction of the one before.
                    bank.Write(-1);
                    Same(t - 1, settled: false);
                    Prompt(t - 1);
                    Same(t, settled: true);
                }
            }
            bank.Keep(t, prompted: t == 0);
            keeper.Keep(t, prompted: t == 0);
            for (int clicks = random.Next(4) == 0 ? random.Next(1, 4) : 0; clicks > 0; clicks--)
            {
                if (t > 0) Same(t, settled: false);
                Prompt(t);
            }
        }
        bank.Dispose();
        Assert.Equal((0, 0), (memories.Taken, pointers.Taken));

        void Prompt(int t)
        {
            bank.Prompt(t);
            keeper.Prompt(t);
        }

        void Same(int t, bool settled)
        {
            bank.Select(t, reverse: false, settled);
            keeper.Select(t, reverse: false, settled);
            Assert.Equal(keeper.Memories, bank.Memories);
            Assert.Equal(keeper.Pointers, bank.Pointers);
        }
    }

    /// <summary>Prompts anywhere, tracking to and fro, against the rule of docs/model/interactive.md#bank.</summary>
    [Theory]
    [InlineData(2, 11)]
    [InlineData(4, 12)]
    [InlineData(16, 13)]
    public void A_recorded_video_follows_the_rule_in_both_directions(int capacity, int seed)
    {
        const int frames = 40;
        var random = new Random(seed);
        var bank = new Bank(capacity, new SlotPool("memories", 1000), new SlotPool("pointers", 1000)) { Forgets = false };
        var conditioning = new List<int>();
        var known = new HashSet<int>();
        for (int step = 0; step < 400; step++)
        {
            int t = random.Next(frames);
            bool reverse = random.Next(2) == 0;
            if (conditioning.Count > 0)
            {
                bank.Select(t, reverse, settled: false);
                (List<(int, int)> memories, List<int> pointers) = Rule(conditioning, known, t, reverse, capacity);
                Assert.Equal(memories, bank.Memories);
                Assert.Equal(pointers, bank.Pointers);
            }
            if (random.Next(20) == 0 && conditioning.Count < 16)
            {
                bank.Prompt(t);
                bank.Settle();
                if (!conditioning.Contains(t)) conditioning.Add(t);
                known.Add(t);
            }
            else if (conditioning.Count > 0 && !conditioning.Contains(t))
            {
                bank.Track(t);
                known.Add(t);
            }
        }
        Assert.True(conditioning.Count > Math.Min(capacity, 10));
    }

    [Fact]
    public void Who_leaves_makes_room_for_others()
    {
        List<int> grown = [];
        SlotPool memories = new("memories", 10, grown.Add), pointers = new("pointers", 100);
        var first = new Bank(2, memories, pointers);
        for (int t = 0; t < 30; t++) first.Keep(t, prompted: t < 2);
        int taken = memories.Taken;
        Assert.InRange(taken, 8, 10);
        var second = new Bank(2, memories, pointers);
        DeviceMemoryException full = Assert.Throws<DeviceMemoryException>(() =>
        {
            for (int t = 0; t < 10; t++) second.Keep(t, prompted: t < 2);
        });
        Assert.Contains("All 10 slots for memories", full.Message, StringComparison.Ordinal);
        first.Dispose();
        second.Dispose();
        second.Dispose();
        Assert.Equal((0, 0, 10), (memories.Taken, pointers.Taken, memories.Made));
        Assert.Equal(Enumerable.Range(1, 10), grown);
    }

    private static IEnumerable<(int Frame, int Time)> ExpectedMemories(int t, int conditioned)
    {
        for (int i = 0; i < conditioned; i++) yield return (i, 6);
        for (int d = 6; d >= 1; d--)
            if (t - d >= conditioned) yield return (t - d, d - 1);
    }

    private static IEnumerable<int> ExpectedPointers(int t, int conditioned)
    {
        for (int i = 0; i < conditioned; i++) yield return i;
        for (int d = 1; d <= 15; d++)
            if (t - d >= conditioned) yield return t - d;
    }

    private static (List<(int, int)> Memories, List<int> Pointers) Rule(List<int> conditioning, HashSet<int> known, int t, bool reverse,
        int capacity)
    {
        List<int> selected = [.. conditioning];
        if (conditioning.Count > capacity)
        {
            selected = [];
            if (conditioning.Exists(c => c < t)) selected.Add(conditioning.Where(c => c < t).Max());
            if (selected.Count < capacity && conditioning.Exists(c => c >= t)) selected.Add(conditioning.Where(c => c >= t).Min());
            foreach (int c in conditioning.Where(c => !selected.Contains(c)).OrderBy(c => Math.Abs(c - t)).ToArray())
                if (selected.Count < capacity) selected.Add(c);
        }
        selected.Sort();
        int step = reverse ? 1 : -1;
        bool Near(int f) => known.Contains(f) && !selected.Contains(f);
        List<(int, int)> memories = [.. selected.Select(c => (c, 6))];
        for (int d = 6; d >= 1; d--)
            if (Near(t + step * d)) memories.Add((t + step * d, d - 1));
        List<int> pointers = [.. selected.Where(c => reverse ? c >= t : c <= t)];
        for (int d = 1; d <= 15; d++)
            if (Near(t + step * d)) pointers.Add(t + step * d);
        return (memories, pointers);
    }

    /// <summary>A bank whose slots hold the number of the frame that wrote them, so that what is read is what was written.</summary>
    private sealed class Bank(int capacity, SlotPool memoryPool, SlotPool pointerPool) : IDisposable
    {
        // What all banks of a pool wrote.
        private static readonly Dictionary<(SlotPool, int), (Bank, int)> Written = [];
        private readonly MemoryBank _bank = new(capacity, memoryPool, pointerPool);

        public bool Forgets { get; init; } = true;

        public List<(int Frame, int Time)> Memories { get; } = [];

        public List<int> Pointers { get; } = [];

        public void Write(int t)
        {
            (int memory, int pointer) = _bank.Next();
            Written[(memoryPool, memory)] = Written[(pointerPool, pointer)] = (this, t);
        }

        public void Keep(int t, bool prompted)
        {
            Write(t);
            _bank.Settle();
            if (prompted) _bank.KeepPrompted(t);
            else _bank.KeepTracked(t);
            if (Forgets) _bank.Forget(t);
        }

        public void Prompt(int t)
        {
            Write(t);
            _bank.KeepPrompted(t);
        }

        public void Track(int t)
        {
            Write(t);
            _bank.KeepTracked(t);
        }

        public void Settle() => _bank.Settle();

        public void Select(int t, bool reverse, bool settled)
        {
            var memories = new int[MemoryBank.MaxMemories(capacity)];
            var times = new int[memories.Length];
            var pointers = new int[MemoryBank.MaxPointers(capacity)];
            (int count, int pointerCount) = _bank.Select(t, reverse, settled, memories, times, pointers);
            Memories.Clear();
            Pointers.Clear();
            for (int i = 0; i < count; i++) Memories.Add((Read(memoryPool, memories[i]), times[i]));
            for (int i = 0; i < pointerCount; i++) Pointers.Add(Read(pointerPool, pointers[i]));
            Assert.Equal(_bank.Memories, Memories.Select(m => (long)m.Frame));
            Assert.Equal(_bank.Pointers, Pointers.Select(p => (long)p));
            // A frame that fails has written where no frame reads before the slot is written again.
            (int next, int nextPointer) = _bank.Next();
            Assert.DoesNotContain(next, memories[..count]);
            Assert.DoesNotContain(nextPointer, pointers[..pointerCount]);
        }

        public void Dispose() => _bank.Dispose();

        private int Read(SlotPool pool, int slot)
        {
            (Bank owner, int frame) = Written[(pool, slot)];
            Assert.Same(this, owner);
            return frame;
        }
    }
}
