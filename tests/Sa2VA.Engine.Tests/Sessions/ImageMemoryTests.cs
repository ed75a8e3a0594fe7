using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>What questions about images hold: buffers for one object at a time, and none that only a stream needs.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class ImageMemoryTests
{
    [Theory]
    [InlineData("image-red-circle", 1)]
    [InlineData("image-three-seg", 3)]
    public void A_question_allocates_no_bank_and_no_buffers_per_object(string name, int objects)
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        using ImageSession session = model.OpenImage(Shapes.Image(Path.GetFileName(Shapes.Case(name).Image!)));
        var allocated = new List<string>();
        device.Allocating = allocated.Add;
        Assert.Equal(objects, session.Ask(Shapes.Case(name).Prompt).Objects.Count);
        IEnumerable<string> known =
        [
            "image tokens", "picture", "mask output", "frame", "frame features", "frame features /4", "frame features /8", "sparse prompt",
            "mask results",
            .. Enumerable.Repeat("seg vector", objects),
        ];
        Assert.Equal(known.Order(StringComparer.Ordinal),
            allocated.Where(n => !n.Contains("key", StringComparison.Ordinal) && !n.Contains("value", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal));
        // A second question finds everything there.
        allocated.Clear();
        long held = model.MemoryInfo.Buffers;
        session.Ask(Shapes.Case(name).Prompt);
        Assert.All(allocated, n => Assert.Equal("seg vector", n));
        Assert.Equal(held, model.MemoryInfo.Buffers);
    }

    [Fact]
    public void Pictures_of_many_sizes_leave_nothing_behind()
    {
        using Sa2VAModel model = Shapes.Load();
        long loaded = model.MemoryInfo.Buffers;
        // The most tiles, and so the longest prompt: plans for it stay.
        Ask(model, 640, 480);
        BackendMemory after = Shapes.Held(model);
        Assert.Equal(loaded + Shapes.PooledBytes(model), after.Buffers);
        for (int i = 0; i < 4; i++) Ask(model, 31 + 70 * i, 240 - 50 * i);
        Assert.Equal(after, Shapes.Held(model));

        static void Ask(Sa2VAModel model, int width, int height)
        {
            using ImageSession session = model.OpenImage(Shapes.Pattern(width, height));
            session.Ask("Please segment the red circle.", new AskOptions { MaxNewTokens = 1 });
        }
    }
}
