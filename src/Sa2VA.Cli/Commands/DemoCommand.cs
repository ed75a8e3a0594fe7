using System.Diagnostics;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Devices;
using Sa2VA.Cli.Results;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va demo</c>: the bundled model on the bundled image and video.</summary>
internal static class DemoCommand
{
    private static readonly string[] ImagePrompts =
        ["Please segment the red circle.", "Please segment the green ring, the pink heart and the yellow triangle."];

    private static readonly string[] VideoPrompts =
    [
        "Please segment the red circle.", "Please segment the blue star.", "Please segment the yellow triangle.",
        "Please segment the green ring.",
    ];

    public static CliCommand Create(Terminal terminal)
    {
        var output = new TextOption("--out", "DIR", "Folder for masks and overlays.") { DefaultValueFactory = _ => "demo-output" };
        NumberOption maxFrames = MediaFlags.MaxFramesOption();
        var device = new DeviceFlags();
        return new CliCommand("demo", "Runs the bundled toy model on the bundled image and video.",
            "sa2va demo", "sa2va demo --out my-demo --max-frames 8")
        {
            Accepts = [output, maxFrames, .. device.All],
            Run = async values =>
            {
                await RunAsync(terminal, values.GetRequiredValue(output), MediaFlags.Count(values, maxFrames), device.Choice(values))
                    .ConfigureAwait(false);
                return ExitCode.Success;
            },
        };
    }

    private static async Task RunAsync(Terminal terminal, string output, int? maxFrames, DeviceChoice choice)
    {
        long start = Stopwatch.GetTimestamp();
        string samples = Samples.Find();
        using MediaInput image = MediaInput.OpenImage(terminal, Path.Combine(samples, "media", "shapes.png"), new MediaOptions());
        using MediaInput video = MediaInput.OpenVideo(
            terminal, Path.Combine(samples, "media", "shapes"), FrameSelection.First, maxFrames, new MediaOptions());
        using MediaInput scene = MediaInput.OpenImage(terminal, Path.Combine(samples, "media", "trio.png"), new MediaOptions());
        using var results = new ResultFolder(output, new RunDescription
        {
            Command = "demo", Model = Path.Combine(samples, "models", Samples.ModelName), Source = Path.Combine(samples, "media"),
            Prompts = [.. ImagePrompts, DescribeCommand.GroundedCaptionPrompt, .. VideoPrompts],
        }, overwrite: true);
        foreach ((string name, MediaInput media) in ((string, MediaInput)[])[("image", image), ("caption", scene), ("video", video)])
            results.Expect(media.Frames, media.Video is not null, name, FrameNames.ByIndex);
        terminal.WriteLine($"{Samples.ModelName} is a toy: 3.3 million weights, trained on coloured shapes, to check the engine with.");
        terminal.WriteLine("Its masks are rough and its captions often wrong; released Sa2VA checkpoints run through the same code");
        terminal.WriteLine("with `sa2va segment --model DIR`.");
        var toy = new ModelChoice(Path.Combine(samples, "models", Samples.ModelName), null);
        using Sa2VAModel model = ModelLoader.Load(terminal, toy, choice.Device);
        terminal.WriteLine($"Device: {model.DeviceDescription}");
        if (choice.Note is { } note) terminal.Note(note);
        await RunAsync("image", image, ImagePrompts).ConfigureAwait(false);
        await RunAsync("caption", scene, [DescribeCommand.GroundedCaptionPrompt]).ConfigureAwait(false);
        await RunAsync("video", video, VideoPrompts).ConfigureAwait(false);
        results.Commit();
        terminal.WriteLine();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        terminal.WriteLine(FormattableString.Invariant($"{results.Written} in {seconds:0.0} s. Look at:"));
        terminal.WriteLine("  " + Path.Combine(output, "image", "overlays", "frame-00000.png"));
        terminal.WriteLine("  " + Path.Combine(output, "caption", "overlays", "frame-00000.png"));
        terminal.WriteLine("  " + Path.Combine(output, "video", "overlay.webp") + " (animated; any browser shows it)");
        terminal.WriteLine("  " + Path.Combine(output, "video", "masks", "object-0") + " and its neighbours");

        async Task RunAsync(string name, MediaInput media, string[] prompts)
        {
            terminal.WriteLine();
            string frames = media.Video is null ? "" : ", " + Plural.Of(media.Frames, "frame");
            terminal.WriteLine(FormattableString.Invariant(
                $"{char.ToUpperInvariant(name[0])}{name[1..]}: {media.Source}, {media.Width}×{media.Height}{frames}"));
            var table = new ObjectTable();
            using ResultPart part = results.Begin(media, name, FrameNames.ByIndex);
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
                    part.Add(frame);
                    table.Add(frame);
                },
            };
            await run.RunAsync(prompts, []).ConfigureAwait(false);
            part.Finish();
            table.Print(terminal);
            if (part.AnimationProblem is { } problem) terminal.Note(problem);
        }
    }
}
