using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>On a device that knows what it has free, what does not fit is refused before any of it is there, with sizes.</summary>
public sealed class MemoryRoomTests
{
    [Fact]
    public void A_model_that_does_not_fit_is_refused_before_anything_is_allocated()
    {
        long needed;
        using (Sa2VAModel model = Shapes.Load(new WatchedDevice { Free = long.MaxValue })) needed = model.MemoryInfo.Total;
        var small = new WatchedDevice { Free = needed / 2 };
        int allocated = 0;
        small.Allocating = _ => allocated++;
        small.Compiling = _ => allocated++;
        string message = Assert.Throws<DeviceMemoryException>(() => Shapes.Load(small)).Message;
        Assert.Matches(@"^'sa2va-tiny-shapes' \(weights [0-9.]+ MB, .* needs [0-9.]+ MB on .*; [0-9.]+ MB can be had there\. Close",
            message);
        Assert.Equal(0, allocated);
        small.Free = needed * 5 / 4;
        Shapes.Load(small).Dispose();
        Assert.NotEqual(0, allocated);
    }

    /// <summary>Room for so many tokens is a promise; the usual room, of which nobody needs all, is not.</summary>
    [Fact]
    public void Tokens_that_are_asked_for_must_fit()
    {
        long needed;
        using (Sa2VAModel model = Shapes.Load(new WatchedDevice { Free = long.MaxValue })) needed = model.MemoryInfo.Total;
        var device = new WatchedDevice { Free = needed * 5 / 4 };
        string message = Assert.Throws<DeviceMemoryException>(
            () => Shapes.Load(device, new ModelOptions { MaxTokens = 1 << 20 })).Message;
        Assert.Contains("keys and values of 1048576 tokens", message, StringComparison.Ordinal);
        Shapes.Load(device, new ModelOptions { MaxTokens = 256 }).Dispose();
    }

    [Fact]
    public void A_conversation_that_does_not_fit_takes_no_page_of_any_layer()
    {
        var device = new WatchedDevice { Free = long.MaxValue };
        using Sa2VAModel model = Shapes.Load(device);
        using ChatSession session = model.OpenText();
        device.Free = 100;
        string message = Assert.Throws<DeviceMemoryException>(() => session.Ask("What is red?")).Message;
        Assert.Contains("Keys and values of 128 more tokens needs", message, StringComparison.Ordinal);
        Assert.Equal(0, model.LanguageModel.Pages.CommittedBytes);
        device.Free = long.MaxValue;
        Assert.NotEmpty(session.Ask("What is red?").Text);
        Assert.NotEqual(0, model.LanguageModel.Pages.CommittedBytes);
    }

    /// <summary>Objects that are followed already have not taken all that they will.</summary>
    [Fact]
    public void An_object_too_many_is_refused_when_it_comes()
    {
        var device = new WatchedDevice { Free = long.MaxValue };
        using Sa2VAModel model = Shapes.Load(device);
        SegmentationModel segmentation = model.Segmentation;
        BankStore banks = segmentation.Banks;
        long each = MemoryBank.MemorySlots(segmentation.ConditioningFrames) * (long)banks.Memories.Shape.Last * sizeof(ushort)
            + MemoryBank.PointerSlots(segmentation.ConditioningFrames) * (long)banks.Pointers.Shape.Last * sizeof(float);
        device.Free = 2 * each;
        var first = new ObjectMemory(segmentation);
        using var second = new ObjectMemory(segmentation);
        for (int i = 0; i < 2; i++)
        {
            string message = Assert.Throws<DeviceMemoryException>(() => new ObjectMemory(segmentation)).Message;
            Assert.Contains("Follow fewer objects", message, StringComparison.Ordinal);
        }
        first.Dispose();
        first.Dispose();
        using var third = new ObjectMemory(segmentation);
        Assert.Throws<DeviceMemoryException>(() => new ObjectMemory(segmentation));
        device.Free = 3 * each;
        using var fourth = new ObjectMemory(segmentation);
    }
}
