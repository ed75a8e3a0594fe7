using System.Diagnostics;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Results;
using Sa2VA.Engine;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va describe</c>: a caption whose phrases have masks.</summary>
internal static class DescribeCommand
{
    /// <summary>
    /// What the evaluation asks for grounded captions (docs/model/generation.md#grounded-captions), without the spaces of its line break.
    /// </summary>
    public const string GroundedCaptionPrompt =
        "Could you please give me a brief description of the image? "
        + "Please respond with interleaved segmentation masks for the corresponding parts of the answer.";

    public static Command Create(Terminal terminal)
    {
        TextOption model = CommonOptions.Model();
        var media = new MediaFlags();
        var prompt = new TextOption("--prompt", "TEXT", "Another wording of the request.")
        {
            Default = GroundedCaptionPrompt, IsText = true,
        };
        TextOption output = CommonOptions.Out("Folder for masks and overlays.");
        ChoiceOption names = CommonOptions.Names();
        var json = new Flag("--json", "Write JSON lines with run-length masks, as segment does.");
        ChoiceOption device = CommonOptions.Device();
        NumberOption threads = CommonOptions.Threads();
        return new Command("describe", "Captions a picture; each phrase has the colour of its mask.",
            "sa2va describe --model Sa2VA-1B --image street.jpg --out result")
        {
            Options = [model, .. media.All, prompt, output, names, json, device, threads],
            Run = async values =>
            {
                var clock = Stopwatch.StartNew();
                using MediaInput input = media.Open(terminal, values);
                using ResultFolder? results = values.Get(output) is not { } folder ? null : new ResultFolder(folder, new RunDescription
                {
                    Command = "describe", Model = values.Text(model), Source = input.Source, Prompts = [values.Text(prompt)],
                })
                {
                    Names = values.Get(names) is "source" ? FrameNames.BySource(input) : FrameNames.ByIndex,
                };
                using Sa2VAModel loaded = ModelLoader.Load(terminal, values.Text(model), values.Get(device), values.Number(threads));
                double load = clock.Elapsed.TotalSeconds;
                JsonLines? lines = values.Get(json) ? new JsonLines(terminal.Out) : null;
                lines?.Start(loaded, input);
                var table = new ObjectTable();
                var run = new SegmentRun(terminal, loaded, input)
                {
                    OnAnswer = (i, answer) =>
                    {
                        lines?.Answer(i, answer);
                        table.Add("(no phrase)", answer);
                        if (lines is null) GroundedCaption.Print(terminal, answer);
                    },
                    OnFrame = frame =>
                    {
                        results?.Add(frame, input.Video);
                        lines?.Frame(frame);
                        table.Add(frame);
                    },
                };
                SegmentSummary summary = await run.RunAsync([values.Text(prompt)], []).ConfigureAwait(false);
                results?.Commit();
                lines?.End(summary, load, clock.Elapsed.TotalSeconds);
                if (results?.AnimationProblem is { } problem) terminal.Note(problem);
                if (lines is not null) return ExitCode.Success;
                table.Print(terminal);
                if (results is { Masks: > 0 }) terminal.WriteLine($"{results.Written} in {results.Path}");
                return ExitCode.Success;
            },
        };
    }
}
