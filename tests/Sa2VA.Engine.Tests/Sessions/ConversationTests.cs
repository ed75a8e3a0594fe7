using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Models.Tokenizers;
using Sa2VA.Models;
using Sa2VA.Verification;

namespace Sa2VA.Tests.Sessions;

/// <summary>Several questions to one session: follow-ups, and what questions share is computed once without changing a bit.</summary>
public sealed class ConversationTests
{
    [Fact]
    public void What_is_taken_back_was_never_said()
    {
        using TextSession plain = Shapes.Model.OpenText(), undone = Shapes.Model.OpenText();
        var first = new AskOptions { MaxNewTokens = 3 };
        var more = new AskOptions { FollowUp = true };
        Assert.Throws<PromptException>(undone.Undo);
        plain.Ask("Hello", first, TestContext.Current.CancellationToken);
        undone.Ask("Hello", first, TestContext.Current.CancellationToken);
        undone.Ask("What can you do?", more, TestContext.Current.CancellationToken);
        undone.Undo();
        Assert.Equal(Shapes.Fingerprint(plain.Ask("And now?", more, TestContext.Current.CancellationToken)),
            Shapes.Fingerprint(undone.Ask("And now?", more, TestContext.Current.CancellationToken)));
        undone.Undo();
        undone.Undo();
        Assert.Throws<PromptException>(undone.Undo);
        Assert.Throws<PromptException>(() => undone.Ask("And now?", more, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_follow_up_is_upstreams_second_turn()
    {
        PredictCase first = Shapes.Case("follow-up-first"), second = Shapes.Case("follow-up");
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("square-150.png"));
        Assert.Equal(first.Prediction, session.Ask(first.Prompt).Raw);
        Answer answer = session.Ask(second.Prompt, new AskOptions { FollowUp = true, Logits = true });
        Assert.Equal(second.PromptIds, answer.PromptIds);
        Assert.Equal(second.OutputIds, answer.TokenIds);
        Assert.Equal(second.Prediction, answer.Raw);
        // The second prompt begins with the first one, which is computed once.
        Assert.Equal(second.PromptIds.Count, session.PrefilledTokens);

        using ImageSession fresh = Shapes.Model.OpenImage(Shapes.Image("square-150.png"));
        ChatTemplate template = Shapes.Model.Config.Family.Template(Shapes.Model.Config);
        Answer literal = fresh.AskSpelled(second.PastText + template.Turn(second.Prompt), new AskOptions { Logits = true });
        Assert.Equal(Shapes.Fingerprint(literal), Shapes.Fingerprint(answer));
    }

    [Fact]
    public void Questions_that_share_a_beginning_do_not_compute_it_again()
    {
        string[] questions = ["Please segment the red circle.", "Please segment the blue star.", "Please describe the image.",
            "Please segment the red circle."];
        // A model of its own: sessions about the same picture share what they have computed.
        using Sa2VAModel model = Shapes.Load();
        var alone = new Dictionary<string, string>();
        foreach (string question in questions.Distinct())
        {
            using ImageSession fresh = model.OpenImage(Shapes.Image("shapes.png"));
            Answer answer = fresh.Ask(question, new AskOptions { Logits = true });
            alone.Add(question, Shapes.Fingerprint(answer));
            Assert.Equal(answer.PromptIds.Count, fresh.PrefilledTokens);
        }
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        int[] previous = [];
        foreach (string question in questions)
        {
            long before = session.PrefilledTokens;
            Answer answer = session.Ask(question, new AskOptions { Logits = true });
            Assert.Equal(alone[question], Shapes.Fingerprint(answer));
            int[] prompt = [.. answer.PromptIds];
            int shared = Math.Min(previous.AsSpan().CommonPrefixLength(prompt), prompt.Length - 1);
            Assert.Equal(prompt.Length - shared, session.PrefilledTokens - before);
            if (previous.Length > 0) Assert.True(shared > 200, "The picture was computed again.");
            previous = [.. prompt, .. answer.TokenIds];
        }
        Assert.Equal(1, session.EncoderRuns);
    }

    [Fact]
    public void A_text_conversation_goes_on()
    {
        using TextSession session = Shapes.Model.OpenText();
        Answer hello = session.Ask("Hello");
        Assert.Equal(Shapes.Case("text-hello").Prediction, hello.Raw);
        Answer next = session.Ask("What can you do?", new AskOptions { FollowUp = true });
        Assert.Equal([.. hello.PromptIds, .. hello.TokenIds], next.PromptIds.Take(hello.PromptIds.Count + hello.TokenIds.Count));
        Answer third = session.Ask("Hello", new AskOptions { FollowUp = true });
        Assert.True(third.PromptIds.Count > next.PromptIds.Count + next.TokenIds.Count);
        // Not a follow-up: as if nothing had been said.
        Assert.Equal(Shapes.Fingerprint(hello), Shapes.Fingerprint(session.Ask("Hello")));
    }

    [Fact]
    public void A_truncated_answer_can_be_followed_up()
    {
        using TextSession session = Shapes.Model.OpenText();
        Answer cut = session.Ask("What can you do?", new AskOptions { MaxNewTokens = 3 });
        Assert.True(cut.Truncated);
        Assert.Equal(Shapes.Case("text-what").OutputIds.Take(3), cut.TokenIds);
        Answer next = session.Ask("Hello", new AskOptions { FollowUp = true });
        // The turn that was cut off is closed before the next one begins.
        Assert.True(Shapes.Model.Tokenizer.TryGetId("<|im_end|>", out int end));
        Assert.Equal(end, next.PromptIds[cut.PromptIds.Count + 3]);
        Assert.False(next.Truncated);
    }

    [Theory, InlineData(1), InlineData(4), InlineData(11), InlineData(12), InlineData(int.MaxValue)]
    public void The_limit_on_new_tokens_is_kept(int limit)
    {
        PredictCase recorded = Shapes.Case("text-what");
        using TextSession session = Shapes.Model.OpenText();
        Answer answer = session.Ask("What can you do?", new AskOptions { MaxNewTokens = limit });
        Assert.Equal(recorded.OutputIds.Take(limit), answer.TokenIds);
        Assert.Equal(limit < recorded.OutputIds.Count, answer.Truncated);
    }

    [Fact]
    public void A_seg_that_ends_a_truncated_answer_gives_no_mask()
    {
        PredictCase recorded = Shapes.Case("image-two-seg");
        int seg = recorded.OutputIds.ToList().IndexOf(Shapes.Model.SegId);
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        Assert.Empty(session.Ask(recorded.Prompt, new AskOptions { MaxNewTokens = seg + 1 }).Objects);
        Assert.Single(session.Ask(recorded.Prompt, new AskOptions { MaxNewTokens = seg + 2 }).Objects);
        Answer whole = session.Ask(recorded.Prompt);
        Assert.Equal(2, whole.Objects.Count);
        // Numbers go on through the session.
        Assert.Equal([1, 2], whole.Objects.Select(o => o.Id));
    }

    [Fact]
    public void Special_tokens_can_be_plain_text()
    {
        PredictCase recorded = Shapes.Case("special-seg");
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("one-128.png"));
        Answer parsed = session.Ask(recorded.Prompt),
            plain = session.Ask(recorded.Prompt, new AskOptions { SpecialTokens = SpecialTokenText.PlainText });
        Assert.Equal(recorded.Prediction, parsed.Raw);
        Assert.Contains(Shapes.Model.SegId, parsed.PromptIds);
        Assert.DoesNotContain(Shapes.Model.SegId, plain.PromptIds);
        Assert.True(Shapes.Model.Tokenizer.TryGetId("<|im_start|>", out int start));
        Assert.Equal(3, parsed.PromptIds.Count(id => id == start));
        Assert.Equal(2, plain.PromptIds.Count(id => id == start));
        string shown = Shapes.Model.Tokenizer.Decode([.. plain.PromptIds]);
        Assert.Contains(recorded.Prompt.Replace("<image>", "", StringComparison.Ordinal), shown, StringComparison.Ordinal);
        Answer next = session.Ask("And [SEG]?", new AskOptions { FollowUp = true, SpecialTokens = SpecialTokenText.PlainText });
        Assert.Equal(parsed.TokenIds.Count(id => id == Shapes.Model.SegId) > 0, next.PromptIds.Count > plain.PromptIds.Count);
        Assert.Equal(plain.TokenIds.Count(id => id == Shapes.Model.SegId), next.PromptIds.Count(id => id == Shapes.Model.SegId));
    }

    [Fact]
    public void Plain_text_without_special_tokens_is_the_same_prompt()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("one-128.png"));
        Answer parsed = session.Ask("<image>\nPlease segment the red square.");
        Answer plain = session.Ask("<image>\nPlease segment the red square.",
            new AskOptions { SpecialTokens = SpecialTokenText.PlainText });
        Assert.Equal(Shapes.Model.Tokenizer.Decode([.. parsed.PromptIds]), Shapes.Model.Tokenizer.Decode([.. plain.PromptIds]));
        Assert.Equal(parsed.Raw, plain.Raw);
    }

    [Fact]
    public void A_question_without_a_tag_gets_it_in_front()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        Assert.Equal(Shapes.Case("image-red-circle").PromptIds, session.Ask("Please segment the red circle.").PromptIds);
    }

    [Fact]
    public void Regions_belong_to_their_question()
    {
        PredictCase recorded = Shapes.Case("region-two");
        Mask[] regions = Regions(recorded);
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("square-230.png"));
        Answer plain = session.Ask("Please describe the image.");
        Answer marked = session.Ask(recorded.Prompt, new AskOptions { Regions = regions });
        Assert.Equal(recorded.PromptIds, marked.PromptIds);
        Assert.Equal(recorded.Prediction, marked.Raw);
        Assert.Equal(Shapes.Fingerprint(plain), Shapes.Fingerprint(session.Ask("Please describe the image.")));
    }

    internal static Mask[] Regions(PredictCase recorded)
    {
        (int width, int height, byte[] labels) = Media.ImageFile.LoadLabels(Fixtures.Path(recorded.Regions!.Split('/')));
        return RegionMasks.FromLabels(labels, width, height);
    }
}
