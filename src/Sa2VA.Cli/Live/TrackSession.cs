using System.Diagnostics;
using System.Globalization;
using System.Runtime.ExceptionServices;
using Sa2VA.Cli.Results;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli.Live;

/// <summary>A run of <c>track</c> with all that it tells: lines, a table, files, pictures in the terminal and in browsers.</summary>
/// <param name="terminal">Where it is told.</param>
/// <param name="source">What is followed; not owned.</param>
/// <param name="start">When the command began, in the units of <see cref="Stopwatch"/>.</param>
internal sealed class TrackSession(Terminal terminal, LiveSource source, long start)
{
    private readonly ObjectTable _table = new();
    private double _load;

    /// <summary>What is followed.</summary>
    public required TrackRequest Request { get; init; }

    /// <summary>Checkpoint.</summary>
    public required ModelChoice Model { get; init; }

    /// <summary>Where files go.</summary>
    public required OutputChoice Output { get; init; }

    /// <summary>True for JSON lines.</summary>
    public required bool Json { get; init; }

    /// <summary>Where browsers see it; null for nowhere.</summary>
    public int? Port { get; init; }

    /// <summary>True to show pictures in the terminal, if it can.</summary>
    public bool Preview { get; init; }

    /// <summary>Runs it.</summary>
    /// <param name="device">Where to compute.</param>
    /// <param name="notes">What is to be said of the input.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(Device device, HeldNotes notes)
    {
        JsonLines? json = Json ? new JsonLines(terminal.Out) : null;
        using ResultFolder? results = Output.Folder is not { } folder ? null : new ResultFolder(folder, new RunDescription
        {
            Command = "track", Model = Model.Given, Prompts = Request.Prompts, Source = source.Name,
            Shown = Request.Shown is { } shown ? new ShownObject(shown, 0, null).Text : null,
        }, Output.Overwrite, Output.Content);
        FrameNames names = Output.NamesOfSource ? source.Names : FrameNames.ByIndex;
        results?.Expect(0, isVideo: true, "", names);
        using ResultPart? part = results?.Begin(new MediaInput(source, notes), "", names);
        // Masks are written soon; an encoder may hang, and is not to keep them.
        await using var patience = new Timer(_ => part?.GiveUpAnimation());
        using CancellationTokenRegistration stopping = terminal.Cancellation.UnsafeRegister(
            _ => patience.Change(terminal.Patience, Timeout.InfiniteTimeSpan), null);
        await using MjpegServer? server = Port is { } port ? new MjpegServer(port) : null;
        if (server is not null && json is null) terminal.Note($"Pictures are at {server.Address}");
        TerminalPicture? picture = Preview && json is null ? terminal.Picture() : null;
        var run = new TrackRun(terminal, source, Request, notes)
        {
            QuietQuestions = picture is not null,
            OnStart = model =>
            {
                _load = Seconds();
                json?.Start(model, source, Request.Queue, server?.Address);
            },
            OnAnswer = (i, answer) =>
            {
                json?.Answer(i, answer);
                _table.Add(Request.Prompts[i], answer);
                if (json is not null) return;
                terminal.WriteLine($"> {Request.Prompts[i]}");
                terminal.WriteLine($"  {answer.Text}");
            },
            OnShown = (id, what) =>
            {
                json?.Shown(id, what);
                _table.Add(id, what);
            },
            OnReAsked = result =>
            {
                json?.ReAsked(result);
                if (json is not null) return;
                foreach (int id in result.FoundAgain) terminal.Note(FormattableString.Invariant($"Object {id} was found again."));
                foreach (int id in result.Newcomers) terminal.Note(FormattableString.Invariant($"Object {id} is new."));
            },
            OnFrame = (frame, latency, counters) =>
            {
                notes.Tell();
                Keep(part, frame);
                json?.Frame(frame, latency);
                _table.Add(frame);
                if (server is { IsWatched: true })
                    server.Show(ImageFile.ToJpeg(Overlay.Draw(frame.Image!, [.. frame.Objects.Select(o => o.ToResult())])));
                string status = Status(counters, latency);
                if (picture is not null) picture.Show(frame.Image!, [.. frame.Objects.Select(o => (o.Id, o.Mask))], status);
                else terminal.Progress.Line(status);
            },
        };
        Exception? ended = null;
        try
        {
            await run.RunAsync(() => ModelLoader.Load(terminal, Model, device)).ConfigureAwait(false);
        }
        // Of what was tracked until then nothing is lost.
        catch (Exception e) when (_load > 0 && e is MediaException or OperationCanceledException)
        {
            ended = e;
        }
        terminal.Progress.Clear();
        part?.Finish();
        results?.Complete();
        if (results?.AnimationProblem is { } problem) terminal.Note(problem);
        foreach (string note in run.NothingSeen) terminal.Note(note);
        bool any = results is { Written.IsEmpty: false };
        if (any) results!.Commit();
        bool stopped = terminal.Cancellation.IsCancellationRequested;
        json?.End(run, stopped ? "stopped" : ended is MediaException ? "lost" : "end", (_load, Seconds()),
            any ? results!.Path : null);
        if (json is null) Tell(run, results);
        if (ended is not null && (ended is MediaException || stopped))
            ExceptionDispatchInfo.Throw(ended);
        return ExitCode.Success;
    }

    private void Tell(TrackRun run, ResultFolder? results)
    {
        _table.Print(terminal);
        if (run.Dropped > 0)
            terminal.Note($"{Plural.Of(run.Dropped, "mask")} with a score below --min-score "
                + $"{Request.MinScore.ToString(CultureInfo.InvariantCulture)} {(run.Dropped == 1 ? "was" : "were")} left out.");
        LiveCounters c = run.Counters;
        if (c.Pushed > 0)
        {
            terminal.WriteLine(FormattableString.Invariant($"{Plural.Of(c.Pushed, "frame")} in, {c.Tracked} tracked, {c.Dropped} dropped")
                + Some(c.Expired, "late") + Some(c.Cancelled, "cancelled") + Some(c.Failed, "failed")
                + Some(c.Unread, "tracked but not told"));
            terminal.WriteLine(FormattableString.Invariant($"Latency: half within {Milliseconds(c.LatencyP50)} ms, 95 of 100 within ")
                + FormattableString.Invariant($"{Milliseconds(c.LatencyP95)} ms, 99 of 100 within {Milliseconds(c.LatencyP99)} ms"));
        }
        if (results is { Written.IsEmpty: false }) terminal.WriteLine($"{results.Written.Text} in {results.Path}");
    }

    private void Keep(ResultPart? part, SegmentedFrame frame)
    {
        if (part is null) return;
        (int width, int height) = (frame.Image!.Width, frame.Image.Height);
        if ((width, height) != (source.Width, source.Height))
            throw new MediaException(FormattableString.Invariant($"{source.Name} changes its size at frame {frame.Index} from ")
                + FormattableString.Invariant($"{source.Width}×{source.Height} to {width}×{height}; --out keeps frames of one size."));
        part.Add(frame);
    }

    private static string Some(long count, string what) => count == 0 ? "" : FormattableString.Invariant($", {count} {what}");

    private static string Status(LiveCounters c, TimeSpan latency) => FormattableString.Invariant(
        $"{c.Pushed} frames in, {c.Tracked} tracked, {c.Dropped + c.Expired} left out, {Milliseconds(latency)} ms");

    private static string Milliseconds(TimeSpan time) => time.TotalMilliseconds.ToString("0", CultureInfo.InvariantCulture);

    private double Seconds() => Stopwatch.GetElapsedTime(start).TotalSeconds;
}
