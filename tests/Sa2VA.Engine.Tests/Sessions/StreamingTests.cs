using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Verification;

namespace Sa2VA.Tests.Sessions;

/// <summary>An answer that arrives piece by piece, and reports of how far it is.</summary>
public sealed class StreamingTests
{
    [Theory, InlineData("image-gcg-three", "trio-152x148.png"), InlineData("image-caption", "shapes.png")]
    public async Task ThePiecesAddUpToTheAnswer(string name, string image)
    {
        PredictCase recorded = Shapes.Case(name);
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image(image));
        var pieces = new List<string>();
        var heard = new List<string>();
        Answer? answer = null;
        await foreach (string piece in session.AskStreamAsync(recorded.Prompt, new AskOptions { OnText = heard.Add }, a => answer = a)) pieces.Add(piece);
        Assert.NotNull(answer);
        Assert.Equal(recorded.Prediction, string.Concat(pieces).Trim());
        Assert.Equal(pieces, heard);
        Assert.True(pieces.Count > 5);
        Assert.Equal(Shapes.Fingerprint(session.Ask(recorded.Prompt)), Shapes.Fingerprint(answer));
    }

    [Fact]
    public async Task AReaderThatLeavesEarlyLeavesTheSessionUsable()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        for (int pieces = 1; pieces < 4; pieces++)
        {
            int read = 0;
            bool answered = false;
            await foreach (string _ in session.AskStreamAsync("Please describe the image.", onAnswer: _ => answered = true))
                if (++read == pieces) break;
            Assert.False(answered);
            // Free at once: the question that was left has ended, and left nothing behind to follow up.
            Assert.Equal(Shapes.Case("image-red-circle").Prediction, session.Ask("Please segment the red circle.").Raw);
        }
    }

    [Fact]
    public async Task ACancelledReaderLeavesTheSessionUsable()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        using var stop = new CancellationTokenSource();
        int read = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (string _ in session.AskStreamAsync("Please describe the image.", cancellation: stop.Token))
                if (++read == 2) await stop.CancelAsync();
        });
        Assert.Equal(Shapes.Case("image-red-circle").Prediction, session.Ask("Please segment the red circle.").Raw);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.AskAsync("Please describe the image.", cancellation: stop.Token));
    }

    [Fact]
    public async Task AnErrorReachesTheReader()
    {
        using TextSession session = Shapes.Model.OpenText();
        await Assert.ThrowsAsync<PromptException>(async () =>
        {
            await foreach (string _ in session.AskStreamAsync("\ud800")) { }
        });
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () =>
        {
            await foreach (string _ in session.AskStreamAsync("Hello", new AskOptions { OnText = _ => throw new InvalidTimeZoneException() })) { }
        });
        Assert.Equal(Shapes.Case("text-hello").Prediction, session.Ask("Hello").Raw);
    }

    [Fact]
    public void ProgressCountsUpStageByStage()
    {
        var reports = new List<AskProgress>();
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        Answer answer = session.Ask("Please segment the red circle and the blue star.", new AskOptions { OnProgress = reports.Add });
        Assert.Equal(reports.Select(r => r.Stage).Order(), reports.Select(r => r.Stage));
        AskProgress[] vision = Of(AskStage.Vision), prefill = Of(AskStage.Prefill), decode = Of(AskStage.Decode), masks = Of(AskStage.Masks);
        Assert.Equal(Enumerable.Range(1, vision[0].Total), vision.Select(r => r.Done));
        Assert.Equal(13, vision[0].Total);
        Assert.Equal((answer.PromptIds.Count, answer.PromptIds.Count), (prefill[^1].Done, prefill[^1].Total));
        Assert.Equal(Enumerable.Range(1, answer.TokenIds.Count), decode.Select(r => r.Done));
        Assert.Equal([1, 2], masks.Select(r => r.Done));
        reports.Clear();
        session.Ask("Please segment the red circle.", new AskOptions { OnProgress = reports.Add });
        Assert.Empty(Of(AskStage.Vision));

        AskProgress[] Of(AskStage stage) => [.. reports.Where(r => r.Stage == stage)];
    }
}
