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
        var bank = new MemoryBank(capacity);
        var memorySlots = new int[MemoryBank.MemorySlots(capacity)];
        var pointerSlots = new int[MemoryBank.PointerSlots(capacity)];
        var memories = new int[memorySlots.Length];
        var times = new int[memorySlots.Length];
        var pointers = new int[pointerSlots.Length];

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
        }
        Assert.Equal(conditioned + 6, bank.Memories);
        Assert.Equal(conditioned + 15, bank.Pointers);
    }

    [Fact]
    public void Conditioning_ends_with_the_first_tracked_frame_or_the_capacity()
    {
        var bank = new MemoryBank(2);
        Assert.True(bank.AcceptsConditioning);
        bank.Advance(tracked: false);
        Assert.True(bank.AcceptsConditioning);
        bank.Advance(tracked: false);
        Assert.False(bank.AcceptsConditioning);

        var early = new MemoryBank(5);
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
