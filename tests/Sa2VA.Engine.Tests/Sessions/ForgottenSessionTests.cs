using System.Runtime.CompilerServices;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>Sessions that nobody closes: nothing in the engine holds them, and their native memory comes back with the collector.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class ForgottenSessionTests
{
    [Fact]
    public void Their_memory_comes_back()
    {
        using Sa2VAModel model = Shapes.Load();
        long loaded = model.MemoryInfo.Buffers;
        var sessions = new List<WeakReference>();
        // The collector may come at any time, also before the last one is forgotten.
        long held = 0, slots = 0;
        for (int i = 0; i < 120; i++)
        {
            Forget(model, i, sessions);
            held = Math.Max(held, model.MemoryInfo.Buffers);
            slots = Math.Max(slots, model.Segmentation.Banks.MemorySlots.Taken);
        }
        Assert.True(held > loaded && slots > 0, $"{held} bytes of {loaded}, {slots} slots");
        Shapes.Held(model);
        for (int round = 0; round < 10 && model.MemoryInfo.Buffers > loaded + Shapes.PooledBytes(model); round++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.DoesNotContain(sessions, s => s.IsAlive);
        // Slots are there for others.
        Assert.Equal(loaded + Shapes.PooledBytes(model), model.MemoryInfo.Buffers);
        Assert.Equal((0, 0), (model.Segmentation.Banks.MemorySlots.Taken, model.Segmentation.Banks.PointerSlots.Taken));
        // The model itself is as good as new.
        using TextSession text = model.OpenText();
        Assert.Equal(Shapes.Case("text-hello").Prediction, text.Ask("Hello").Raw);
    }

    /// <summary>A method of its own: no local variable of the caller keeps the session.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(Sa2VAModel model, int i, List<WeakReference> sessions)
    {
        ChatSession session = i switch
        {
            _ when i % 50 == 1 => model.OpenText(),
            _ when i % 50 == 2 => model.OpenVideo(Shapes.Clip[..1]),
            _ => model.OpenImage(Shapes.Pattern(64, 64)),
        };
        sessions.Add(new WeakReference(session));
        // Some with everything that they can have: a cache, an encoded picture, objects, a bank.
        if (i % 50 > 2) return;
        session.Ask("Please segment the red circle.", new AskOptions { MaxNewTokens = 20 });
        if (session is VideoSession video)
            for (int f = 0; f < 3; f++) video.Next(Shapes.Clip[f]);
    }
}
