using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Conversations that go on in several ways, and about other pictures.</summary>
public sealed class ForkTests
{
    private const string Circle = "Please segment the red circle.", Star = "Please segment the blue star.", What = "What can you see?";
    private static readonly AskOptions More = new() { FollowUp = true };

    [Fact]
    public void A_fork_goes_on_as_its_session_would_have_and_neither_notices_the_other()
    {
        using ImageSession alone = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        string[] expected = [Shapes.Fingerprint(alone.Ask(Circle)), Shapes.Fingerprint(alone.Ask(Star, More)),
            Shapes.Fingerprint(alone.Ask(What, More))];
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        Assert.Equal(expected[0], Shapes.Fingerprint(session.Ask(Circle)));
        ImageSession fork = session.Fork();
        Answer other = session.Ask(What, More);
        Answer star = fork.Ask(Star, More);
        Assert.Equal(expected[1], Shapes.Fingerprint(star));
        // Numbers go on in each.
        Assert.Equal(1, star.Objects[0].Id);
        using ImageSession again = fork.Fork();
        fork.Dispose();
        Assert.Equal(expected[2], Shapes.Fingerprint(again.Ask(What, More)));
        session.Undo();
        Assert.Equal(Shapes.Fingerprint(other), Shapes.Fingerprint(session.Ask(What, More)));
        // Objects that were named before can be corrected in either, with one result.
        var click = new VisualPrompt(new Click(60, 40));
        Assert.Equal(Shapes.Fingerprint(session.Correct(0, click)), Shapes.Fingerprint(again.Correct(0, click)));
        Assert.Throws<PromptException>(() => session.Correct(1, click));
        again.Correct(1, click);
    }

    [Fact]
    public async Task What_sessions_share_is_computed_once()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        List<string> runs = [];
        device.Before = name =>
        {
            lock (runs) runs.Add(name);
        };
        ImageSession first = model.OpenImage(Shapes.Image("shapes.png"));
        // Of a session that has encoded nothing yet, whose forks do at once.
        ImageSession[] forks = [first, first.Fork(), first.Fork()];
        Answer[] answers = await Task.WhenAll(forks.Select(f => f.AskAsync(Circle)));
        Assert.Single(answers.Select(Shapes.Fingerprint).Distinct());
        int tiles = model.Config.Family.Grids(first.Image.Width, first.Image.Height, model.Config).Count;
        Assert.Equal((tiles, 1), (runs.Count(r => r == "vision tower"), runs.Count(r => r == "image encoder")));
        Assert.All(forks, f => Assert.Equal(1, f.EncoderRuns));
        // And of one that has said something: only what is new is computed.
        using ImageSession late = forks[1].Fork();
        foreach (ImageSession f in forks) f.Dispose();
        Answer more = late.Ask(Star, More);
        int said = answers[0].PromptIds.Count + answers[0].TokenIds.Count;
        Assert.Equal(more.PromptIds.Count - answers[0].PromptIds.Count, late.PrefilledTokens);
        Assert.True(more.PromptIds.Count > said);
        Assert.Equal((tiles, 1), (runs.Count(r => r == "vision tower"), runs.Count(r => r == "image encoder")));
        late.Dispose();
        Assert.Equal(0, model.LanguageModel.Pages.HeldPages);
        device.Before = null;
    }

    [Fact]
    public void Nothing_of_forks_is_held_when_all_are_closed()
    {
        using Sa2VAModel model = Shapes.Load();
        long[] held = new long[3];
        for (int round = 0; round < held.Length; round++)
        {
            ImageSession first = model.OpenImage(Shapes.Image("shapes.png"));
            first.Ask(Circle);
            VideoSession video = first.ForkWithVideo(Shapes.Clip[..2]);
            video.Ask(Star, More);
            video.Next(Shapes.Clip[0]);
            VideoSession other = video.Fork();
            video.Dispose();
            first.Dispose();
            other.Next(Shapes.Clip[1]);
            other.Dispose();
            held[round] = Shapes.Held(model).Buffers;
        }
        Assert.Equal(held[1], held[2]);
        Assert.Equal(0, model.Segmentation.Banks.MemorySlots.Taken);
    }

    [Fact]
    public void A_text_session_forks()
    {
        using TextSession session = Shapes.Model.OpenText();
        using TextSession empty = session.Fork();
        Answer hello = session.Ask("Hello");
        using TextSession fork = session.Fork();
        Assert.Equal(Shapes.Fingerprint(session.Ask("What can you do?", More)), Shapes.Fingerprint(fork.Ask("What can you do?", More)));
        Assert.Throws<PromptException>(() => empty.Ask("And?", More));
        Assert.Equal(Shapes.Fingerprint(hello), Shapes.Fingerprint(empty.Ask("Hello")));
    }

    [Fact]
    public void A_stream_forks_with_what_its_objects_remember()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..3], new VideoOptions { KeepFrames = 2 });
        session.Ask(Circle);
        for (int t = 0; t < 5; t++) session.Next(Shapes.Clip[t]);
        using VideoSession fork = session.Fork();
        Assert.Equal(session.Frames, fork.Frames);
        Assert.Equal(Shapes.Fingerprint(session.Ask(Star, More)), Shapes.Fingerprint(fork.Ask(Star, More)));
        fork.Remove(0);
        for (int t = 5; t < 8; t++)
        {
            FrameMasks masks = session.Next(Shapes.Clip[t]), forked = fork.Next(Shapes.Clip[t]);
            Assert.Equal(2, masks.Objects.Count);
            Assert.Equal(Shapes.Fingerprint(masks.Objects[1]), Shapes.Fingerprint(Assert.Single(forked.Objects)));
        }
        Assert.Equal(2, fork.RecentFrames(2).Count);
    }

    [Theory, InlineData("wide-401x199.png", "one-128.png"), InlineData("one-128.png", "pair-150.png")]
    public void Another_picture_stands_in_its_turn_and_has_the_bits_of_the_whole_prompt(string first, string second)
    {
        using Sa2VAModel model = Shapes.Load();
        AnotherPicture(model, Shapes.Image(first), Shapes.Image(second));
    }

    [Theory, InlineData("qwen2_5-vl"), InlineData("qwen3-vl")]
    public void Another_picture_has_positions_behind_what_was_said(string kind)
    {
        using var models = new QwenVlSessionTests.LoadedModels();
        AnotherPicture(models.Load(kind), Shapes.Image("qwen-a.png"), Shapes.Image("qwen-b.png"));
    }

    private static void AnotherPicture(Sa2VAModel model, RgbImage first, RgbImage second)
    {
        using ImageSession one = model.OpenImage(first);
        var limit = new AskOptions { MaxNewTokens = 8 };
        Answer before = one.Ask(Circle, limit);
        using ImageSession two = one.ForkWithImage(second);
        Assert.Same(second, two.Image);
        // A [SEG] whatever the model says: its vector has the bits of all that came before.
        var begun = new AskOptions { MaxNewTokens = 8, AnswerPrefix = "[SEG]", FollowUp = true };
        Answer after = two.Ask(What, begun);
        int[] said = [.. before.PromptIds, .. before.TokenIds];
        Assert.Equal(said, after.PromptIds.Take(said.Length));
        int context = model.Prompt.ContextId;
        (ModelFamily family, Sa2VAConfig config) = (model.Config.Family, model.Config);
        IReadOnlyList<RgbImage> tiles = family.Tiles(second, config), all = [.. family.Tiles(first, config), .. tiles];
        int rows = tiles.Sum(t => family.GridOf(t, config).Count);
        Assert.Equal(rows, after.PromptIds.Skip(said.Length).Count(id => id == context));
        // What is new is computed, the first answer and the beginning of this one too, and nothing else.
        Assert.Equal(after.PromptIds.Count + 1 - before.PromptIds.Count, two.PrefilledTokens);

        // As if both had been one picture of a prompt that was never computed in part.
        using Sa2VAModel whole = Sa2VAModel.Load(model.Name == "sa2va-tiny-shapes" ? Shapes.Folder : Fixtures.Model(model.Name),
            new CpuDevice());
        using var both = new ShownPictures(ImageTokens.Of(whole, all));
        int next = 0;
        int[] prompt = [.. after.PromptIds.Select(id => id == context ? -1 - next++ : id), model.SegId];
        both.EncodeAsync(prompt, _ => null, CancellationToken.None).GetAwaiter().GetResult();
        using var conversation = new Conversation(whole.LanguageModel, both);
        conversation.Begin(prompt);
        TokenPositions? positions = config.Language.Rotary is null ? null : TokenPositions.Of(prompt, both.Grids);
        var tokens = new PromptTokens(prompt, positions, [prompt.Length - 1], 1);
        Generated generated = whole.Generation.RunAsync(conversation, whole.SegVectors, tokens, new TokenRules(8, null, []), default,
            CancellationToken.None).GetAwaiter().GetResult();
        Assert.Equal(generated.Ids, after.TokenIds);
        generated.Segs[0].Written.WhenReached().GetAwaiter().GetResult();
        Assert.Equal(generated.Segs[0].Values, after.Objects[0].Embedding.ToArray());
        foreach (SegVector seg in generated.Segs) seg.Dispose();

        // Masks are those of the new picture; what was named before is none of it.
        Assert.All(after.Objects, o => Assert.Equal((second.Width, second.Height), (o.Mask!.Width, o.Mask.Height)));
        Assert.Equal(before.Objects.Count, after.Objects[0].Id);

        // A question that is no follow-up is about the new picture alone.
        using ImageSession fresh = model.OpenImage(second);
        Answer asked = fresh.Ask(Star, limit);
        long computed = two.PrefilledTokens;
        Assert.Equal(Shapes.Fingerprint(asked), Shapes.Fingerprint(two.Ask(Star, limit)));
        // Found among what the other session has computed, although its rows have other numbers there.
        Assert.InRange(two.PrefilledTokens - computed, 1, asked.PromptIds.Count - KvLayout.PageRows);
    }

    [Fact]
    public void Pictures_and_videos_follow_each_other_in_any_order()
    {
        using TextSession text = Shapes.Model.OpenText();
        text.Ask("Hello");
        using ImageSession image = text.ForkWithImage(Shapes.Image("one-128.png"));
        Answer one = image.Ask("Tell me: <image> What is this?", More);
        Assert.Contains("<img>", one.Raw + Shapes.Model.Tokenizer.Decode([.. one.PromptIds]), StringComparison.Ordinal);
        Assert.Throws<PromptException>(() => image.Ask("<image> And this?", More));
        using VideoSession video = image.ForkWithVideo(Shapes.Clip[..3]);
        // So much talk is not what the small model was trained on; it is helped to segment.
        AskOptions segment = More with { AnswerPrefix = "Sure, [SEG]." };
        Answer clip = video.Ask(Circle, segment);
        string prompt = Shapes.Model.Tokenizer.Decode([.. clip.PromptIds]);
        Assert.Equal(4, prompt.Split("<img>").Length - 1);
        Assert.Single(video.Next(Shapes.Clip[0]).Objects);
        using ImageSession last = video.ForkWithImage(Shapes.Image("shapes.png"));
        Assert.Equal(1, last.Ask(Circle, segment).Objects[0].Id);
        // Taken back: the next question shows the picture.
        last.Undo();
        Answer again = last.Ask(What, More);
        Assert.Equal(5, Shapes.Model.Tokenizer.Decode([.. again.PromptIds]).Split("<img>").Length - 1);
        Assert.Equal(again.PromptIds.Count, again.PromptIds.Zip(last.Ask("Why?", More).PromptIds).Count(p => p.First == p.Second));
    }

    [Fact]
    public void A_session_with_earlier_pictures_is_saved_and_goes_on()
    {
        using ImageSession image = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        image.Ask(What);
        using VideoSession video = image.ForkWithVideo(Shapes.Clip[..2]);
        // Once before the video is shown, and once behind that.
        for (int round = 0; round < 2; round++)
        {
            byte[] state = States(video);
            using VideoSession restored = Shapes.Model.RestoreVideo(new MemoryStream(state));
            Assert.Equal(state, States(restored));
            using VideoSession forked = video.Fork();
            Assert.Equal(Shapes.Fingerprint(forked.Ask(Circle, More)), Shapes.Fingerprint(restored.Ask(Circle, More)));
            Assert.Equal(Shapes.Fingerprint(forked.Next(Shapes.Clip[0]).Objects[^1]),
                Shapes.Fingerprint(restored.Next(Shapes.Clip[0]).Objects[^1]));
            video.Ask(Star, More);
        }

        static byte[] States(VideoSession session) => State.States.Of(session).ToArray();
    }

    [Fact]
    public void What_was_said_elsewhere_is_taken_up()
    {
        using ImageSession said = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        Answer circle = said.Ask(Circle);
        Answer expected = said.Ask(Star, More);
        using ImageSession taken = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        Assert.Throws<PromptException>(() => taken.Recall(Circle, ""));
        Assert.Throws<PromptException>(() => taken.Recall(Circle, "Sure, [SEG].<|im_end|>"));
        Assert.Throws<PromptException>(() => taken.Recall(" ", "Sure, [SEG]."));
        Assert.Throws<PromptException>(() => taken.Recall(Circle, "Sure, [SEG].", More));
        taken.Recall(Circle, circle.Text);
        Answer star = taken.Ask(Star, More);
        Assert.Equal(expected.PromptIds, star.PromptIds);
        Assert.Equal(expected.Raw, star.Raw);
        Assert.Equal(Shapes.Hash(expected.Objects[0].Mask!.Pixels), Shapes.Hash(star.Objects[0].Mask!.Pixels));
        taken.Undo();
        taken.Undo();
        Assert.Throws<PromptException>(taken.Undo);
    }

    [Fact]
    public void Two_pictures_whose_tokens_are_computed_together_are_told_apart()
    {
        RgbImage first = Shapes.Image("one-128.png"), second = Shapes.Image("pair-150.png");
        using ImageSession said = Shapes.Model.OpenImage(first);
        Answer circle = said.Ask(Circle);
        using ImageSession next = said.ForkWithImage(second);
        // Another model has none of the pages: both pictures would fit one run.
        using Sa2VAModel model = Shapes.Load();
        using ImageSession taken = model.OpenImage(first);
        taken.Recall(Circle, circle.Text);
        using ImageSession whole = taken.ForkWithImage(second);
        Answer answer = whole.Ask(Star, More);
        Assert.Equal(answer.PromptIds.Count, whole.PrefilledTokens);
        Assert.Equal(Shapes.Fingerprint(next.Ask(Star, More)), Shapes.Fingerprint(answer));
    }

    [Fact]
    public async Task What_cannot_be_forked_is_refused()
    {
        ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        var refused = new List<Exception?>();
        await session.AskAsync(Circle, new AskOptions
        {
            Progress = new Reports<AskProgress>(_ =>
            {
                if (refused.Count > 0) return;
                refused.Add(Record.Exception(() => session.Fork()));
                refused.Add(Record.Exception(() => session.ForkWithImage(Shapes.Clip[0])));
                refused.Add(Record.Exception(() => session.Recall("a", "b")));
            }),
        });
        Assert.All(refused, e => Assert.IsType<SessionBusyException>(e));
        Assert.Throws<MediaException>(() => session.ForkWithVideo([]));
        Assert.Throws<PromptException>(() => session.ForkWithVideo(Shapes.Clip[..14]));
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Fork());
        Assert.Throws<ObjectDisposedException>(() => session.ForkWithVideo(Shapes.Clip[..1]));
    }
}
