using Sa2VA.Cpu;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>How far the work has come, also within a tile, a chunk, a picture or a frame.</summary>
public sealed class ProgressTests
{
    private const string Circle = "Please segment the red circle.", Both = "Please segment the red circle and the blue star.";
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void A_question_tells_parts_of_tiles_chunks_and_the_picture()
    {
        // One that has read none of the prompt yet.
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 2 });
        List<AskProgress> reports = Ask(model, out _);
        foreach ((AskStage stage, int units) in new[] { (AskStage.Vision, 13), (AskStage.Features, 1) })
        {
            AskProgress[] told = [.. reports.Where(r => r.Stage == stage)];
            Assert.All(told, r => Assert.Equal(units, r.Total));
            Assert.Equal(told.Select(r => r.Amount).Order().Distinct(), told.Select(r => r.Amount));
            for (int unit = 0; unit < units; unit++)
            {
                double[] parts = [.. told.Where(r => r.Done == unit && r.Part > 0).Select(r => r.Part)];
                // Every layer of the tower is some share; none is told a hundred times.
                Assert.InRange(parts.Length, 5, 100);
                Assert.True(parts[0] < 0.5 && parts[^1] is > 0.5 and < 1, $"{stage}: {string.Join(' ', parts)}");
            }
            Assert.Equal(units, told[^1].Amount);
        }
        AskProgress[] prefill = [.. reports.Where(r => r.Stage == AskStage.Prefill)];
        Assert.True(prefill.Length > 10 && prefill[0].Amount < prefill[^1].Total / 2.0);
        Assert.Equal(prefill.Select(r => r.Amount).Order().Distinct(), prefill.Select(r => r.Amount));
        Assert.Equal(prefill[^1].Total, prefill[^1].Amount);
    }

    [Fact]
    public void Who_is_told_is_not_held_by_the_model()
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = 2 });
        Ask(model, out WeakReference who);
        for (int i = 0; i < 20 && who.IsAlive; i++) GC.Collect();
        Assert.False(who.IsAlive);
    }

    [Fact]
    public async Task A_frame_tells_its_share_up_to_the_next_one()
    {
        List<double> shares = [];
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], new VideoOptions { Progress = new Reports<double>(Add) });
        session.Ask(Both, cancellation: Cancellation);
        for (int t = 0; t < 4; t++)
        {
            session.Next(Shapes.Clip[t], Cancellation);
            Check(shares, tracked: t >= 2);
        }
        // While the next frame is encoded beside the trackers, it is the one that is due which is told.
        int index = 4;
        await foreach (FrameMasks _ in session.TrackAsync(Frames(), Cancellation))
        {
            lock (shares) Check(shares, tracked: true, ahead: index > 5);
        }
        Assert.Equal(8, session.Frames);

        async IAsyncEnumerable<Sa2VA.Models.RgbImage> Frames()
        {
            for (; index < 8; index++) yield return Shapes.Clip[index];
            await Task.CompletedTask;
        }

        void Add(double share)
        {
            lock (shares) shares.Add(share);
        }
    }

    [Theory]
    [InlineData(TrackDirection.Both)]
    [InlineData(TrackDirection.Forward)]
    public async Task A_recorded_video_tells_parts_of_its_frames(TrackDirection direction)
    {
        List<TrackProgress> told = [];
        using RecordedSession session = Shapes.Model.OpenRecorded(6, t => Shapes.Clip[t],
            new RecordedOptions { Direction = direction, Start = 2, LanguageFrames = FrameSelection.Explicit([0, 2]) }, Cancellation);
        session.Ask(Both, cancellation: Cancellation);
        await foreach (FrameMasks _ in session.TrackAsync(new Reports<TrackProgress>(told.Add), Cancellation)) { }
        double[] amounts = [.. told.Select(r => r.Done + r.Part)];
        Assert.Equal(amounts.Order(), amounts);
        // Frames that are prompted, and those that are tracked on.
        Assert.All(told, r => Assert.Equal(session.TrackedFrames + 2, r.Total));
        Assert.Equal(told[0].Total, told[^1].Done);
        // Those that were prompted are not computed again when they are passed.
        Assert.Equal(told[0].Total - 2, Enumerable.Range(0, told[0].Total).Count(u => told.Exists(r => r.Done == u && r.Part > 0.02)));
    }

    [Fact]
    public async Task One_who_throws_when_told_fails_the_frame_and_nothing_else()
    {
        bool throws = false;
        List<string> expected = [];
        using (VideoSession plain = Shapes.Model.OpenVideo(Shapes.Clip[..2]))
        {
            plain.Ask(Circle, cancellation: Cancellation);
            for (int t = 0; t < 5; t++) expected.Add(Print(plain.Next(Shapes.Clip[t], Cancellation)));
        }
        var progress = new Reports<double>(_ =>
        {
            if (throws) throw new InvalidTimeZoneException();
        });
        using VideoSession session = Shapes.Model.OpenVideo(Shapes.Clip[..2], new VideoOptions { Progress = progress });
        session.Ask(Circle, cancellation: Cancellation);
        // It waits on the same queues meanwhile.
        using VideoSession beside = Shapes.Model.OpenVideo(Shapes.Clip[..2]);
        beside.Ask(Circle, cancellation: Cancellation);
        Task others = Task.Run(() =>
        {
            for (int t = 0; t < 5; t++) Assert.Equal(expected[t], Print(beside.Next(Shapes.Clip[t], Cancellation)));
        }, Cancellation);
        for (int t = 0; t < 5; t++)
        {
            throws = true;
            Assert.Throws<InvalidTimeZoneException>(() => session.Next(Shapes.Clip[40], Cancellation));
            throws = false;
            Assert.Equal(expected[t], Print(session.Next(Shapes.Clip[t], Cancellation)));
        }
        await others;
    }

    private static string Print(FrameMasks masks) => string.Join('\n', masks.Objects.Select(Shapes.Fingerprint));

    private static void Check(List<double> shares, bool tracked, bool ahead = false)
    {
        Assert.Equal(shares.Order().Distinct(), shares);
        Assert.True(shares[^1] is > 0.8 and < 1);
        // What was encoded ahead was not told.
        if (!ahead) Assert.True(shares[0] < 0.2);
        Assert.InRange(shares.Count, tracked ? 10 : 5, 300);
        shares.Clear();
    }

    // The session is gone when this returns.
    private static List<AskProgress> Ask(Sa2VAModel model, out WeakReference who)
    {
        List<AskProgress> reports = [];
        var progress = new Reports<AskProgress>(reports.Add);
        who = new WeakReference(progress);
        using ImageSession session = model.OpenImage(Shapes.Image("shapes.png"));
        session.Ask(Both, new AskOptions { Progress = progress }, Cancellation);
        return reports;
    }
}
