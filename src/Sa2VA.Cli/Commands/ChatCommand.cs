using Sa2VA.Cli.Arguments;
using Sa2VA.Engine;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va chat</c>: a conversation, perhaps about an image or a video.</summary>
internal static class ChatCommand
{
    public static CliCommand Create(Terminal terminal)
    {
        var model = new ModelFlags();
        var media = new MediaFlags();
        var prompt = new TextListOption(CommonOptions.Prompt, "TEXT",
            "Question; further ones follow up on the answer. Without it, questions are read line by line.");
        var output = new TextOption("--out", "DIR", "Folder for the masks of images, each written as soon as it is found: object-0.png, …");
        var ask = new AskFlags();
        var device = new DeviceFlags();
        return new CliCommand("chat", "Answers questions. Read line by line, they may be commands too: /help lists them. "
            + "In a terminal what fails is told and the talk goes on; of a pipe the first line that fails ends it, with exit code 2.",
            "sa2va chat --model Sa2VA-1B --image street.jpg --prompt \"What is the man doing?\" --prompt \"And why?\"",
            "sa2va chat --model Sa2VA-1B --video frames", "sa2va chat --model Sa2VA-1B --image street.jpg --out masks")
        {
            Accepts = [.. model.All, .. media.All, prompt, output, .. ask.All, .. device.All],
            Run = async values =>
            {
                AskOptions choices = ask.Of(values);
                IReadOnlyList<string> prompts = values.GetValue(prompt) ?? [];
                if (prompts.Count == 0 && values.GetValue(media.Image) is ["-"])
                    throw new UsageException("--image - takes standard input for the picture, so no questions can be read from it; "
                        + "ask with --prompt TEXT.");
                using MediaInput? input = media.TryOpen(terminal, values);
                HeldNotes notes = input?.Notes ?? new HeldNotes(terminal);
                ModelChoice chosen = model.Of(values);
                using Sa2VAModel loaded = ModelLoader.Load(terminal, chosen, device.Of(values, notes, chosen));
                foreach (string note in loaded.Config.Notes) notes.Add(note);
                using var chat = new ChatLoop(terminal, loaded, input, notes)
                {
                    Ask = choices, Media = media.Options(values),
                    Out = values.GetValue(output),
                };
                if (prompts.Count == 0) await chat.ReadAndAnswerAsync().ConfigureAwait(false);
                for (int i = 0; i < prompts.Count; i++) await chat.AnswerAsync(prompts[i], followUp: i > 0).ConfigureAwait(false);
                return ExitCode.Success;
            },
        };
    }
}
