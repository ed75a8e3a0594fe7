using System.CommandLine;
using System.Globalization;
using Sa2VA.Engine;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va describe</c>: a caption whose phrases have masks.</summary>
internal static class DescribeCommand
{
    /// <summary>
    /// What the evaluation asks for grounded captions (docs/model/generation.md#grounded-captions), without the spaces of its line break.
    /// </summary>
    public const string GroundedCaptionPrompt =
        "Could you please give me a brief description of the image? Please respond with interleaved segmentation masks for the corresponding parts of the answer.";

    public static Command Create(Terminal terminal)
    {
        Option<string> model = CommonOptions.Model(), device = CommonOptions.Device();
        Option<string?> image = CommonOptions.Image(), video = CommonOptions.Video(), frames = CommonOptions.Frames();
        Option<int?> maxFrames = CommonOptions.MaxFrames();
        Option<int> threads = CommonOptions.Threads();
        var prompt = new Option<string>("--prompt") { Description = "Another wording of the request.", HelpName = "TEXT", DefaultValueFactory = _ => GroundedCaptionPrompt };
        var output = new Option<string?>("--out") { Description = "Folder for masks and overlays.", HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "Write JSON lines with run-length masks, as segment does." };
        var command = new CliCommand("describe", "Captions a picture; each phrase has the colour of its mask.", "sa2va describe --model Sa2VA-1B --image street.jpg --out result")
        {
            model, image, video, prompt, output, json, frames, maxFrames, device, threads,
        };
        command.SetAction(async (parsed, _) =>
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            string text = parsed.GetRequiredValue(prompt);
            if (string.IsNullOrWhiteSpace(text)) throw new UsageException("--prompt is empty; leave it out for the usual one.");
            using MediaInput media = CommonOptions.Required(MediaInput.Open(parsed.GetValue(image), parsed.GetValue(video), parsed.GetValue(frames), parsed.GetValue(maxFrames)));
            using ResultFolder? results = parsed.GetValue(output) is { } folder ? new ResultFolder(folder) : null;
            using Sa2VAModel loaded = ModelLoader.Load(terminal, parsed.GetRequiredValue(model), parsed.GetRequiredValue(device), parsed.GetValue(threads));
            double load = clock.Elapsed.TotalSeconds;
            JsonLines? lines = parsed.GetValue(json) ? new JsonLines(terminal.Out) : null;
            lines?.Start(loaded, media);
            var table = new ObjectTable();
            var run = new SegmentRun(terminal, loaded, media)
            {
                OnAnswer = (i, answer) =>
                {
                    lines?.Answer(i, answer);
                    table.Add("(no phrase)", answer);
                    if (lines is null) GroundedCaption.Print(terminal, answer);
                },
                OnFrame = frame =>
                {
                    results?.Add(frame, media.Video);
                    lines?.Frame(frame);
                    table.Add(frame);
                },
            };
            SegmentSummary summary = await run.RunAsync([text], []).ConfigureAwait(false);
            results?.Commit();
            lines?.End(summary, load, clock.Elapsed.TotalSeconds);
            if (results?.AnimationProblem is { } problem) terminal.Note(problem);
            if (lines is not null) return ExitCode.Success;
            table.Print(terminal);
            if (results is { Masks: > 0 }) terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{results.Masks} masks and {results.Overlays} overlays in {results.Path}"));
            return ExitCode.Success;
        });
        return command;
    }
}
