using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>The bank against docs/model/memory.md#bank written down frame by frame, with real frame numbers kept in the slots.</summary>
public sealed class MemoryBankTests
{
    [Theory]
    [InlineData(5, 5)]
    [InlineData(5, 3)]
    [InlineData(5, 1)]
    [InlineData(2, 2)]
    [InlineData(1, 1)]
    public void Every_frame_attends_to_the_frames_that_the_specification_lists(int capacity, int conditioned)
    {
        SlotPool memoryPool = new("memories", 100), pointerPool = new("pointers", 100);
        // Another object takes slots in between.
        var bank = new MemoryBank(capacity, memoryPool, pointerPool);
        var other = new MemoryBank(1, memoryPool, pointerPool);
        var memorySlots = new int[memoryPool.Capacity];
        var pointerSlots = new int[pointerPool.Capacity];
        var memories = new int[MemoryBank.MaxMemories(capacity)];
        var times = new int[memories.Length];
        var pointers = new int[MemoryBank.MaxPointers(capacity)];

        for (int t = 0; t < 60; t++)
        {
            bool tracked = t >= conditioned;
            if (tracked)
            {
                bank.Select(memories, times, pointers);
                Assert.Equal(ExpectedMemories(t, conditioned),
                    memories[..bank.Memories].Select((slot, i) => (memorySlots[slot], times[i])));
                Assert.Equal(ExpectedPointers(t, conditioned), pointers[..bank.Pointers].Select(slot => pointerSlots[slot]));
                // A frame that fails has written where no frame reads before the slot is written again.
                Assert.DoesNotContain(bank.NextMemorySlot(tracked), memories[..bank.Memories]);
                Assert.DoesNotContain(bank.NextPointerSlot(tracked), pointers[..bank.Pointers]);
            }
            memorySlots[bank.NextMemorySlot(tracked)] = t;
            pointerSlots[bank.NextPointerSlot(tracked)] = t;
            bank.Advance(tracked);
            memorySlots[other.NextMemorySlot(t > 0)] = pointerSlots[other.NextPointerSlot(t > 0)] = 1000 + t;
            other.Advance(tracked: t > 0);
        }
        // As many as a frame reads, and one that it writes.
        Assert.Equal(Slots(conditioned, 6) + Slots(1, 6), memoryPool.Taken);
        Assert.Equal(Slots(conditioned, 15) + Slots(1, 15), pointerPool.Taken);
        Assert.Equal(conditioned + 6, bank.Memories);
        Assert.Equal(conditioned + 15, bank.Pointers);

        static int Slots(int conditioned, int tracked) => conditioned + tracked + 1;
    }

    [Fact]
    public void Who_leaves_makes_room_for_others()
    {
        List<int> grown = [];
        SlotPool memories = new("memories", 10, grown.Add), pointers = new("pointers", 100);
        var first = new MemoryBank(2, memories, pointers);
        for (int t = 0; t < 30; t++) Advance(first, t > 1);
        Assert.Equal((9, 18), (memories.Taken, pointers.Taken));
        var second = new MemoryBank(2, memories, pointers);
        Advance(second, false);
        Assert.Contains("All 10 slots for memories", Assert.Throws<DeviceException>(() => Advance(second, false)).Message,
            StringComparison.Ordinal);
        Assert.Equal(1, second.Conditioned);
        first.Dispose();
        Assert.Equal((1, 1), (memories.Taken, pointers.Taken));
        for (int t = 1; t < 30; t++) Advance(second, t > 1);
        Assert.Equal((9, 18), (memories.Taken, pointers.Taken));
        Assert.Equal(Enumerable.Range(1, 10), grown);
        second.Dispose();
        second.Dispose();
        Assert.Equal((0, 0, 10), (memories.Taken, pointers.Taken, memories.Made));

        static void Advance(MemoryBank bank, bool tracked)
        {
            (_, _) = (bank.NextMemorySlot(tracked), bank.NextPointerSlot(tracked));
            bank.Advance(tracked);
        }
    }

    [Fact]
    public void Conditioning_ends_with_the_first_tracked_frame_or_the_capacity()
    {
        SlotPool memories = new("memories", 20), pointers = new("pointers", 20);
        var bank = new MemoryBank(2, memories, pointers);
        Assert.True(bank.AcceptsConditioning);
        bank.Advance(tracked: false);
        Assert.True(bank.AcceptsConditioning);
        bank.Advance(tracked: false);
        Assert.False(bank.AcceptsConditioning);

        var early = new MemoryBank(5, memories, pointers);
        early.Advance(tracked: false);
        early.Advance(tracked: true);
        Assert.False(early.AcceptsConditioning);
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
}
