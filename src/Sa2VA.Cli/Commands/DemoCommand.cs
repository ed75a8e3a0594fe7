using System.Diagnostics;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Demo;
using Sa2VA.Cli.Devices;
using Sa2VA.Cli.Results;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va demo</c>: the bundled model on the bundled image and video.</summary>
internal static class DemoCommand
{
    private static readonly string[] ImagePrompts =
        ["Please segment the red circle.", "Please segment the green ring, the pink heart and the yellow triangle."];

    private static readonly string[] Conversation =
        ["What colour is the circle?", "Please segment the white circle.", "Please segment the orange triangle."];

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
            Prompts = [.. ImagePrompts, DescribeCommand.GroundedCaptionPrompt, .. Conversation, .. DemoVideo.Prompts],
        }, overwrite: true, ResultContent.Default, terminal.Cancellation);
        foreach ((string name, MediaInput media) in ((string, MediaInput)[])
            [("image", image), ("caption", scene), ("conversation", scene), ("video", video)])
            results.Expect(media.Frames, media.Video is not null, name, FrameNames.ByIndex);
        terminal.WriteLine($"{Samples.ModelName} is a toy: 3.3 million weights, trained on coloured shapes, to check the engine with.");
        terminal.WriteLine("Its masks are rough, its captions often wrong, and it never saw a click in training; released Sa2VA");
        terminal.WriteLine("checkpoints run through the same code with `sa2va segment --model DIR`.");
        var toy = new ModelChoice(Path.Combine(samples, "models", Samples.ModelName), null);
        using Sa2VAModel model = ModelLoader.Load(terminal, toy, choice.Device);
        terminal.WriteLine($"Device: {model.DeviceDescription}");
        if (choice.Note is { } note) terminal.Note(note);
        await RunAsync("image", image, media => AskAsync(media, ImagePrompts)).ConfigureAwait(false);
        await RunAsync("caption", scene, media => AskAsync(media, [DescribeCommand.GroundedCaptionPrompt])).ConfigureAwait(false);
        await RunAsync("conversation", scene, ConverseAsync).ConfigureAwait(false);
        await RunAsync("video", video, StreamAsync).ConfigureAwait(false);
        results.Commit();
        if (results.AnimationProblem is { } problem) terminal.Note(problem);
        terminal.WriteLine();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        terminal.WriteLine(FormattableString.Invariant($"{results.Written.Text} in {seconds:0.0} s. Look at:"));
        terminal.WriteLine("  " + Path.Combine(output, "image", "overlays", "frame-00000.png"));
        terminal.WriteLine("  " + Path.Combine(output, "caption", "overlays", "frame-00000.png"));
        terminal.WriteLine("  " + Path.Combine(output, "video", "overlay.webp") + " (animated; any browser shows it)");
        terminal.WriteLine("  " + Path.Combine(output, "video", "masks", "object-0") + " and its neighbours");

        async Task RunAsync(string name, MediaInput media, Func<DemoPart, Task> run)
        {
            terminal.WriteLine();
            string frames = media.Video is null ? "" : ", " + Plural.Of(media.Frames, "frame");
            terminal.WriteLine(FormattableString.Invariant(
                $"{char.ToUpperInvariant(name[0])}{name[1..]}: {media.Source}, {media.Width}×{media.Height}{frames}"));
            using ResultPart part = results.Begin(media, name, FrameNames.ByIndex);
            var table = new ObjectTable();
            await run(new DemoPart(media, table, frame =>
            {
                part.Add(frame);
                table.Add(frame);
            })).ConfigureAwait(false);
            part.Finish();
            table.Print(terminal);
        }

        async Task AskAsync(DemoPart part, string[] prompts)
        {
            var run = new SegmentRun(terminal, model, part.Media)
            {
                OnAnswer = (i, answer) => Tell(part, prompts[i], answer),
                OnFrame = part.OnFrame,
            };
            await run.RunAsync(prompts, []).ConfigureAwait(false);
        }

        async Task ConverseAsync(DemoPart part)
        {
            await using ChatSession session = part.Media.OpenSession(model);
            var objects = new List<SegmentedObject>();
            foreach (string prompt in Conversation)
            {
                var options = new AskOptions { FollowUp = prompt != Conversation[0] };
                Answer answer = await session.AskAsync(prompt, options, terminal.Cancellation).ConfigureAwait(false);
                Tell(part, prompt, answer);
                foreach (AnswerObject o in answer.Objects)
                    objects.Add(SegmentedObject.Of(o.Mask!, AskedFor.Of(o, answer, prompt)));
            }
            part.OnFrame(new SegmentedFrame(0, part.Media.FrameName(0), part.Media.Image, objects));
        }

        async Task StreamAsync(DemoPart part)
        {
            await using var session = (VideoSession)part.Media.OpenSession(model);
            var demo = new DemoVideo(terminal, session, part.Table);
            int index = 0;
            await foreach (RgbImage frame in part.Media.Video!.Frames(part.Media.Frames, terminal.Cancellation).ConfigureAwait(false))
            {
                FrameMasks masks = await demo.NextAsync(index, frame).ConfigureAwait(false);
                part.OnFrame(new SegmentedFrame(index, part.Media.FrameName(index), frame,
                    [.. masks.Objects.Select(o => SegmentedObject.Of(o, demo.Names.GetValueOrDefault(o.Id)))]));
                terminal.Progress.Count("Segmenting", "frames", ++index, part.Media.Frames);
            }
            terminal.Progress.Clear();
        }

        void Tell(DemoPart part, string prompt, Answer answer)
        {
            part.Table.Add(prompt, answer);
            terminal.WriteLine($"> {prompt}");
            if (answer.Grounded.Phrases.Any(p => p is not null)) GroundedCaption.Print(terminal, answer);
            else terminal.WriteLine($"  {answer.Text}");
        }
    }

    /// <summary>A part of the demo: what it is about, and who learns of its objects and frames.</summary>
    private sealed record DemoPart(MediaInput Media, ObjectTable Table, Action<SegmentedFrame> OnFrame);
}
