using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Tests.Sessions;

namespace Sa2VA.Tests.State;

/// <summary>A session that is reset is a new one, to the last bit.</summary>
public sealed class ResetTests
{
    private const int Frames = 12;

    [Fact]
    public void It_goes_on_like_a_new_one()
    {
        StateScript before = new(3, Frames), after = new(4, Frames);
        using VideoSession fresh = Shapes.Model.OpenVideo(Shapes.Clip[..3], StateScript.Options);
        using VideoSession reset = Shapes.Model.OpenVideo(Shapes.Clip[..3], StateScript.Options);
        for (int i = 0; i < before.Count; i++) before.Do(i, reset);
        reset.Reset();
        Assert.Equal((0, 0), (reset.Frames, reset.ObjectCount));
        Assert.True(States.Of(fresh).ToArray().AsSpan().SequenceEqual(States.Of(reset).ToArray()));
        Assert.Throws<PromptException>(() => reset.Ask("And now?", new AskOptions { FollowUp = true }));
        Assert.Throws<PromptException>(() => reset.Follow(new VisualPrompt(new Click(5, 5)), out _));
        for (int i = 0; i < after.Count; i++) Assert.True(after.Do(i, fresh) == after.Do(i, reset), $"step {i}");
        Assert.True(States.Of(fresh).ToArray().AsSpan().SequenceEqual(States.Of(reset).ToArray()));
    }

    [Fact]
    public void Its_slots_are_there_for_others_and_its_buffers_stay()
    {
        using Sa2VAModel model = Shapes.Load();
        using VideoSession session = model.OpenVideo(Shapes.Clip[..1], new VideoOptions { ReuseMasks = true });
        long held = 0;
        for (int round = 0; round < 4; round++)
        {
            session.Ask("Please segment the red circle.", new AskOptions { MaxNewTokens = 24 });
            for (int t = 0; t < Frames; t++) session.Next(Shapes.Clip[t]);
            session.Reset();
            Assert.Equal((0, 0), (model.Segmentation.Banks.MemorySlots.Taken, model.Segmentation.Banks.PointerSlots.Taken));
            long now = Shapes.Held(model).Buffers;
            if (round > 0) Assert.Equal(held, now);
            held = now;
        }
    }

    [Fact]
    public void A_session_that_is_closed_is_not_reset()
    {
        VideoSession session = Shapes.Model.OpenTracker();
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(session.Reset);
    }
}
