using System.Text.RegularExpressions;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli;

/// <summary>
/// A conversation on the terminal or through a pipe: questions and commands line by line. Ctrl+C stops the answer that is being given,
/// between answers the program.
/// </summary>
internal sealed partial class ChatLoop : IDisposable
{
    private const string Help = """
        /image FILE  show a picture; the talk goes on   /undo  take back the latest question
        /video PATH  show a video; the talk goes on     /new   forget what was said
        /save DIR    write the picture's masks so far   /quit  end, as Ctrl+D does
        """;

    private const string AtPrompt = "Ctrl+C once more ends the chat, as /quit does.";

    private readonly Terminal _terminal;
    private readonly Sa2VAModel _model;
    private readonly HeldNotes _notes;
    private readonly List<ObjectMask> _masks = [];
    private readonly Stack<int> _masksBefore = [];
    private ChatSession _session;
    private MediaInput? _opened;
    private int _turns;

    /// <param name="terminal">Where it is held.</param>
    /// <param name="model">Who answers.</param>
    /// <param name="media">What it is about; null for nothing. Not owned.</param>
    /// <param name="notes">Told what might not be expected.</param>
    public ChatLoop(Terminal terminal, Sa2VAModel model, MediaInput? media, HeldNotes notes)
    {
        (_terminal, _model, _notes) = (terminal, model, notes);
        _session = media?.OpenSession(model) ?? model.OpenText();
    }

    /// <summary>How answers are made.</summary>
    public required AskOptions Ask { get; init; }

    /// <summary>How pictures are read.</summary>
    public required MediaOptions Media { get; init; }

    /// <summary>Where each mask is written as soon as it is found; null for nowhere.</summary>
    public string? Out { get; init; }

    /// <summary>Reads lines and does what they say, to the last one.</summary>
    public async Task ReadAndAnswerAsync()
    {
        if (_terminal.InputIsTerminal) _terminal.Note("Ask, one question a line; /help lists commands, Ctrl+C stops an answer.");
        try
        {
            await ReadAndAnswerAsync(new QuestionReader(_terminal)).ConfigureAwait(false);
        }
        finally
        {
            _terminal.Interrupt = null;
        }
    }

    private async Task ReadAndAnswerAsync(QuestionReader questions)
    {
        while (true)
        {
            // The first Ctrl+C may have been meant for an answer that had just ended.
            bool isTold = false;
            if (_terminal.InputIsTerminal)
            {
                _terminal.Interrupt = () =>
                {
                    bool isTyped = questions.Interrupt(isTold ? null : AtPrompt), isMeant = isTold && !isTyped;
                    isTold = !isTyped;
                    return !isMeant;
                };
            }
            // Reading a console cannot be cancelled, waiting for it can.
            string? line = await Task.Run(questions.Read).WaitAsync(_terminal.Cancellation).ConfigureAwait(false);
            if (line is null) return;
            if (string.IsNullOrWhiteSpace(line)) continue;
            (string Name, string Argument)? command = Command().Match(line) is { Success: true } match
                ? (match.Groups[1].Value.ToLowerInvariant(), match.Groups[2].Value.Trim()) : null;
            if (command is ("quit" or "exit", "")) return;
            try
            {
                if (command is var (name, argument))
                {
                    _terminal.Interrupt = null;
                    Do(name, argument);
                }
                else await AnswerAsync(line, followUp: _turns > 0).ConfigureAwait(false);
            }
            catch (Exception e) when (_terminal.InputIsTerminal && e is UsageException or PromptException or MediaException)
            {
                _terminal.Note(Quoted.Line(e.Message));
            }
        }
    }

    /// <summary>Answers a question.</summary>
    public async Task AnswerAsync(string text, bool followUp)
    {
        bool begun = false, ended = false;
        var writing = new Lock();
        AskOptions options = Ask with { FollowUp = followUp, Progress = new Reports<AskProgress>(Show) };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_terminal.Cancellation);
        Func<bool>? before = _terminal.Interrupt;
        if (_terminal.InputIsTerminal) _terminal.Interrupt = Stop;
        try
        {
            await foreach (AnswerUpdate update in _session.AskStreamAsync(text, options, stop.Token).ConfigureAwait(false))
            {
                if (update is TextUpdate piece) Write(piece.Text);
                else if (update is AnswerCompleted { Answer: { } answer })
                {
                    if (begun || !ended) EndLine();
                    _turns = followUp ? _turns + 1 : 1;
                    if (!followUp) _masksBefore.Clear();
                    _masksBefore.Push(_masks.Count);
                    Complete(text, answer);
                }
            }
        }
        catch (OperationCanceledException) when (!_terminal.Cancellation.IsCancellationRequested)
        {
            if (begun) EndLine();
            _terminal.Note("Stopped; it is as if you had not asked.");
        }
        catch when (begun)
        {
            EndLine();
            throw;
        }
        finally
        {
            _terminal.Interrupt = before;
        }

        bool Stop()
        {
            stop.Cancel();
            return true;
        }

        void Show(AskProgress p)
        {
            // While there are tokens, the answer itself shows how far it is.
            if (p.Stage is AskStage.Decode || !_terminal.Progress.Enabled) return;
            lock (writing)
            {
                if (begun) EndLine();
                _terminal.Show(p);
            }
        }

        void Write(string piece)
        {
            lock (writing)
            {
                if (!begun) _notes.Tell();
                _terminal.Progress.Clear();
                _terminal.Out.Write(piece);
                _terminal.Out.Flush();
                begun = true;
            }
        }

        void EndLine()
        {
            lock (writing)
            {
                _terminal.Progress.Clear();
                _terminal.WriteLine();
                (begun, ended) = (false, true);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _session.Dispose();
        _opened?.Dispose();
    }

    private void Complete(string text, Answer answer)
    {
        foreach (string note in answer.Notes) _notes.Add(note);
        if (answer.Truncated)
            _terminal.Note($"The answer {AskFlags.CutOff(answer, Ask)}");
        foreach (AnswerObject o in answer.Objects)
        {
            if (o.Mask is not { } mask) continue;
            _masks.Add(mask);
            if (Out is not null) Told(mask, Save(Out, mask));
            else if (_terminal.InputIsTerminal) Told(mask, null);
        }
        // Talk names nothing, and need not; what was named is to be seen.
        if (answer.Objects.Count > 0 && !answer.Found) _terminal.Note(NothingFound.In(answer, text));
    }

    private void Told(ObjectMask mask, string? path) => _terminal.Note(
        FormattableString.Invariant($"object {mask.Id}: {mask.Area} px, score {mask.Score:0.00}") + (path is null ? "" : ", in " + path));

    private void Do(string command, string argument)
    {
        switch (command)
        {
            case "help" or "?":
                _terminal.Note(Help);
                break;
            case "new":
                _turns = 0;
                break;
            case "undo":
                if (_turns == 0) throw new UsageException("There is nothing to take back.");
                _session.Undo();
                _turns--;
                // Its masks with it; those of a picture before are gone already.
                int before = Math.Min(_masksBefore.Pop(), _masks.Count);
                _masks.RemoveRange(before, _masks.Count - before);
                if (_terminal.InputIsTerminal) _terminal.Note("The latest question and its answer are taken back.");
                break;
            case "save":
                Save(Given("/save DIR"));
                break;
            case "image":
                Open(MediaInput.OpenImage(_terminal, Given("/image FILE"), Media, _notes, "/image", "/video"));
                break;
            case "video":
                Open(MediaInput.OpenVideo(_terminal, Given("/video PATH"), FrameSelection.First, null, Media, "/video"));
                break;
            default:
                throw new UsageException($"There is no command /{command}; /help lists them.");
        }

        string Given(string usage) => argument.Length > 0
            ? TypedPath.Of(argument, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile))
            : throw new UsageException($"Write {usage}.");
    }

    private void Open(MediaInput media)
    {
        ChatSession session;
        try
        {
            session = _turns == 0 ? media.OpenSession(_model) : media.OpenSession(_session);
        }
        catch
        {
            media.Dispose();
            throw;
        }
        Dispose();
        (_session, _opened) = (session, media);
        // What is saved is the picture's own.
        _masks.Clear();
        media.Notes.Tell();
    }

    private void Save(string folder)
    {
        if (_masks.Count == 0)
            throw new UsageException(_session is VideoSession ? "A chat has no masks of a video; sa2va segment --video has."
                : "There are no masks yet; ask for some, such as: Please segment the red circle.");
        foreach (ObjectMask mask in _masks) Told(mask, Save(folder, mask));
    }

    // A mask that is there already is another chat's.
    private static string Save(string folder, ObjectMask mask)
    {
        try
        {
            Directory.CreateDirectory(folder);
            string path = Path.Combine(folder, FormattableString.Invariant($"object-{mask.Id}.png"));
            for (int i = 2; Path.Exists(path); i++) path = Path.Combine(folder, FormattableString.Invariant($"object-{mask.Id}-{i}.png"));
            MaskFile.Save(path, mask.ToMask());
            return path;
        }
        catch (Exception e) when (FileTrouble.Is(e is MediaException ? e.InnerException : e))
        {
            Exception cause = e is MediaException ? e.InnerException! : e;
            throw new UsageException($"{Quoted.Of(folder)} cannot be written: {FileTrouble.Cause(cause)}; give another folder.", e);
        }
    }

    [GeneratedRegex(@"^\s*/([A-Za-z]+|\?)(?:\s+(.*))?\s*$")]
    private static partial Regex Command();
}
