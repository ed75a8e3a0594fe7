using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Sa2VA.Cli.Arguments;
using Sa2VA.Cli.Results;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Commands;

/// <summary><c>sa2va segment</c>: masks of what prompts name.</summary>
internal static partial class SegmentCommand
{
    public static CliCommand Create(Terminal terminal)
    {
        TextOption model = CommonOptions.Model();
        var media = new MediaFlags();
        var prompt = new TextListOption(CommonOptions.Prompt, "TEXT",
            "What to segment, such as \"Please segment the red circle.\"; may be given several times.");
        var show = new ShowFlags();
        var regions = new TextOption("--regions", "PNG",
            "Grey or palette PNG of the image's size: pixels of value k are region k, which a prompt calls region1, region2, …");
        TextOption output = CommonOptions.Out("Folder for masks and overlays; may be left out with --json.");
        ChoiceOption names = CommonOptions.Names();
        var json = new Flag(CommonOptions.Json, "Write JSON lines with run-length masks to standard output.");
        var device = new DeviceFlags();
        return new CliCommand("segment", "Writes one PNG mask per object and frame, and overlays.",
            "sa2va segment --model Sa2VA-1B --image street.jpg --prompt \"Please segment the red car.\" --out result",
            "sa2va segment --model Sa2VA-1B --video frames --prompt \"Segment the dog.\" --prompt \"Segment the ball.\" --json",
            "sa2va segment --model Sa2VA-1B --video JPEGImages/bear --prompt \"Please segment the bear.\" --out result --names source",
            "sa2va segment --model Sa2VA-1B --image street.jpg --point 420,310 --point 380,200,- --out result")
        {
            Accepts = [model, .. media.All, prompt, .. show.All, regions, output, names, json, .. device.All],
            Run = async values =>
            {
                if (values.GetValue(output) is null && !values.GetValue(json))
                    throw new UsageException("Give a folder for the masks with --out DIR, or ask for --json.");
                CommonOptions.CheckNames(values, names, output);
                IReadOnlyList<string> prompts = values.GetValue(prompt) ?? [];
                if (prompts.Count == 0 && !show.Any(values))
                    throw new UsageException("Say what to segment with --prompt TEXT, or show it with --point X,Y or "
                        + "--box LEFT,TOP,RIGHT,BOTTOM.");
                long start = Stopwatch.GetTimestamp();
                using MediaInput input = media.Open(terminal, values);
                await RunAsync(terminal, new Request
                {
                    Start = start, Media = input, Model = values.GetRequiredValue(model),
                    Prompts = prompts, Shown = show.Of(values, input, prompts.Count > 0), Regions = values.GetValue(regions),
                    Out = values.GetValue(output), Names = values.GetRequiredValue(names), Json = values.GetValue(json),
                    Device = device.Of(values, input.Notes),
                }).ConfigureAwait(false);
                return ExitCode.Success;
            },
        };
    }

    private sealed record Request
    {
        public required long Start { get; init; }
        public required MediaInput Media { get; init; }
        public required string Model { get; init; }
        public required IReadOnlyList<string> Prompts { get; init; }
        public ShownObject? Shown { get; init; }
        public string? Regions { get; init; }
        public string? Out { get; init; }
        public required string Names { get; init; }
        public bool Json { get; init; }
        public required Device Device { get; init; }
    }

    private static async Task RunAsync(Terminal terminal, Request request)
    {
        MediaInput media = request.Media;
        Mask[] regions = request.Regions is null ? [] : ReadRegions(terminal, request.Regions, media);
        using ResultFolder? results = request.Out is null ? null : new ResultFolder(request.Out, new RunDescription
        {
            Command = "segment", Model = request.Model, Source = media.Source, Prompts = request.Prompts, Shown = request.Shown?.Text,
        })
        {
            Names = request.Names is "source" ? FrameNames.BySource(media) : FrameNames.ByIndex,
        };
        results?.Expect(media);
        if (RegionNote(request, regions.Length) is { } note) media.Notes.Add(note);

        using Sa2VAModel model = ModelLoader.Load(terminal, request.Model, request.Device);
        double load = Stopwatch.GetElapsedTime(request.Start).TotalSeconds;
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
            OnShown = (id, shown) =>
            {
                json?.Shown(id, shown);
                table.Add(shown);
            },
            OnFrame = frame =>
            {
                results?.Add(frame, media.Video);
                json?.Frame(frame);
                table.Add(frame);
            },
        };
        SegmentSummary summary = await run.RunAsync(request.Prompts, regions, request.Shown).ConfigureAwait(false);
        results?.Commit();
        double total = Stopwatch.GetElapsedTime(request.Start).TotalSeconds;
        json?.End(summary, load, total);
        if (json is null) table.Print(terminal);
        if (summary.Objects == 0)
            terminal.Note("No answer names an object, so there are no masks. "
                + "Ask for it, such as: --prompt \"Please segment the red circle.\"");
        if (results?.AnimationProblem is { } problem) terminal.Note(problem);
        if (json is null && results is { Masks: > 0 })
            terminal.WriteLine($"{results.Written} in {results.Path} "
                + FormattableString.Invariant($"({total:0.0} s, {load:0.0} s of it loading)"));
    }

    private static string? RegionNote(Request request, int regions)
    {
        int[] named = [.. request.Prompts.SelectMany(p => RegionName().Matches(p))
            .Select(m => int.TryParse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture, out int n) ? n : int.MaxValue)];
        if (named.Any(n => n < 1 || n > regions))
            return regions == 0 ? "A prompt names a region, but there is no map of regions; give one with --regions PNG."
                : $"A prompt names a region that {Quoted.Of(request.Regions!)} has not; "
                    + FormattableString.Invariant($"it has region1 to region{regions}.");
        return named.Length > 0 || regions == 0 ? null
            : $"No prompt names a region of {Quoted.Of(request.Regions!)}; "
                + FormattableString.Invariant($"they are called region1 to region{regions}.");
    }

    [GeneratedRegex(@"\bregion([0-9]+)\b")]
    private static partial Regex RegionName();

    private static Mask[] ReadRegions(Terminal terminal, string path, MediaInput media)
    {
        if (media.Image is null) throw new UsageException("--regions belongs to --image.");
        if (!File.Exists(path)) throw new UsageException($"There is no file {Quoted.Of(path)}; --regions takes a grey or palette PNG.");
        (int width, int height, byte[] labels) = MediaInput.Interruptible(terminal, () => ImageFile.LoadLabels(path));
        if ((width, height) != (media.Width, media.Height))
            throw new UsageException(FormattableString.Invariant(
                $"{Quoted.Of(path)} is {width}×{height}, the picture is {media.Width}×{media.Height}; ") + FormattableString.Invariant(
                $"--regions takes a PNG of the picture's size."));
        Mask[] regions;
        try
        {
            regions = RegionMasks.FromLabels(labels, width, height);
        }
        catch (MediaException e)
        {
            throw new MediaException($"{Quoted.Of(path)}: {e.Message}", e);
        }
        return regions.Length > 0
            ? regions
            : throw new UsageException($"{Quoted.Of(path)} marks no region: every pixel is 0. Pixels of value 1 are region1.");
    }
}
