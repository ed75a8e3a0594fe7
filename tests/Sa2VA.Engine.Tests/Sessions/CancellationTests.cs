using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Tests.Sessions;

/// <summary>Cancelled at every report of progress and after random times: an OperationCanceledException, and nothing is spoilt.</summary>
public sealed class CancellationTests
{
    [Fact]
    public void A_question_at_every_stage()
    {
        const string question = "Please segment the red circle and the blue star.";
        // A model of its own, since sessions about the same picture share what they have computed.
        using Sa2VAModel model = Shapes.Load();
        var reports = new List<AskStage>();
        var stages = new HashSet<AskStage>();
        string expected;
        using (ImageSession reference = model.OpenImage(Shapes.Image("shapes.png")))
        {
            var options = new AskOptions { Progress = new Reports<AskProgress>(r => reports.Add(r.Stage)) };
            expected = Shapes.Fingerprint(reference.Ask(question, options));
        }
        for (int at = 0; at < reports.Count - 1; at++)
        {
            // The first and the last report of each stage, or all.
            bool isWithin = at > 0 && reports[at] == reports[at - 1] && reports[at] == reports[at + 1];
            if (isWithin && !FullRun.IsAsked) continue;
            using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
            using var stop = new CancellationTokenSource();
            int seen = 0;
            var options = new AskOptions
            {
                Progress = new Reports<AskProgress>(r =>
                {
                    if (seen++ != at) return;
                    stages.Add(r.Stage);
                    stop.Cancel();
                }),
            };
            Assert.Equal(stop.Token,
                Assert.Throws<OperationCanceledException>(() => session.Ask(question, options, stop.Token)).CancellationToken);
            Assert.Throws<PromptException>(() => session.Ask("And?", new AskOptions { FollowUp = true }));
            Assert.Equal(expected, Shapes.Fingerprint(session.Ask(question)));
        }
        Assert.Equal(Enum.GetValues<AskStage>(), stages.Order());
    }

    [Fact]
    public void A_question_after_any_time()
    {
        const string question = "Please segment the red circle.";
        using ImageSession reference = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Answer recorded = reference.Ask(question, new AskOptions { Logits = true });
        double whole = clock.Elapsed.TotalMilliseconds;
        string expected = string.Concat(recorded.Objects.Select(o => Shapes.Fingerprint(o.Mask!)));
        int cancelled = 0;
        for (int i = 0; i < 12; i++)
        {
            using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("shapes.png"));
            using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(whole * i / 12));
            try
            {
                session.Ask(question, new AskOptions { Logits = true }, stop.Token);
            }
            catch (OperationCanceledException)
            {
                cancelled++;
            }
            Assert.Equal(expected,
                string.Concat(session.Ask(question, new AskOptions { Logits = true }).Objects.Select(o => Shapes.Fingerprint(o.Mask!))));
        }
        Assert.True(cancelled > 0);
    }

    [Fact]
    public void A_follow_up_leaves_the_conversation_as_it_was()
    {
        using ImageSession session = Shapes.Model.OpenImage(Shapes.Image("square-150.png"));
        session.Ask(Shapes.Case("follow-up-first").Prompt);
        for (int at = 0; at < 8; at++)
        {
            using var stop = new CancellationTokenSource();
            int seen = 0;
            var progress = new Reports<AskProgress>(_ => { if (seen++ == at) stop.Cancel(); });
            var options = new AskOptions { FollowUp = true, Progress = progress };
            try
            {
                session.Ask("Please describe the image.", options, stop.Token);
                Assert.Fail("The question was not cancelled.");
            }
            catch (OperationCanceledException) { }
        }
        Assert.Equal(Shapes.Case("follow-up").Prediction,
            session.Ask(Shapes.Case("follow-up").Prompt, new AskOptions { FollowUp = true }).Raw);
    }

    [Fact]
    public void Before_the_start_nothing_happens()
    {
        var cancelled = new CancellationToken(true);
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..5]);
        Assert.Throws<OperationCanceledException>(() => session.Ask("Please segment the red circle.", cancellation: cancelled));
        session.Ask("Please segment the red circle.", new AskOptions { Logits = true });
        Assert.Throws<OperationCanceledException>(() => session.Next(Shapes.Clip[0], cancelled));
        Assert.Equal(0, session.EncoderRuns);
        Assert.Single(session.Next(Shapes.Clip[0]).Objects);
        Assert.Throws<OperationCanceledException>(() => Shapes.Load(cancellation: cancelled));
    }

    [Fact]
    public void Loading_at_many_points()
    {
        int reports = 0;
        using (Shapes.Load(progress: new Reports<LoadProgress>(_ => reports++))) { }
        for (int at = 0; at < reports; at += Math.Max(1, reports / 24))
        {
            using var stop = new CancellationTokenSource();
            int seen = 0;
            var progress = new Reports<LoadProgress>(_ => { if (seen++ == at) stop.Cancel(); });
            Assert.ThrowsAny<OperationCanceledException>(() => Shapes.Load(progress: progress, cancellation: stop.Token));
        }
        using Sa2VAModel model = Shapes.Load();
        using TextSession text = model.OpenText();
        Assert.Equal(Shapes.Case("text-hello").Prediction, text.Ask("Hello").Raw);
    }
}
