using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Sa2VA.Cli.Arguments;
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
        var model = new ModelFlags(tracks: true);
        var media = new MediaFlags(several: true);
        var prompt = new TextListOption(CommonOptions.Prompt, "TEXT",
            "What to segment, such as \"Please segment the red circle.\"; may be given several times.");
        var show = new ShowFlags();
        var follow = new RecordedFlags();
        var map = new TextOption("--regions", "PNG",
            "Grey or palette PNG of the image's size: pixels of value k are region k, which a prompt calls region1, region2, …");
        var output = new OutputFlags("Folder for masks and overlays; may be left out with --json.", media.Ffmpeg);
        DecimalOption minScore = CommonOptions.MinScore();
        var json = new Flag(CommonOptions.Json, "Write JSON lines with run-length masks to standard output.");
        var ask = new AskFlags();
        var device = new DeviceFlags();
        return new CliCommand("segment",
            "Writes one PNG mask per object and frame, and overlays: of an image, of several or a folder of them, or of a video.",
            "sa2va segment --model Sa2VA-1B --image street.jpg --prompt \"Please segment the red car.\" --out result",
            "sa2va segment --model Sa2VA-1B --video frames --prompt \"Segment the dog.\" --prompt \"Segment the ball.\" --json",
            "sa2va segment --model Sa2VA-1B --video JPEGImages/bear --prompt \"Please segment the bear.\" --out result --names source",
            "sa2va segment --model Sa2VA-1B --image photos --prompt \"Please segment the cat.\" --out result --min-score 0.5",
            "sa2va segment --model Sa2VA-1B --video clip.mp4 --prompt \"Segment the dog.\" --out result --format coco --animation mp4",
            "sa2va segment --model Sa2VA-1B --image street.jpg --point 420,310 --point 380,200,- --out result",
            "sa2va segment --model Sa2VA-1B --video clip.mp4 --box 40,60,300,280 --at 120 --direction both --out result",
            "sa2va segment --model Sa2VA-1B --video clip.mp4 --prompt \"Please segment the dog.\" --protocol consistent --out result")
        {
            Accepts = [.. model.All, .. media.All, prompt, .. show.All, .. follow.All, map, .. output.All, minScore, json, .. ask.All,
                .. device.All],
            Run = async values =>
            {
                if (values.GetValue(output.Folder) is null && !values.GetValue(json))
                    throw new UsageException("Give a folder for the masks with --out DIR, or ask for --json.");
                bool isVideo = values.GetValue(media.Video) is not null;
                output.Check(values, isVideo);
                IReadOnlyList<string> prompts = values.GetValue(prompt) ?? [];
                if (prompts.Count == 0 && !show.Any(values))
                    throw new UsageException("Say what to segment with --prompt TEXT, or show it with --point X,Y or "
                        + "--box LEFT,TOP,RIGHT,BOTTOM.");
                RecordedOptions? recorded = follow.Of(values, isVideo, show.At(values));
                show.Check(values, isVideo, asks: prompts.Count > 0, begins: recorded?.Start is not null);
                // What is found going back waits for its turn, and only masks are held.
                if (recorded?.Direction is TrackDirection.Backward or TrackDirection.Both && output.WantsLogits(values))
                    throw new UsageException("--format soft belongs to --direction forward.");
                long start = Stopwatch.GetTimestamp();
                using MediaList list = media.Open(terminal, values, recorded?.Selection);
                Mask[] regions = [];
                if (values.GetValue(map) is { } path)
                {
                    regions = ReadRegions(terminal, path, list);
                    if (RegionNote(prompts, path, regions.Length) is { } note) list.Notes.Add(note);
                }
                else if (RegionNote(prompts, "", 0) is { } note) list.Notes.Add(note);
                var job = new SegmentJob(terminal, new SegmentRequest
                {
                    Command = "segment", Start = start, Media = list, Model = model.Of(values), Prompts = prompts,
                    Regions = regions, Recorded = recorded, Show = input => show.Of(values, input), Output = output.Of(values),
                    Json = values.GetValue(json), MinScore = values.GetValue(minScore), Ask = ask.Of(values),
                    Device = device.Of(values, list.Notes, model.Of(values)), NotesNothingFound = true,
                    Print = (question, answer) =>
                    {
                        terminal.WriteLine($"> {question}");
                        terminal.WriteLine($"  {answer.Text}");
                    },
                });
                return await job.RunAsync().ConfigureAwait(false);
            },
        };
    }

    private static string? RegionNote(IReadOnlyList<string> prompts, string map, int regions)
    {
        int[] named = [.. prompts.SelectMany(p => RegionName().Matches(p))
            .Select(m => int.TryParse(m.Groups[1].ValueSpan, CultureInfo.InvariantCulture, out int n) ? n : int.MaxValue)];
        if (named.Any(n => n < 1 || n > regions))
            return regions == 0 ? "A prompt names a region, but there is no map of regions; give one with --regions PNG."
                : $"A prompt names a region that {Quoted.Of(map)} has not; "
                    + FormattableString.Invariant($"it has region1 to region{regions}.");
        return named.Length > 0 || regions == 0 ? null
            : $"No prompt names a region of {Quoted.Of(map)}; "
                + FormattableString.Invariant($"they are called region1 to region{regions}.");
    }

    [GeneratedRegex(@"\bregion([0-9]+)\b")]
    private static partial Regex RegionName();

    private static Mask[] ReadRegions(Terminal terminal, string path, MediaList list)
    {
        if (list.Only is not { } media) throw new UsageException("--regions is a map of one picture; give one --image.");
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
