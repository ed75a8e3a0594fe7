using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Sa2VA.Engine;
using Sa2VA.Media;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va segment</c>: masks of what prompts name.</summary>
internal static class SegmentCommand
{
    public static Command Create(Terminal terminal)
    {
        Option<string> model = CommonOptions.Model(), device = CommonOptions.Device();
        Option<string?> image = CommonOptions.Image(), video = CommonOptions.Video(), frames = CommonOptions.Frames();
        var prompt = new Option<string[]>("--prompt")
        {
            Description = "What to segment, such as \"Please segment the red circle.\"; may be given several times.", HelpName = "TEXT", Required = true,
        };
        var regions = new Option<string?>("--regions") { Description = "Grey or palette PNG: pixels of value k are region k, which a prompt calls region1, region2, …", HelpName = "PNG" };
        var output = new Option<string?>("--out") { Description = "Folder for masks and overlays; may be left out with --json.", HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "Write JSON lines with run-length masks to standard output." };
        Option<int?> maxFrames = CommonOptions.MaxFrames();
        Option<int> threads = CommonOptions.Threads();
        var command = new CliCommand("segment", "Writes one PNG mask per object and frame, and overlays.",
            "sa2va segment --model Sa2VA-1B --image street.jpg --prompt \"Please segment the red car.\" --out result",
            "sa2va segment --model Sa2VA-1B --video frames --prompt \"Please segment the dog.\" --prompt \"Please segment the ball.\" --out result --json")
        {
            model, image, video, prompt, regions, output, json, frames, maxFrames, device, threads,
        };
        command.SetAction(async (parsed, _) =>
        {
            await RunAsync(terminal, new Request
            {
                Model = parsed.GetRequiredValue(model), Image = parsed.GetValue(image), Video = parsed.GetValue(video), Prompts = parsed.GetRequiredValue(prompt),
                Regions = parsed.GetValue(regions), Out = parsed.GetValue(output), Json = parsed.GetValue(json), Frames = parsed.GetValue(frames),
                MaxFrames = parsed.GetValue(maxFrames), Device = parsed.GetRequiredValue(device), Threads = parsed.GetValue(threads),
            }).ConfigureAwait(false);
            return ExitCode.Success;
        });
        return command;
    }

    private sealed record Request
    {
        public required string Model { get; init; }
        public string? Image { get; init; }
        public string? Video { get; init; }
        public required string[] Prompts { get; init; }
        public string? Regions { get; init; }
        public string? Out { get; init; }
        public bool Json { get; init; }
        public string? Frames { get; init; }
        public int? MaxFrames { get; init; }
        public required string Device { get; init; }
        public int Threads { get; init; }
    }

    private static async Task RunAsync(Terminal terminal, Request request)
    {
        long start = Stopwatch.GetTimestamp();
        if (request.Out is null && !request.Json) throw new UsageException("Give a folder for the masks with --out DIR, or ask for --json.");
        foreach (string prompt in request.Prompts)
            if (string.IsNullOrWhiteSpace(prompt)) throw new UsageException("A --prompt is empty; say what to segment.");
        using MediaInput media = CommonOptions.Required(MediaInput.Open(request.Image, request.Video, request.Frames, request.MaxFrames));
        Mask[] regions = request.Regions is null ? [] : ReadRegions(request.Regions, media);
        using ResultFolder? results = request.Out is null ? null : new ResultFolder(request.Out);

        using Sa2VAModel model = ModelLoader.Load(terminal, request.Model, request.Device, request.Threads);
        double load = Stopwatch.GetElapsedTime(start).TotalSeconds;
        JsonLines? json = request.Json ? new JsonLines(terminal.Out) : null;
        json?.Start(model, media);
        var table = new ObjectTable();
        var run = new SegmentRun(terminal, model, media)
        {
            OnAnswer = (i, answer) =>
            {
                json?.Answer(i, answer);
                table.Add(request.Prompts[i], answer);
                if (json is not null) return;
                terminal.WriteLine($"> {request.Prompts[i]}");
                terminal.WriteLine($"  {answer.Text}");
            },
            OnFrame = frame =>
            {
                results?.Add(frame, media.Video);
                json?.Frame(frame);
                table.Add(frame);
            },
        };
        SegmentSummary summary = await run.RunAsync(request.Prompts, regions).ConfigureAwait(false);
        results?.Commit();
        double total = Stopwatch.GetElapsedTime(start).TotalSeconds;
        json?.End(summary, load, total);
        if (json is null) table.Print(terminal);
        if (summary.Objects == 0) terminal.Note("No answer names an object, so there are no masks. Ask for it, such as: --prompt \"Please segment the red circle.\"");
        if (results?.AnimationProblem is { } problem) terminal.Note(problem);
        if (json is null && results is { Masks: > 0 })
            terminal.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{results.Masks} masks and {results.Overlays} overlays in {results.Path} ({total:0.0} s, {load:0.0} s of it loading)"));
    }

    private static Mask[] ReadRegions(string path, MediaInput media)
    {
        if (media.Image is null) throw new UsageException("--regions belongs to --image.");
        if (!File.Exists(path)) throw new UsageException($"There is no file '{path}'; --regions takes a grey or palette PNG.");
        (int width, int height, byte[] labels) = ImageFile.LoadLabels(path);
        Mask[] regions = RegionMasks.FromLabels(labels, width, height);
        return regions.Length > 0 ? regions : throw new UsageException($"'{path}' marks no region: every pixel is 0. Pixels of value 1 are region1.");
    }
}
