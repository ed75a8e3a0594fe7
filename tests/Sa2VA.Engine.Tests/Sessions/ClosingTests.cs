using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Loading and closing on other threads, and what may be called afterwards.</summary>
[Collection(MeasuredCollection.Name)]
public sealed class ClosingTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Loading_on_a_worker_thread_does_what_loading_does()
    {
        int reports = 0;
        using var returned = new ManualResetEventSlim();
        Task<Sa2VAModel> loading = Sa2VAModel.LoadAsync(Shapes.Folder, new CpuDevice(), progress: new Reports<LoadProgress>(_ =>
        {
            reports++;
            Assert.True(returned.Wait(TimeSpan.FromSeconds(60), Cancellation), "the caller was held");
        }), cancellation: Cancellation);
        returned.Set();
        await using (Sa2VAModel model = await loading)
        {
            await using TextSession session = model.OpenText();
            Assert.Equal(Shapes.Case("text-hello").Prediction, (await session.AskAsync("Hello", cancellation: Cancellation)).Raw);
        }
        Assert.NotEqual(0, reports);
        await Assert.ThrowsAsync<CheckpointException>(() => Sa2VAModel.LoadAsync("nowhere", new CpuDevice(), cancellation: Cancellation));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Sa2VAModel.LoadAsync(Shapes.Folder, new CpuDevice(), cancellation: new CancellationToken(true)));
        using var stop = new CancellationTokenSource();
        var cancelling = new Reports<LoadProgress>(_ => stop.Cancel());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            Sa2VAModel.LoadAsync(Shapes.Folder, new CpuDevice(), progress: cancelling, cancellation: stop.Token));
    }

    [Fact]
    public async Task Closing_a_busy_session_waits_for_its_call()
    {
        await using Sa2VAModel model = Shapes.Load();
        long loaded = model.MemoryInfo.Buffers;
        ImageSession session = model.OpenImage(Shapes.Image("one-128.png"));
        Task? closing = null;
        bool early = false;
        Answer answer = session.Ask(Shapes.Case("seg-one-128").Prompt, new AskOptions
        {
            Progress = new Reports<AskProgress>(_ =>
            {
                closing ??= session.DisposeAsync().AsTask();
                early |= closing.IsCompleted || model.MemoryInfo.Buffers == loaded + Shapes.PooledBytes(model);
            }),
        }, Cancellation);
        await closing!;
        Assert.False(early);
        Assert.Equal(Shapes.Case("seg-one-128").Prediction, answer.Raw);
        Assert.Equal(loaded + Shapes.PooledBytes(model), Shapes.Held(model).Buffers);
        await session.DisposeAsync();
    }

    /// <summary>The callback waits for the memory, the memory for the question, and the question not for the callback.</summary>
    [Theory]
    [InlineData(AskStage.Vision, false)]
    [InlineData(AskStage.Decode, false)]
    [InlineData(AskStage.Decode, true)]
    public async Task A_callback_may_close_its_session_and_wait_for_that(AskStage stage, bool onAnotherThread)
    {
        await using Sa2VAModel model = Shapes.Load();
        long loaded = model.MemoryInfo.Buffers;
        ImageSession session = model.OpenImage(Shapes.Image("one-128.png"));
        int calls = 0;
        long freed = 0;
        Task<Answer> asking = session.AskAsync(Shapes.Case("seg-one-128").Prompt, new AskOptions
        {
            Progress = new Reports<AskProgress>(p =>
            {
                if (p.Stage != stage || calls++ > 0) return;
                if (onAnotherThread) Task.Run(async () => await session.DisposeAsync(), Cancellation).Wait(Cancellation);
                else session.DisposeAsync().AsTask().Wait(Cancellation);
                freed = Shapes.Held(model).Buffers - Shapes.PooledBytes(model);
            }),
        }, Cancellation);
        Answer answer = await asking.WaitAsync(TimeSpan.FromMinutes(2), Cancellation);
        Assert.Equal(loaded, freed);
        Assert.True(calls > 0);
        Assert.Equal(Shapes.Case("seg-one-128").Prediction, answer.Raw);
        Assert.Throws<ObjectDisposedException>(() => session.Ask("Hello", cancellation: Cancellation));
    }

    [Fact]
    public async Task Closing_a_busy_model_ends_the_call_with_an_error()
    {
        Sa2VAModel model = Shapes.Load();
        await using ImageSession session = model.OpenImage(Shapes.Image("one-128.png"));
        Task? closing = null;
        var options = new AskOptions
        {
            Progress = new Reports<AskProgress>(p =>
            {
                if (p.Stage == AskStage.Decode) closing ??= model.DisposeAsync().AsTask();
                closing?.Wait(Cancellation);
            }),
        };
        Assert.Throws<ObjectDisposedException>(() => session.Ask(Shapes.Case("seg-one-128").Prompt, options, Cancellation));
        await closing!;
        await model.DisposeAsync();
    }

    [Fact]
    public async Task Closed_sessions_refuse_every_call_and_still_tell_their_counts()
    {
        using Sa2VAModel model = Shapes.Load();
        long loaded = model.MemoryInfo.Buffers;
        TextSession text = model.OpenText();
        ImageSession image = model.OpenImage(Shapes.Image("one-128.png"));
        VideoSession video = model.OpenVideo(Shapes.Clip[..1]);
        image.Ask(Shapes.Case("seg-one-128").Prompt, cancellation: Cancellation);
        video.Ask("Please segment the red circle.", cancellation: Cancellation);
        FrameMasks masks = video.Next(Shapes.Clip[0], Cancellation);
        ChatSession[] sessions = [text, image, video];
        long[] tokens = [.. sessions.Select(s => s.PrefilledTokens)];
        foreach (ChatSession session in sessions) session.Dispose();
        await RefuseAsync(sessions, video);
        Assert.Equal(tokens, sessions.Select(s => s.PrefilledTokens));
        Assert.All(sessions, s => Assert.Same(model, s.Model));
        Assert.Equal((128, 1L), (image.Image.Width, image.EncoderRuns));
        Assert.Equal((1L, 1, 1L), (video.Frames, video.ObjectCount, video.EncoderRuns));
        // Results belong to the caller.
        Assert.True(masks.Objects[0].ToMask().Area > 0);
        Assert.Equal(loaded + Shapes.PooledBytes(model), Shapes.Held(model).Buffers);
        Assert.Equal(0, model.Segmentation.Banks.MemorySlots.Taken);
    }

    [Fact]
    public async Task A_closed_model_refuses_every_call_and_still_tells_what_it_was()
    {
        Sa2VAModel model = Shapes.Load();
        VideoSession video = model.OpenVideo(Shapes.Clip[..1]);
        ChatSession[] sessions = [model.OpenText(), model.OpenImage(Shapes.Image("one-128.png")), video];
        model.Dispose();
        RgbImage frame = Shapes.Clip[0];
        Assert.Throws<ObjectDisposedException>(() => model.OpenText());
        Assert.Throws<ObjectDisposedException>(() => model.OpenImage(frame));
        Assert.Throws<ObjectDisposedException>(() => model.OpenImage(frame.View));
        Assert.Throws<ObjectDisposedException>(() => model.OpenVideo([frame], cancellation: Cancellation));
        await RefuseAsync(sessions, video);
        Assert.Equal(("sa2va-tiny-shapes", "internvl", "cpu"), (model.Name, model.Family, model.DeviceName));
        Assert.NotEmpty(model.DeviceDescription);
        Assert.True(model.Config.Language.VocabularySize > 0);
        Assert.Equal("Hello", model.Tokenizer.Decode(model.Tokenizer.Encode("Hello")));
        foreach (ChatSession session in sessions) session.Dispose();
        Assert.Equal(default, model.MemoryInfo);
    }

    private static async Task RefuseAsync(ChatSession[] sessions, VideoSession video)
    {
        foreach (ChatSession session in sessions)
        {
            Assert.Throws<ObjectDisposedException>(() => session.Ask("Hello", cancellation: Cancellation));
            await Assert.ThrowsAsync<ObjectDisposedException>(() => session.AskAsync("Hello", cancellation: Cancellation));
            await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
            {
                await foreach (AnswerUpdate _ in session.AskStreamAsync("Hello", cancellation: Cancellation)) Assert.Fail("An update.");
            });
        }
        Assert.Throws<ObjectDisposedException>(() => video.Next(Shapes.Clip[0], Cancellation));
        Assert.Throws<ObjectDisposedException>(() => video.Next(Shapes.Clip[0].View, Cancellation));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
        {
            await foreach (FrameMasks _ in video.TrackAsync(Frames(), Cancellation)) Assert.Fail("A frame.");
        });

        static async IAsyncEnumerable<RgbImage> Frames()
        {
            await Task.Yield();
            yield return Shapes.Clip[0];
        }
    }
}
