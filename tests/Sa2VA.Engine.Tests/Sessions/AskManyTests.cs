using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>Many questions about one picture: computed once what they share, answered as if each were alone.</summary>
public sealed class AskManyTests
{
    private static readonly string[] Questions =
    [
        "Please segment the red circle.", "Please segment the blue star.", "Please segment the yellow triangle and the red circle.",
        "What can you see?", "Please segment the red circle.",
    ];

    [Fact]
    public async Task Each_answer_is_the_one_that_its_question_has_alone()
    {
        foreach (AskOptions options in (AskOptions[])[new(), new() { Temperature = 12, Seed = 3, MaxNewTokens = 12 }])
        {
            string[] alone = [.. Questions.Select(question =>
            {
                using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
                return Shapes.Fingerprint(session.Ask(question, options));
            })];
            using ImageSession many = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
            IReadOnlyList<Answer> answers = await many.AskManyAsync(Questions, options);
            Assert.Equal(alone, answers.Select(Shapes.Fingerprint));
            Assert.Equal(Enumerable.Range(0, answers.Sum(a => a.Objects.Count)), answers.SelectMany(a => a.Objects).Select(o => o.Id));
        }
    }

    [Fact]
    public async Task The_picture_is_encoded_once_and_what_prompts_share_is_computed_once()
    {
        var device = new WatchedDevice();
        using Sa2VAModel model = Shapes.Load(device);
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        List<string> runs = [];
        device.Before = name =>
        {
            lock (runs) runs.Add(name);
        };
        IReadOnlyList<Answer> answers = await session.AskManyAsync(Questions);
        device.Before = null;
        int tiles = model.Config.Family.Grids(session.Image.Width, session.Image.Height, model.Config).Count;
        Assert.Equal((tiles, 1, 1), (Count("vision tower"), Count("image encoder"), session.EncoderRuns));
        // What all begin with, and what each has of its own.
        int shared = Enumerable.Range(0, answers.Min(a => a.PromptIds.Count) - 1)
            .First(i => answers.Any(a => a.PromptIds[i] != answers[0].PromptIds[i]));
        Assert.Equal((shared + 511) / 512 + Questions.Length, Count("prefill"));
        Assert.Equal(shared + answers.Sum(a => a.PromptIds.Count - shared), session.PrefilledTokens);
        // Together, not one after the other.
        Assert.True(Count("decode") < answers.Sum(a => a.TokenIds.Count) - Questions.Length);

        int Count(string name) => runs.Count(r => r == name);
    }

    [Fact]
    public async Task The_conversation_stays_as_it_is()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        Answer first = session.Ask(Questions[0]);
        await session.AskManyAsync(Questions[1..3]);
        IReadOnlyList<Answer> next = await session.AskManyAsync(Questions[1..3], new AskOptions { FollowUp = true });
        int[] said = [.. first.PromptIds, .. first.TokenIds];
        foreach (Answer answer in next) Assert.Equal(said, answer.PromptIds.Take(said.Length));
        Answer follows = session.Ask(Questions[1], new AskOptions { FollowUp = true });
        Assert.Equal(Shapes.Fingerprint(next[0]), Shapes.Fingerprint(follows));
        Assert.Empty(await session.AskManyAsync([]));
    }

    [Fact]
    public async Task What_fails_leaves_nothing_behind()
    {
        using Sa2VAModel model = Shapes.Load();
        using (ImageSession session = model.OpenImage(Shapes.Image("shapes.png")))
        {
            Answer first = session.Ask(Questions[0]);
            await Assert.ThrowsAsync<PromptException>(() => session.AskManyAsync([Questions[1], " "]));
            await Assert.ThrowsAsync<ArgumentNullException>(() => session.AskManyAsync([Questions[1], null!]));
            using var stop = new CancellationTokenSource();
            var options = new AskOptions { Progress = new Reports<AskProgress>(p => stop.Cancel()) };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.AskManyAsync(Questions[1..], options, stop.Token));
            Assert.Equal(first.Objects[^1].Id + 1, session.Ask(Questions[0]).Objects[0].Id);
        }
        Assert.Equal(0, model.LanguageModel.Pages.HeldPages);
    }

    [Fact]
    public async Task Objects_of_all_answers_join_a_stream()
    {
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        IReadOnlyList<Answer> answers = await session.AskManyAsync(Questions[..3]);
        Assert.Equal(4, session.ObjectCount);
        Assert.Equal(answers.SelectMany(a => a.Objects).Select(o => o.Id), session.Next(Shapes.Clip[0]).Objects.Select(o => o.Id));
        using TextSession text = Shapes.Model.OpenText();
        Assert.Equal(2, (await text.AskManyAsync(["Hello.", "What is a circle?"])).Count);
    }
}
