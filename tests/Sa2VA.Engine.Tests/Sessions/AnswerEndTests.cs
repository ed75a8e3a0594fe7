using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>How answers begin and end where the caller says so.</summary>
public sealed class AnswerEndTests : IDisposable
{
    private const string Question = "Please segment the red circle and the blue star.";

    private readonly ImageSession _session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));

    public void Dispose() => _session.Dispose();

    [Fact]
    public async Task A_stop_string_ends_the_text_before_it_wherever_tokens_end()
    {
        Answer whole = _session.Ask(Question);
        Assert.Equal((FinishReason.Stop, 2), (whole.Finish, whole.Objects.Count));
        for (int at = 1; at < whole.Text.Length - 3; at += 3)
        {
            string stop = whole.Text.Substring(at, 3);
            int first = whole.Text.IndexOf(stop, StringComparison.Ordinal);
            var pieces = new List<string>();
            Answer? cut = null;
            await foreach (AnswerUpdate update in _session.AskStreamAsync(Question, new AskOptions { StopStrings = ["never said", stop] }))
            {
                if (update is TextUpdate piece) pieces.Add(piece.Text);
                if (update is AnswerCompleted end) cut = end.Answer;
            }
            Assert.Equal((FinishReason.StopString, false), (cut!.Finish, cut.Truncated));
            Assert.Equal(whole.Text[..first].TrimEnd(), cut.Text);
            Assert.Equal(cut.Text, string.Concat(pieces));
            // Objects are those that the text still names.
            int named = cut.Text.Split("[SEG]").Length - 1;
            Assert.Equal(whole.Objects.Take(named).Select(o => Shapes.Fingerprint(o.Mask!)),
                cut.Objects.Select(o => Shapes.Fingerprint(o.Mask!)));
            Assert.Equal(whole.TokenIds.Take(cut.TokenIds.Count), cut.TokenIds);
            Assert.True(cut.TokenIds.Count < whole.TokenIds.Count || at > whole.Text.Length - 6);
        }
    }

    [Fact]
    public void A_conversation_goes_on_behind_a_stop_string()
    {
        Answer cut = _session.Ask(Question, new AskOptions { StopStrings = ["[SEG]"] });
        Assert.Empty(cut.Objects);
        Answer next = _session.Ask("Please segment the yellow triangle.", new AskOptions { FollowUp = true });
        Assert.Equal([.. cut.PromptIds, .. cut.TokenIds], next.PromptIds.Take(cut.PromptIds.Count + cut.TokenIds.Count));
        Assert.True(next.Found);
        // The beginning of an answer is said once.
        Answer begun = _session.Ask(Question, new AskOptions { AnswerPrefix = "Sure, [SEG]" });
        next = _session.Ask("Hello.", new AskOptions { FollowUp = true, MaxNewTokens = 1 });
        Assert.Equal([.. begun.PromptIds, .. begun.TokenIds], next.PromptIds.Take(begun.PromptIds.Count + begun.TokenIds.Count));
    }

    [Fact]
    public void The_limit_is_told_apart_from_the_end()
    {
        Assert.Equal(FinishReason.Length, _session.Ask(Question, new AskOptions { MaxNewTokens = 3 }).Finish);
        Assert.Equal(FinishReason.StopString,
            _session.Ask(Question, new AskOptions { MaxNewTokens = 1, StopStrings = ["S"] }).Finish);
    }

    [Fact]
    public async Task An_answer_that_is_begun_goes_on_as_if_it_were_generated()
    {
        Answer whole = _session.Ask(Question);
        int same = 0;
        for (int begun = 1; begun < whole.TokenIds.Count; begun++)
        {
            string prefix = Shapes.Model.Tokenizer.Decode([.. whole.TokenIds.Take(begun)]);
            if (!Shapes.Model.Tokenizer.Encode(prefix).SequenceEqual(whole.TokenIds.Take(begun))) continue;
            var pieces = new List<string>();
            Answer? again = null;
            await foreach (AnswerUpdate update in _session.AskStreamAsync(Question, new AskOptions { AnswerPrefix = prefix }))
            {
                if (update is TextUpdate piece) pieces.Add(piece.Text);
                if (update is AnswerCompleted end) again = end.Answer;
            }
            Assert.Equal((whole.Raw, FinishReason.Stop), (again!.Raw, again.Finish));
            Assert.Equal(whole.TokenIds, again.TokenIds);
            Assert.Equal(whole.PromptIds, again.PromptIds);
            // A state in a prompt is rounded otherwise than one of a step.
            foreach ((AnswerObject a, AnswerObject b) in whole.Objects.Zip(again.Objects, (a, b) => (a, b)))
                Assert.InRange(Enumerable.Range(0, a.Mask!.Pixels.Length).Count(i => a.Mask.Pixels[i] != b.Mask!.Pixels[i]), 0,
                    a.Mask.Area / 100);
            Assert.Equal(whole.Objects.Select(o => (o.Phrase, o.Found)), again.Objects.Select(o => (o.Phrase, o.Found)));
            Assert.Equal(whole.Text, string.Concat(pieces));
            same++;
        }
        Assert.True(same > 5);
    }

    [Fact]
    public void A_seg_that_the_answer_begins_with_shows_something_whatever_the_model_would_say()
    {
        Answer alone = _session.Ask("Hello.");
        Assert.False(alone.Found);
        foreach (string prefix in (string[])["Sure, [SEG].", "[SEG]"])
        {
            Answer answer = _session.Ask("Hello.", new AskOptions { AnswerPrefix = prefix });
            Assert.NotNull(answer.Objects[0].Mask);
            Assert.StartsWith(prefix, answer.Text, StringComparison.Ordinal);
            Assert.Equal(alone.PromptIds, answer.PromptIds);
        }
        using VideoSession video = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        Assert.True(video.Ask("Hello.", new AskOptions { AnswerPrefix = "[SEG]" }).Found);
        Assert.True(video.Next(Shapes.Clip[0]).Objects.Count >= 1);
        using TextSession text = Shapes.Model.OpenText();
        Assert.Empty(text.Ask("Hello.", new AskOptions { AnswerPrefix = "[SEG]" }).Objects);
    }

    [Fact]
    public void A_beginning_that_cannot_be_is_refused()
    {
        foreach (string prefix in (string[])["Sure<|im_end|>", "<IMG_CONTEXT>", "\ud800"])
            Assert.Throws<PromptException>(() => _session.Ask(Question, new AskOptions { AnswerPrefix = prefix }));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \t\n")]
    [InlineData("<image>")]
    [InlineData(" <image>\n")]
    public async Task An_empty_question_is_refused_everywhere(string question)
    {
        using TextSession text = Shapes.Model.OpenText();
        using VideoSession video = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        foreach (ChatSession session in (ChatSession[])[_session, text, video])
        {
            foreach (AskOptions options in (AskOptions[])[new(), new() { AnswerPrefix = "Sure" }])
                Assert.StartsWith("The question is empty", Assert.Throws<PromptException>(() => session.Ask(question, options)).Message,
                    StringComparison.Ordinal);
            session.Ask("Hello.");
            Assert.Throws<PromptException>(() => session.Ask(question, new AskOptions { FollowUp = true }));
            await Assert.ThrowsAsync<PromptException>(() => session.AskAsync(question));
        }
    }

    [Fact]
    public void Masks_are_dropped_only_where_that_is_asked_for()
    {
        Answer all = _session.Ask(Question);
        Assert.True(all.Found);
        Assert.All(all.Objects, o => Assert.Equal((o.Mask!.Score, o.Mask.LowScore, false), (o.Score!.Value, o.LowScore, o.LowScore)));
        float best = all.Objects.Max(o => o.Score!.Value);
        Answer some = _session.Ask(Question, new AskOptions { MinScore = best });
        Assert.Equal(all.Objects.Select(o => o.Score == best), some.Objects.Select(o => o.Mask is not null));
        Assert.Equal(all.Objects.Select(o => o.Score), some.Objects.Select(o => o.Score));
        Answer none = _session.Ask(Question, new AskOptions { MinScore = 1 });
        Assert.Equal((2, false), (none.Objects.Count, none.Found));
    }

    [Fact]
    public void Choices_out_of_range_are_refused_where_they_are_set()
    {
        foreach (string[] wrong in (string[][])[[""], [new string('x', 1001)], [null!], [.. Enumerable.Repeat("x", 17)]])
            Assert.Throws<ArgumentException>(() => new AskOptions { StopStrings = wrong });
        foreach (float wrong in (float[])[-0.1f, 1.1f, float.NaN])
            Assert.Throws<ArgumentOutOfRangeException>(() => new AskOptions { MinScore = wrong });
    }
}
