using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Verification;

namespace Sa2VA.Tests.Sessions;

/// <summary>An answer that arrives piece by piece, and reports of how far it is.</summary>
public sealed class StreamingTests
{
    [Theory, InlineData("image-gcg-three", "trio-152x148.png"), InlineData("image-caption", "shapes.png")]
    public async Task The_pieces_add_up_to_the_answer(string name, string image)
    {
        PredictCase recorded = Shapes.Case(name);
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image(image));
        List<AnswerUpdate> updates = await session.AskStreamAsync(recorded.Prompt).ToListAsync();
        string[] pieces = [.. updates.OfType<TextUpdate>().Select(u => u.Text)];
        Answer answer = Assert.IsType<AnswerCompleted>(updates[^1]).Answer;
        Assert.Equal(recorded.Prediction, answer.Raw);
        Assert.Equal(answer.Text, string.Concat(pieces));
        Assert.True(pieces.Length > 5);
        // Text, then objects with their masks, then the whole.
        Assert.Equal(answer.Objects, updates[pieces.Length..^1].Select(u => ((ObjectUpdate)u).Object));
        Assert.All(answer.Objects, o => Assert.NotNull(o.Mask));
        Assert.Equal(Shapes.Fingerprint(session.Ask(recorded.Prompt)), Shapes.Fingerprint(answer));
    }

    [Theory]
    [InlineData("a<b and c|>d", "a<b and c|>d")]
    [InlineData("Sure, [SEG].<|im_end|>", "Sure, [SEG].")]
    [InlineData("<p> A ring </p> [SEG] .<|im_end|>\n", "A ring [SEG] .")]
    [InlineData(" \n Yes <|endoftext|> <|im_end|> ", "Yes")]
    [InlineData("<|im_end|>ers: <|im_end|> and so on", "ers: <|im_end|> and so on")]
    [InlineData("1 < 2 <<p>3  4", "1 < 2 <3 4")]
    [InlineData("tail <|im_", "tail <|im_")]
    [InlineData("<</p>/p>", "</p>")]
    [InlineData("  ", "")]
    public void Text_is_readable_however_it_is_cut(string raw, string shown)
    {
        string[] stops = ["<|im_end|>", "<|endoftext|>"];
        for (int size = 1; size <= raw.Length; size++)
        {
            var stream = new ReadableText(stops);
            string text = "";
            for (int at = 0; at < raw.Length; at += size) text += stream.Push(raw[at..Math.Min(raw.Length, at + size)]);
            Assert.Equal(shown, text + stream.End());
        }
        Assert.Equal(shown, GroundedText.Parse(raw, stops).Text);
    }

    [Fact]
    public async Task A_reader_that_leaves_early_leaves_the_session_usable()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        for (int pieces = 1; pieces < 4; pieces++)
        {
            int read = 0;
            await foreach (AnswerUpdate _ in session.AskStreamAsync("Please describe the image."))
                if (++read == pieces) break;
            // Free at once: the question that was left has ended, and left nothing behind to follow up.
            Assert.Equal(Shapes.Case("image-red-circle").Prediction, session.Ask("Please segment the red circle.").Raw);
        }
    }

    [Fact]
    public async Task A_cancelled_reader_leaves_the_session_usable()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        using var stop = new CancellationTokenSource();
        int read = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (AnswerUpdate _ in session.AskStreamAsync("Please describe the image.", cancellation: stop.Token))
                if (++read == 2) await stop.CancelAsync();
        });
        Assert.Equal(Shapes.Case("image-red-circle").Prediction, session.Ask("Please segment the red circle.").Raw);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            session.AskAsync("Please describe the image.", cancellation: stop.Token));
    }

    [Fact]
    public async Task An_error_reaches_the_reader()
    {
        using TextSession session = Shapes.Model.OpenText();
        await Assert.ThrowsAsync<PromptException>(async () =>
        {
            await foreach (AnswerUpdate _ in session.AskStreamAsync("\ud800")) { }
        });
        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () =>
        {
            var progress = new Reports<AskProgress>(_ => throw new InvalidTimeZoneException());
            await foreach (AnswerUpdate _ in session.AskStreamAsync("Hello", new AskOptions { Progress = progress })) { }
        });
        Assert.Equal(Shapes.Case("text-hello").Prediction, session.Ask("Hello").Raw);
    }

    [Fact]
    public void Progress_counts_up_stage_by_stage()
    {
        var reports = new List<AskProgress>();
        // A model of its own: sessions of another test that has the picture open would have encoded it already.
        using Sa2VAModel model = Shapes.Load();
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        Answer answer = session.Ask("Please segment the red circle and the blue star.",
            new AskOptions { Progress = new Reports<AskProgress>(reports.Add) });
        Assert.Equal(reports.Select(r => r.Stage).Order(), reports.Select(r => r.Stage));
        AskProgress[] vision = Of(AskStage.Vision), prefill = Of(AskStage.Prefill), decode = Of(AskStage.Decode),
            masks = Of(AskStage.Masks);
        Assert.Equal(Enumerable.Range(1, vision[0].Total), vision.Select(r => r.Done));
        Assert.Equal(13, vision[0].Total);
        Assert.Equal((answer.PromptIds.Count, answer.PromptIds.Count), (prefill[^1].Done, prefill[^1].Total));
        Assert.Equal(Enumerable.Range(1, answer.TokenIds.Count), decode.Select(r => r.Done));
        Assert.Equal([1, 2], masks.Select(r => r.Done));
        reports.Clear();
        session.Ask("Please segment the red circle.", new AskOptions { Progress = new Reports<AskProgress>(reports.Add) });
        Assert.Empty(Of(AskStage.Vision));

        AskProgress[] Of(AskStage stage) => [.. reports.Where(r => r.Stage == stage && r.Part == 0)];
    }
}
