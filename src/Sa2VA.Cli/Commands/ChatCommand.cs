using Sa2VA.Cli.Arguments;
using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va chat</c>: a conversation, perhaps about an image or a video.</summary>
internal static class ChatCommand
{
    private const string New = "/new", Quit = "/quit";
    private const int MostTokens = 1_000_000;

    public static CliCommand Create(Terminal terminal)
    {
        var model = new ModelFlags();
        var media = new MediaFlags();
        var prompt = new TextListOption(CommonOptions.Prompt, "TEXT",
            "Question; further ones follow up on the answer. Without it, questions are read line by line.");
        var maxTokens = new NumberOption("--max-tokens", "Most tokens of an answer.", 1, MostTokens, AskOptions.DefaultMaxNewTokens);
        var device = new DeviceFlags();
        return new CliCommand("chat", "Answers questions, as text; masks are what segment and describe are for.",
            "sa2va chat --model Sa2VA-1B --image street.jpg --prompt \"What is the man doing?\" --prompt \"And why?\"",
            "sa2va chat --model Sa2VA-1B --video frames")
        {
            Accepts = [.. model.All, .. media.All, prompt, maxTokens, .. device.All],
            Run = async values =>
            {
                IReadOnlyList<string> prompts = values.GetValue(prompt) ?? [];
                if (prompts.Count == 0 && values.GetValue(media.Image) is ["-"])
                    throw new UsageException("--image - takes standard input for the picture, so no questions can be read from it; "
                        + "ask with --prompt TEXT.");
                using MediaInput? input = media.TryOpen(terminal, values);
                HeldNotes notes = input?.Notes ?? new HeldNotes(terminal);
                using Sa2VAModel loaded = ModelLoader.Load(terminal, model.Of(values), device.Of(values, notes));
                using ChatSession session = input?.OpenSession(loaded) ?? loaded.OpenText();
                foreach (string note in loaded.Config.Notes) notes.Add(note);
                var chat = new Chat(terminal, session, values.GetValue(maxTokens), notes);
                if (prompts.Count == 0) await chat.ReadAndAnswerAsync().ConfigureAwait(false);
                for (int i = 0; i < prompts.Count; i++) await chat.AnswerAsync(prompts[i], followUp: i > 0).ConfigureAwait(false);
                return ExitCode.Success;
            },
        };
    }

    private sealed class Chat(Terminal terminal, ChatSession session, int limit, HeldNotes notes)
    {
        public async Task ReadAndAnswerAsync()
        {
            bool followUp = false;
            var questions = new QuestionReader(terminal);
            if (terminal.InputIsTerminal)
                terminal.Note($"Ask, one question a line; {New} begins a new conversation, {Quit} or Ctrl+D ends.");
            while (true)
            {
                if (terminal.InputIsTerminal) terminal.Error.Write("> ");
                // Reading a console cannot be cancelled, waiting for it can.
                string? line = await Task.Run(questions.Read).WaitAsync(terminal.Cancellation).ConfigureAwait(false);
                if (line is null || line.Trim() == Quit) return;
                if (line.Trim() == New) followUp = false;
                if (string.IsNullOrWhiteSpace(line) || line.Trim() == New) continue;
                try
                {
                    await AnswerAsync(line, followUp).ConfigureAwait(false);
                    followUp = true;
                }
                catch (PromptException e) when (terminal.InputIsTerminal)
                {
                    terminal.Note(Quoted.Line(e.Message));
                }
            }
        }

        public async Task AnswerAsync(string text, bool followUp)
        {
            var options = new AskOptions
            {
                FollowUp = followUp,
                MaxNewTokens = limit,
                // From the first token on, the answer itself shows how far it is.
                Progress = new Reports<AskProgress>(p =>
                {
                    if (p.Stage is AskStage.Vision or AskStage.Prefill) terminal.Show(p);
                }),
            };
            bool begun = false;
            try
            {
                await foreach (AnswerUpdate update in session.AskStreamAsync(text, options, terminal.Cancellation).ConfigureAwait(false))
                {
                    if (update is TextUpdate piece) Write(piece.Text);
                    else if (update is AnswerCompleted { Answer: { } answer })
                    {
                        EndLine();
                        foreach (string note in answer.Notes) notes.Add(note);
                        if (answer.Truncated)
                            terminal.Note($"The answer was cut off after {Plural.Of(answer.TokenIds.Count, "token")}"
                                + (answer.TokenIds.Count < limit ? ": the model's context is full." : "; --max-tokens allows more."));
                    }
                }
            }
            catch when (begun)
            {
                EndLine();
                throw;
            }

            void Write(string piece)
            {
                if (!begun) notes.Tell();
                terminal.Progress.Clear();
                terminal.Out.Write(piece);
                terminal.Out.Flush();
                begun = true;
            }

            void EndLine()
            {
                terminal.WriteLine();
                begun = false;
            }
        }
    }
}
