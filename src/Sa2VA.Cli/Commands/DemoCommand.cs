using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Sa2VA.Engine;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va demo</c>: the bundled model on the bundled image and video.</summary>
internal static class DemoCommand
{
    private static readonly string[] ImagePrompts = ["Please segment the red circle.", "Please segment the green ring, the pink heart and the yellow triangle."];

    private static readonly string[] VideoPrompts =
        ["Please segment the red circle.", "Please segment the blue star.", "Please segment the yellow triangle.", "Please segment the green ring."];

    public static Command Create(Terminal terminal)
    {
        var output = new Option<string>("--out") { Description = "Folder for masks and overlays.", HelpName = "DIR", DefaultValueFactory = _ => "demo-output" };
        Option<int?> maxFrames = CommonOptions.MaxFrames();
        Option<int> threads = CommonOptions.Threads();
        var command = new CliCommand("demo", "Runs the bundled toy model on the bundled image and video.", "sa2va demo", "sa2va demo --out my-demo") { output, maxFrames, threads };
        command.SetAction(async (parsed, _) =>
        {
            await RunAsync(terminal, parsed.GetRequiredValue(output), parsed.GetValue(maxFrames), parsed.GetValue(threads)).ConfigureAwait(false);
            return ExitCode.Success;
        });
        return command;
    }

    private static async Task RunAsync(Terminal terminal, string output, int? maxFrames, int threads)
    {
        long start = Stopwatch.GetTimestamp();
        string samples = Samples.Find();
        using MediaInput image = MediaInput.Open(Path.Combine(samples, "media", "shapes.png"), null)!;
        using MediaInput video = MediaInput.Open(null, Path.Combine(samples, "media", "shapes"), null, maxFrames)!;
        using MediaInput scene = MediaInput.Open(Path.Combine(samples, "media", "trio.png"), null)!;
        using var results = new ResultFolder(output);
        terminal.WriteLine($"{Samples.ModelName} is a toy: 3.3 million weights, trained on coloured shapes, to check the engine with. Its masks are rough and its");
        terminal.WriteLine("captions often wrong; released Sa2VA checkpoints run through the same code with `sa2va segment --model DIR`.");
        using Sa2VAModel model = ModelLoader.Load(terminal, Path.Combine(samples, "models", Samples.ModelName), threads: threads);
        terminal.WriteLine($"Device: {model.DeviceDescription}");
        await RunAsync("image", image, ImagePrompts).ConfigureAwait(false);
        await RunAsync("caption", scene, [DescribeCommand.GroundedCaptionPrompt]).ConfigureAwait(false);
        await RunAsync("video", video, VideoPrompts).ConfigureAwait(false);
        results.Commit();
        if (results.AnimationProblem is { } problem) terminal.Note(problem);
        terminal.WriteLine();
        terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{results.Masks} masks and {results.Overlays} overlays in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s. Look at:"));
        terminal.WriteLine("  " + Path.Combine(output, "image", "overlays", "frame-00000.png"));
        terminal.WriteLine("  " + Path.Combine(output, "caption", "overlays", "frame-00000.png"));
        terminal.WriteLine("  " + Path.Combine(output, "video", "overlay.webp") + " (animated; any browser shows it)");
        terminal.WriteLine("  " + Path.Combine(output, "video", "masks", "object-0") + " and its neighbours");

        async Task RunAsync(string name, MediaInput media, string[] prompts)
        {
            terminal.WriteLine();
            terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{char.ToUpperInvariant(name[0])}{name[1..]}: {media.Source}, {media.Width}×{media.Height}{(media.Frames > 1 ? $", {media.Frames} frames" : "")}"));
            var table = new ObjectTable();
            var run = new SegmentRun(terminal, model, media)
            {
                OnAnswer = (i, answer) =>
                {
                    table.Add(prompts[i], answer);
                    terminal.WriteLine($"> {prompts[i]}");
                    if (answer.Grounded.Phrases.Any(p => p is not null)) GroundedCaption.Print(terminal, answer);
                    else terminal.WriteLine($"  {answer.Text}");
                },
                OnFrame = frame =>
                {
                    results.Add(frame, media.Video, name);
                    table.Add(frame);
                },
            };
            await run.RunAsync(prompts, []).ConfigureAwait(false);
            results.FinishAnimation();
            table.Print(terminal);
        }
    }
}
