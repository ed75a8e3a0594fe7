using System.Diagnostics;
using System.Globalization;
using Sa2VA.Cli.Results;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>What <c>segment</c> and <c>describe</c> are asked for.</summary>
internal sealed record SegmentRequest
{
    /// <summary>The command, for the list of results.</summary>
    public required string Command { get; init; }

    /// <summary>When the command began, in the units of <see cref="Stopwatch"/>.</summary>
    public required long Start { get; init; }

    /// <summary>Pictures, or a video.</summary>
    public required MediaList Media { get; init; }

    /// <summary>Checkpoint.</summary>
    public required ModelChoice Model { get; init; }

    /// <summary>Questions.</summary>
    public required IReadOnlyList<string> Prompts { get; init; }

    /// <summary>Regions of the only picture that they speak of.</summary>
    public IReadOnlyList<Mask> Regions { get; init; } = [];

    /// <summary>How a video is followed; null for one as a stream, and for pictures.</summary>
    public RecordedOptions? Recorded { get; init; }

    /// <summary>What is shown on a picture; null for nothing.</summary>
    public Func<MediaInput, ShownObject?> Show { get; init; } = _ => null;

    /// <summary>Where results go.</summary>
    public required OutputChoice Output { get; init; }

    /// <summary>True for JSON lines.</summary>
    public required bool Json { get; init; }

    /// <summary>Masks of a lower score are left out.</summary>
    public required float MinScore { get; init; }

    /// <summary>Where to compute.</summary>
    public required Device Device { get; init; }

    /// <summary>Prints a question and its answer for people.</summary>
    public required Action<string, Answer> Print { get; init; }

    /// <summary>True where an answer that shows nothing is worth a note.</summary>
    public bool NotesNothingFound { get; init; }

    /// <summary>How answers are made.</summary>
    public required AskOptions Ask { get; init; }

    /// <summary>What an object is called that no phrase names; null for the question.</summary>
    public string? NoPhrase { get; init; }
}

/// <summary>
/// Segments pictures one after the other, or a video, with one model. Of several pictures, one that cannot be used is told and the others
/// go on; what is complete stays, whatever ends the job.
/// </summary>
internal sealed class SegmentJob(Terminal terminal, SegmentRequest request)
{
    private readonly MediaList _media = request.Media;
    private readonly bool _isOne = request.Media.Only is not null;
    private readonly JsonLines? _json = request.Json ? new JsonLines(terminal.Out) : null;
    private readonly IReadOnlyList<string> _folders = request.Media.Only is null ? request.Media.Names() : [""];
    private double _load;
    private int _done, _dropped;

    /// <summary>Runs it.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync()
    {
        ShownObject? shown = _media.Only is { } only ? request.Show(only) : null;
        using ResultFolder? results = request.Output.Folder is not { } folder ? null : new ResultFolder(folder, new RunDescription
        {
            Command = request.Command, Model = request.Model.Given, Prompts = request.Prompts, Shown = shown?.Text,
            Source = _isOne ? _media.Sources[0] : Plural.Of(_media.Sources.Count, "picture"),
        }, request.Output.Overwrite, request.Output.Content, terminal.Cancellation);
        for (int i = 0; i < _folders.Count; i++)
            results?.Expect(_media.Only?.Frames ?? 1, _media.Only?.Video is not null, _folders[i], NamesOf(i));

        using Sa2VAModel model = ModelLoader.Load(terminal, request.Model, request.Device);
        _load = Seconds();
        try
        {
            for (int i = 0; i < _folders.Count; i++)
            {
                if (!_isOne) terminal.Progress.Within("picture", i, _folders.Count);
                try
                {
                    await RunAsync(model, results, i).ConfigureAwait(false);
                    _done++;
                }
                catch (Exception e) when (!_isOne && e is MediaException or PromptException)
                {
                    terminal.Note("sa2va: " + Quoted.Line(e.Message));
                    _json?.Error(Quoted.Line(e.Message), ExitCode.BadInput);
                }
            }
            if (!_isOne) results?.Complete();
        }
        catch (Exception e) when (!_isOne)
        {
            // A picture is done when its files are.
            results?.Settle();
            if (results is not null) _done = results.Parts;
            if (_done == 0) throw;
            Commit(results);
            if (e is not StreamException) terminal.Note(Completed(results));
            throw;
        }
        if (!_isOne && _done > 0) Commit(results);
        terminal.Progress.Clear();
        Tell(results);
        return _done == _folders.Count ? ExitCode.Success : ExitCode.BadInput;
    }

    private async Task RunAsync(Sa2VAModel model, ResultFolder? results, int index)
    {
        double before = _isOne ? 0 : Seconds();
        MediaInput media = _media.Open(index);
        using MediaInput? opened = _isOne ? null : media;
        ShownObject? shown = request.Show(media);
        using ResultPart? part = results?.Begin(media, _folders[index], NamesOf(index));
        _json?.Start(model, media, request.Recorded, index, _folders.Count);
        if (!_isOne && _json is null) terminal.WriteLine(FormattableString.Invariant($"{media.Source} ({index + 1} of {_folders.Count})"));
        var table = new ObjectTable();
        var run = new SegmentRun(terminal, model, media)
        {
            MinScore = request.MinScore,
            Recorded = request.Recorded,
            Logits = results?.Content.Has(ResultFormats.Soft) == true,
            QuestionNames = request.NoPhrase is null,
            NotesNothingFound = request.NotesNothingFound, Ask = request.Ask, NamesPicture = !_isOne,
            OnAnswer = (i, answer) =>
            {
                _json?.Answer(i, answer);
                table.Add(request.NoPhrase ?? request.Prompts[i], answer);
                if (_json is null) request.Print(request.Prompts[i], answer);
            },
            OnShown = (id, what) =>
            {
                _json?.Shown(id, what);
                table.Add(id, what);
            },
            OnFrame = frame =>
            {
                part?.Add(frame);
                _json?.Frame(frame);
                table.Add(frame);
                if (!_isOne && _json is null) Print(frame);
            },
        };
        SegmentSummary summary = await run.RunAsync(request.Prompts, request.Regions, shown).ConfigureAwait(false);
        _dropped += summary.Dropped;
        part?.Finish();
        // What cannot be put in its place is no success, so there is no end before.
        if (_isOne) results?.Commit();
        _json?.End(summary, index == 0 ? _load : 0, Seconds() - before, _isOne ? results?.Path : null,
            _isOne || results is null ? null : _folders[index]);
        if (_isOne && _json is null) table.Print(terminal);
        if (results?.AnimationProblem is { } problem) terminal.Note(problem);
    }

    /// <summary>Puts the files of several pictures in their place; only now it is known where that is.</summary>
    private void Commit(ResultFolder? results)
    {
        if (results is null) return;
        results.Commit();
        _json?.Results(results.Path, _folders.Count, _done);
    }

    private void Print(SegmentedFrame frame)
    {
        foreach (SegmentedObject o in frame.Objects)
            terminal.WriteLine(FormattableString.Invariant($"  object {o.Id}: {o.Mask.Area} px, score {o.Score:0.00}"));
    }

    private void Tell(ResultFolder? results)
    {
        if (_dropped > 0)
            terminal.Note($"{Plural.Of(_dropped, "mask")} with a score below --min-score "
                + $"{request.MinScore.ToString(CultureInfo.InvariantCulture)} {(_dropped == 1 ? "was" : "were")} left out.");
        if (_done < _folders.Count) terminal.Note(Completed(results));
        else if (_json is null && results is { Written.IsEmpty: false })
            terminal.WriteLine($"{results.Written.Text} in {results.Path} "
                + FormattableString.Invariant($"({Seconds():0.0} s, {_load:0.0} s of it loading)"));
    }

    private string Completed(ResultFolder? results) =>
        FormattableString.Invariant($"{_done} of {_folders.Count} pictures were segmented")
        + (results is { Written.IsEmpty: false } ? $": {results.Written.Text} in {results.Path}." : ".");

    private FrameNames NamesOf(int index) => !request.Output.NamesOfSource ? FrameNames.ByIndex
        : _media.Only is { } only ? FrameNames.BySource(only.Frames, only.FrameName)
        : FrameNames.BySource(1, _ => MediaInput.NameOf(_media.Sources[index]));

    private double Seconds() => Stopwatch.GetElapsedTime(request.Start).TotalSeconds;
}
