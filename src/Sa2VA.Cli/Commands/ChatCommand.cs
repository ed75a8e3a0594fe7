using System.CommandLine;
using Sa2VA.Core;
using Sa2VA.Engine;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va chat</c>: a conversation, perhaps about an image or a video.</summary>
internal static class ChatCommand
{
    private const string New = "/new", Quit = "/quit";

    public static Command Create(Terminal terminal)
    {
        Option<string> model = CommonOptions.Model(), device = CommonOptions.Device();
        Option<string?> image = CommonOptions.Image(), video = CommonOptions.Video(), frames = CommonOptions.Frames();
        Option<int?> maxFrames = CommonOptions.MaxFrames();
        Option<int> threads = CommonOptions.Threads();
        var prompt = new Option<string[]>("--prompt")
        {
            Description = "Question; further ones follow up on the answer. Without it, questions are read line by line.", HelpName = "TEXT", DefaultValueFactory = _ => [],
        };
        var maxTokens = new Option<int>("--max-tokens") { Description = "Most tokens of an answer.", HelpName = "N", DefaultValueFactory = _ => AskOptions.DefaultMaxNewTokens };
        var command = new CliCommand("chat", "Answers questions, as text; masks are what segment and describe are for.",
            "sa2va chat --model Sa2VA-1B --image street.jpg --prompt \"What is the man doing?\" --prompt \"And why?\"", "sa2va chat --model Sa2VA-1B --video frames")
        {
            model, image, video, prompt, frames, maxFrames, maxTokens, device, threads,
        };
        command.SetAction(async (parsed, _) =>
        {
            string[] prompts = parsed.GetRequiredValue(prompt);
            foreach (string text in prompts)
                if (string.IsNullOrWhiteSpace(text)) throw new UsageException("A --prompt is empty; ask something.");
            using MediaInput? media = MediaInput.Open(parsed.GetValue(image), parsed.GetValue(video), parsed.GetValue(frames), parsed.GetValue(maxFrames));
            using Sa2VAModel loaded = ModelLoader.Load(terminal, parsed.GetRequiredValue(model), parsed.GetRequiredValue(device), parsed.GetValue(threads));
            using ChatSession session = media?.OpenSession(loaded) ?? loaded.OpenText();
            int limit = parsed.GetValue(maxTokens);
            if (prompts.Length == 0) await ReadAndAnswerAsync(terminal, session, limit).ConfigureAwait(false);
            for (int i = 0; i < prompts.Length; i++) Answer(terminal, session, prompts[i], limit, followUp: i > 0);
            return ExitCode.Success;
        });
        return command;
    }

    private static async Task ReadAndAnswerAsync(Terminal terminal, ChatSession session, int limit)
    {
        bool followUp = false;
        if (terminal.InputIsTerminal) terminal.Note($"Ask, one question a line; {New} begins a new conversation, {Quit} or Ctrl+D ends.");
        while (true)
        {
            if (terminal.InputIsTerminal) await terminal.Error.WriteAsync("> ").ConfigureAwait(false);
            // Reading a console cannot be cancelled, waiting for it can.
            string? line = await Task.Run(terminal.In.ReadLine).WaitAsync(terminal.Cancellation).ConfigureAwait(false);
            if (line is null || line.Trim() == Quit) return;
            if (line.Trim() == New) followUp = false;
            if (string.IsNullOrWhiteSpace(line) || line.Trim() == New) continue;
            try
            {
                Answer(terminal, session, line, limit, followUp);
                followUp = true;
            }
            catch (PromptException e) when (terminal.InputIsTerminal)
            {
                terminal.Note(e.Message);
            }
        }
    }

    private static void Answer(Terminal terminal, ChatSession session, string text, int limit, bool followUp)
    {
        var stream = new AnswerStream();
        bool begun = false;
        try
        {
            Answer answer = session.Ask(text, new AskOptions
            {
                FollowUp = followUp,
                MaxNewTokens = limit,
                OnText = piece => Write(stream.Push(piece)),
                // From the first token on, the answer itself shows how far it is.
                OnProgress = p =>
                {
                    if (p.Stage is AskStage.Vision or AskStage.Prefill) terminal.Show(p);
                },
            }, terminal.Cancellation);
            Write(stream.End());
            EndLine();
            if (answer.Truncated) terminal.Note($"The answer was cut off after {answer.TokenIds.Count} tokens; --max-tokens allows more.");
        }
        catch when (begun)
        {
            EndLine();
            throw;
        }

        void Write(string piece)
        {
            if (piece.Length == 0) return;
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
