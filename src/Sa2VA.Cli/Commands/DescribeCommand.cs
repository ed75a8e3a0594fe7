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

    public static CliCommand Create(Terminal terminal)
    {
        TextOption model = CommonOptions.Model();
        var media = new MediaFlags();
        var prompt = new TextOption(CommonOptions.Prompt, "TEXT", "Another wording of the request.");
        TextOption output = CommonOptions.Out("Folder for masks and overlays.");
        ChoiceOption names = CommonOptions.Names();
        var json = new Flag(CommonOptions.Json, "Write JSON lines with run-length masks, as segment does.");
        var device = new DeviceFlags();
        return new CliCommand("describe", "Captions a picture; each phrase has the colour of its mask.",
            "sa2va describe --model Sa2VA-1B --image street.jpg --out result")
        {
            Accepts = [model, .. media.All, prompt, output, names, json, .. device.All],
            Run = async values =>
            {
                CommonOptions.CheckNames(values, names, output);
                var clock = Stopwatch.StartNew();
                string folderOfModel = values.GetRequiredValue(model), request = values.GetValue(prompt) ?? GroundedCaptionPrompt;
                using MediaInput input = media.Open(terminal, values);
                using ResultFolder? results = values.GetValue(output) is not { } folder ? null : new ResultFolder(folder, new RunDescription
                {
                    Command = "describe", Model = folderOfModel, Source = input.Source, Prompts = [request],
                })
                {
                    Names = values.GetValue(names) is "source" ? FrameNames.BySource(input) : FrameNames.ByIndex,
                };
                results?.Expect(input);
                using Sa2VAModel loaded = ModelLoader.Load(terminal, folderOfModel, device.Of(values, input.Notes));
                double load = clock.Elapsed.TotalSeconds;
                JsonLines? lines = values.GetValue(json) ? new JsonLines(terminal.Out) : null;
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
                SegmentSummary summary = await run.RunAsync([request], []).ConfigureAwait(false);
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
