using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Tests.State;

namespace Sa2VA.Tests.Sessions;

/// <summary>
/// The words that named objects are asked again about the newest frames: what was lost is found, newcomers join, and nothing else changes.
/// </summary>
public sealed class ReAskTests
{
    private const string Circle = "Please segment the red circle.", Star = "Please segment the blue star.",
        Both = "Please segment the red circle and the blue star.";

    private static readonly VideoOptions Keep = new() { KeepFrames = 3 };
    private static readonly AskOptions Logits = new() { Logits = true }, FollowUp = new() { FollowUp = true };

    private readonly WatchedDevice _device = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_object_where_it_is_followed_goes_on_as_if_nothing_had_been_asked()
    {
        using VideoSession plain = Open(Both, Logits), asked = Open(Both, Logits);
        for (int f = 0; f < 14; f++)
        {
            Assert.Equal(Print(plain.Next(Shapes.Clip[f])), Print(asked.Next(Shapes.Clip[f])));
            if (f % 4 != 3) continue;
            ReAskResult result = await asked.ReAskAsync(cancellation: Cancellation);
            Assert.Equal(f, result.Frame);
            Assert.Equal([0, 1], result.Known);
            Assert.Empty(result.FoundAgain.Concat(result.Newcomers));
            Assert.Equal(2, Assert.Single(result.Answers).Objects.Count);
        }
        // The conversation is the user's own, and so are the numbers.
        Assert.Equal(Shapes.Fingerprint(plain.Ask("Why?", FollowUp)), Shapes.Fingerprint(asked.Ask("Why?", FollowUp)));
        Assert.Equal(States.Of(plain).ToArray(), States.Of(asked).ToArray());
    }

    [Fact]
    public async Task An_object_that_is_lost_is_found_by_its_words_under_its_number()
    {
        using VideoSession session = Open(Both, Logits), named = Open(Both, Logits), plain = Open(Both, Logits);
        VideoSession[] all = [session, named, plain];
        for (int f = 0; f < 8; f++)
            foreach (VideoSession s in all) s.Next(Shapes.Clip[f]);
        foreach (VideoSession s in all) Assert.False(s.Correct(1, new VisualPrompt(Absent())).Objects[1].IsPresent);

        ReAskResult result = await session.ReAskAsync(cancellation: Cancellation);
        Assert.Equal([1], result.FoundAgain);
        Assert.Equal([0], result.Known);
        Assert.Empty(result.Newcomers);
        named.ShowLatest(3);
        AnswerObject star = named.Ask(Both, Logits).Objects[1];
        for (int f = 8; f < 14; f++)
        {
            FrameMasks masks = session.Next(Shapes.Clip[f]), others = named.Next(Shapes.Clip[f]), old = plain.Next(Shapes.Clip[f]);
            Assert.Equal([0, 1], masks.Objects.Select(o => o.Id));
            Assert.Equal(Shapes.Fingerprint(old.Objects[0]), Shapes.Fingerprint(masks.Objects[0]));
            // Its next frames are conditioned on the answer alone, like those of an object that it names now; later ones remember more.
            if (f < 11) Assert.Equal(Shapes.Fingerprint(others.Objects.Single(o => o.Id == star.Id)), Shapes.Fingerprint(masks.Objects[1]));
            else Assert.NotEqual(Shapes.Fingerprint(others.Objects.Single(o => o.Id == star.Id)), Shapes.Fingerprint(masks.Objects[1]));
            Assert.NotEqual(Shapes.Fingerprint(old.Objects[1]), Shapes.Fingerprint(masks.Objects[1]));
            Assert.Equal((true, true), (masks.Objects[1].IsPresent, masks.Objects[1].Area > 0));
        }
        Assert.Equal([0, 1], (await session.ReAskAsync(cancellation: Cancellation)).Known);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_newcomer_joins_like_an_object_that_an_answer_names(bool wasRemoved)
    {
        using VideoSession session = Open(wasRemoved ? Both : Circle), named = Open(wasRemoved ? Both : Circle);
        foreach (VideoSession s in (VideoSession[])[session, named])
        {
            if (wasRemoved) s.Remove(1);
            for (int f = 0; f < 5; f++) s.Next(Shapes.Clip[f]);
        }
        var options = new ReAskOptions { Questions = wasRemoved ? [] : [Star], ShownFrames = 2 };
        Assert.Empty((await session.ReAskAsync(options with { Newcomers = false }, Cancellation)).Newcomers);
        int id = Assert.Single((await session.ReAskAsync(options, Cancellation)).Newcomers);
        Assert.Equal(wasRemoved ? 2 : 1, id);
        // Asked once more before the next frame, it is not there twice.
        Assert.Empty((await session.ReAskAsync(options, Cancellation)).Newcomers);
        named.ShowLatest(2);
        AnswerObject star = named.Ask(wasRemoved ? Both : Star).Objects[^1];
        for (int f = 5; f < 10; f++)
        {
            FrameMasks masks = session.Next(Shapes.Clip[f]), others = named.Next(Shapes.Clip[f]);
            Assert.Equal([0, id], masks.Objects.Select(o => o.Id));
            Assert.Equal(Shapes.Fingerprint(others.Objects[0]), Shapes.Fingerprint(masks.Objects[0]));
            Assert.Equal(Shapes.Fingerprint(others.Objects.Single(o => o.Id == star.Id)), Shapes.Fingerprint(masks.Objects[1]));
        }
        Assert.Equal([0, id], (await session.ReAskAsync(options, Cancellation)).Known);
    }

    [Fact]
    public async Task What_is_shown_covers_what_words_name_and_a_stream_follows_no_more_than_it_may()
    {
        using VideoSession session = Shapes.Model.OpenTracker(Keep with { MaxObjects = 2 });
        var options = new ReAskOptions { Questions = [Circle, Star, "Please segment the yellow triangle.", Circle] };
        Assert.Empty((await session.ReAskAsync(options, Cancellation)).Answers);
        session.Next(Shapes.Clip[0]);
        Assert.Equal(0, session.Follow(new VisualPrompt(MaskOf(Circle)), out _));
        ReAskResult result = await session.ReAskAsync(options, Cancellation);
        Assert.Equal(3, result.Answers.Count);
        Assert.Equal([0], result.Known);
        Assert.Equal([1], result.Newcomers);
        Assert.Equal(2, session.Next(Shapes.Clip[1]).Objects.Count);
        Assert.Empty((await session.ReAskAsync(options, Cancellation)).Newcomers);
        // A score that no mask has, and an overlap that none has with what was tracked.
        Assert.Empty((await session.ReAskAsync(options with { MinScore = 1 }, Cancellation)).Known);
        Assert.DoesNotContain(0, (await session.ReAskAsync(options with { Overlap = 1 }, Cancellation)).Known);
    }

    [Fact]
    public async Task A_question_that_followed_up_another_is_asked_behind_it_also_by_a_restored_session()
    {
        using VideoSession session = Open("Please describe the video content.");
        AskOptions star = FollowUp with { MaxNewTokens = 24, StopStrings = ["never"], AnswerPrefix = "Sure, [SEG].", Seed = 3 };
        Assert.NotEmpty(session.Ask(Star, star).Objects);
        for (int f = 0; f < 4; f++) session.Next(Shapes.Clip[f]);
        session.Correct(0, new VisualPrompt(Absent()));
        using VideoSession restored = Shapes.Model.RestoreVideo(States.Of(session));
        ReAskResult result = await session.ReAskAsync(cancellation: Cancellation);
        Assert.Equal([0], result.FoundAgain);
        Assert.Equal(Shapes.Fingerprint(result.Answers[0]),
            Shapes.Fingerprint(Assert.Single((await restored.ReAskAsync(cancellation: Cancellation)).Answers)));
        using VideoSession fresh = Shapes.Model.OpenVideo(Shapes.Clip[1..4]);
        fresh.Ask("Please describe the video content.");
        Assert.Equal(Shapes.Fingerprint(fresh.Ask(Star, star)), Shapes.Fingerprint(result.Answers[0]));
        // Saved once more while the answer still names its next frames, it goes on with the same bits.
        session.Next(Shapes.Clip[4]);
        using VideoSession again = Shapes.Model.RestoreVideo(States.Of(session));
        restored.Next(Shapes.Clip[4]);
        for (int f = 5; f < 9; f++)
        {
            string expected = Print(session.Next(Shapes.Clip[f]));
            Assert.Equal(expected, Print(restored.Next(Shapes.Clip[f])));
            Assert.Equal(expected, Print(again.Next(Shapes.Clip[f])));
        }
    }

    [Fact]
    public async Task Frames_and_questions_go_on_meanwhile_and_what_is_found_joins_between_two_frames()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], Keep, Cancellation);
        session.Ask(Circle, cancellation: Cancellation);
        session.Next(Shapes.Clip[0], Cancellation);
        using var sayOn = new ManualResetEventSlim();
        using var frameGoesOn = new ManualResetEventSlim();
        TaskCompletionSource saying = NewSource(), inFrame = NewSource();
        _device.Before = graph =>
        {
            if (graph == "decode" && saying.TrySetResult()) sayOn.Wait(Cancellation);
            if (graph == "tracked frame" && saying.Task.IsCompleted && session.Frames == 4 && inFrame.TrySetResult())
                frameGoesOn.Wait(Cancellation);
        };
        Task<ReAskResult> asking = session.ReAskAsync(new ReAskOptions { Questions = [Star] }, Cancellation);
        await saying.Task;
        for (int f = 1; f < 4; f++) Assert.Single(session.Next(Shapes.Clip[f], Cancellation).Objects);
        await Assert.ThrowsAsync<SessionBusyException>(() => session.ReAskAsync(cancellation: Cancellation));
        States.Of(session);
        Task<Answer> question = session.AskAsync("Why?", FollowUp, Cancellation);
        Task<FrameMasks> frame = Task.Run(() => session.Next(Shapes.Clip[4], Cancellation), Cancellation);
        await inFrame.Task;
        sayOn.Set();
        // All is said; only the frame is waited for.
        SpinWait.SpinUntil(() => model.LanguageModel.Scheduler.IsIdle);
        Assert.False(asking.IsCompleted);
        frameGoesOn.Set();
        Assert.Single((await frame).Objects);
        ReAskResult result = await asking;
        int named = (await question).Objects.Count;
        // Compared on the frame that was in work.
        Assert.Equal(4, result.Frame);
        int id = Assert.Single(result.Newcomers);
        FrameMasks masks = session.Next(Shapes.Clip[5], Cancellation);
        Assert.Equal(2 + named, masks.Objects.Count);
        Assert.Contains(id, masks.Objects.Select(o => o.Id));
    }

    [Fact]
    public async Task A_frame_that_comes_while_masks_are_compared_waits_for_that()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..1], Keep, Cancellation);
        session.Ask(Circle, cancellation: Cancellation);
        for (int f = 0; f < 2; f++) session.Next(Shapes.Clip[f], Cancellation);
        using var goOn = new ManualResetEventSlim();
        TaskCompletionSource comparing = NewSource(), frameBegan = NewSource();
        _device.Before = graph =>
        {
            if (graph == "image encoder") frameBegan.TrySetResult();
            if (graph == "prompted frame" && comparing.TrySetResult()) goOn.Wait(Cancellation);
        };
        Task<ReAskResult> asking = session.ReAskAsync(new ReAskOptions { Questions = [Star] }, Cancellation);
        await comparing.Task;
        using var began = new ManualResetEventSlim();
        Task<FrameMasks> frame = Task.Run(() =>
        {
            began.Set();
            return session.Next(Shapes.Clip[2], Cancellation);
        }, Cancellation);
        began.Wait(Cancellation);
        // Not even a frame that had all the time it wants begins now; and a question that names something waits for its place.
        Task<Answer> question = session.AskAsync("Please segment the yellow triangle.", cancellation: Cancellation);
        SpinWait.SpinUntil(() => model.LanguageModel.Scheduler.IsIdle);
        Assert.False(frameBegan.Task.IsCompleted || frame.IsCompleted || question.IsCompleted);
        goOn.Set();
        ReAskResult result = await asking;
        Assert.Equal(1, result.Frame);
        // Whichever had its number first, they stand in order.
        int id = Assert.Single(result.Newcomers), named = Assert.Single((await question).Objects).Id;
        Assert.Equal(3, id + named);
        Assert.Contains(id, (await frame).Objects.Select(o => o.Id));
        Assert.Equal([0, 1, 2], session.Next(Shapes.Clip[3], Cancellation).Objects.Select(o => o.Id));
    }

    [Theory]
    [InlineData("removed")]
    [InlineData("reset")]
    [InlineData("cancelled")]
    [InlineData("closed")]
    [InlineData("fails")]
    public async Task What_is_gone_when_all_is_said_does_not_come_back(string what)
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], Keep, Cancellation);
        session.Ask(Circle, cancellation: Cancellation);
        session.Next(Shapes.Clip[0], Cancellation);
        using var sayOn = new ManualResetEventSlim();
        using var stop = new CancellationTokenSource();
        TaskCompletionSource saying = NewSource();
        _device.Before = graph =>
        {
            if (graph == "decode" && saying.TrySetResult()) sayOn.Wait(Cancellation);
            if (graph == "prompted frame" && what == "fails") throw new InvalidTimeZoneException();
        };
        var options = new ReAskOptions { Questions = what is "reset" or "cancelled" ? [Star] : [] };
        Task<ReAskResult> asking = session.ReAskAsync(options, stop.Token);
        await saying.Task;
        if (what == "removed") session.Remove(0);
        if (what == "reset") session.Reset();
        if (what == "cancelled") stop.Cancel();
        if (what == "closed") session.Dispose();
        sayOn.Set();
        if (what == "cancelled") await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        else if (what == "fails") await Assert.ThrowsAsync<InvalidTimeZoneException>(() => asking);
        else
        {
            ReAskResult result = await asking;
            Assert.Empty(result.FoundAgain.Concat(result.Newcomers));
            Assert.Equal(what == "closed" ? [0] : [], result.Known);
        }
        _device.Before = null;
        if (what == "closed")
        {
            await session.Gate.Released;
            await Assert.ThrowsAsync<ObjectDisposedException>(() => session.ReAskAsync(cancellation: Cancellation));
        }
        else Assert.Equal(what is "removed" or "reset" ? 0 : 1, session.Next(Shapes.Clip[1], Cancellation).Objects.Count);
    }

    [Fact]
    public async Task Choices_are_checked_and_frames_must_be_kept()
    {
        foreach (Action action in (Action[])[
            () => _ = new ReAskOptions { EveryFrames = -1 }, () => _ = new ReAskOptions { WhenLostFor = -1 },
            () => _ = new ReAskOptions { ShownFrames = 0 }, () => _ = new ReAskOptions { ShownFrames = 14 },
            () => _ = new ReAskOptions { Overlap = 0 }, () => _ = new ReAskOptions { Overlap = 1.1 },
            () => _ = new ReAskOptions { MinScore = float.NaN }, () => _ = new ReAskOptions { Questions = [Star, " "] }])
            Assert.ThrowsAny<ArgumentException>(action);
        using VideoSession session = Shapes.Model.OpenTracker();
        Assert.Contains("KeepFrames",
            (await Assert.ThrowsAsync<PromptException>(() => session.ReAskAsync(cancellation: Cancellation))).Message,
            StringComparison.Ordinal);
        Assert.Throws<PromptException>(() => new LiveVideo(session, new LiveOptions { ReAsk = new ReAskOptions() }));
        await using var live = new LiveVideo(session);
    }

    [Fact]
    public async Task An_object_that_is_shown_while_an_answer_is_on_its_way_stands_behind_what_the_answer_names()
    {
        using Sa2VAModel model = Shapes.Load(_device, cancellation: Cancellation);
        using VideoSession session = model.OpenVideo(Shapes.Clip[..2], cancellation: Cancellation);
        session.Next(Shapes.Clip[0], Cancellation);
        int shown = -1;
        _device.Writing = buffer =>
        {
            // The answer has its number, and has not joined.
            if (buffer != "sparse prompt") return;
            _device.Writing = null;
            shown = session.Follow(new VisualPrompt(new Click(60, 40)), out _, Cancellation);
        };
        await session.AskAsync(Circle, cancellation: Cancellation);
        using VideoSession restored = model.RestoreVideo(States.Of(session), Cancellation);
        FrameMasks masks = session.Next(Shapes.Clip[1]);
        Assert.Equal([0, 1], masks.Objects.Select(o => o.Id));
        Assert.Equal(Print(masks), Print(restored.Next(Shapes.Clip[1])));
        Assert.Equal(1, shown);
    }

    private static Mask Absent()
    {
        RgbImage frame = Shapes.Clip[0];
        return new Mask(frame.Width, frame.Height, new byte[frame.Width * frame.Height]);
    }

    private static VideoSession Open(string question, AskOptions? options = null)
    {
        VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], Keep);
        session.Ask(question, options);
        return session;
    }

    private static Mask MaskOf(string question)
    {
        using VideoSession session = Open(question);
        return session.Next(Shapes.Clip[0]).Objects[0].ToMask();
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static string Print(FrameMasks masks) =>
        $"{masks.Frame}: " + string.Join(" ", masks.Objects.Select(o => $"{o.Id} {Shapes.Fingerprint(o)}"));
}
