using System.Text.Json;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Evaluation;

/// <summary>
/// Referring expressions on videos in the form of Ref-YouTube-VOS, MeViS and Ref-DAVIS17: meta_expressions.json, JPEGImages, and masks as
/// mask_dict.json (run lengths) or Annotations (label maps).
/// </summary>
internal sealed class ReferringVideos : IEvaluation
{
    /// <summary>Objects that are followed together.</summary>
    private const int Together = 16;

    private readonly string _data;
    private readonly string? _masks;
    private readonly List<(string Name, List<string> Frames, List<(string Id, string Text, List<string> Objects)> Expressions)> _videos;
    private readonly Dictionary<string, List<string?>>? _runs;

    private ReferringVideos(string data, string? masks, JsonElement meta, Dictionary<string, List<string?>>? runs)
    {
        (_data, _masks, _runs) = (data, masks, runs);
        _videos = [.. meta.GetProperty("videos").EnumerateObject().Select(v => (v.Name,
            v.Value.GetProperty("frames").EnumerateArray().Select(f => f.GetString()!).ToList(),
            v.Value.GetProperty("expressions").EnumerateObject().Select(e =>
                (e.Name, e.Value.GetProperty("exp").GetString()!, Objects(e.Value, runs is not null))).ToList()))];
    }

    /// <summary>Reads the dataset.</summary>
    /// <param name="data">Its folder.</param>
    /// <param name="masks">Folder for the masks that are found, as evaluation servers take them; null for none.</param>
    public static ReferringVideos Read(string data, string? masks)
    {
        string runs = Path.Combine(data, "mask_dict.json");
        Dictionary<string, List<string?>>? known = !File.Exists(runs) ? null : CocoJson.Of(runs, root => root.EnumerateObject()
            .ToDictionary(a => a.Name, a => a.Value.EnumerateArray()
                .Select(m => m.ValueKind == JsonValueKind.Null ? null : m.GetRawText()).ToList()));
        return CocoJson.Of(Path.Combine(data, "meta_expressions.json"), root => new ReferringVideos(data, masks, root, known));
    }

    public int Count => _videos.Sum(v => v.Expressions.Count);

    public void Run(EvalRun run)
    {
        foreach ((string name, List<string> frames, List<(string Id, string Text, List<string> Objects)> expressions) in _videos)
        {
            string folder = Path.Combine(_data, "JPEGImages", name);
            foreach (var chunk in expressions.Where(e => !run.IsDone($"{name}/{e.Id}")).Chunk(Together))
            {
                using VideoSource video = VideoSource.Open(folder);
                if (!frames.SequenceEqual(Enumerable.Range(0, video.FrameCount)
                    .Select(i => Path.GetFileNameWithoutExtension(video.FrameName(i)))))
                    throw new UsageException($"{Quoted.Of(folder)} holds other frames than meta_expressions.json lists for the video.");
                Follow(run, video, name, [.. chunk.Where(e => !run.IsDone($"{name}/{e.Id}"))]);
            }
        }
    }

    public IReadOnlyList<(string Name, double Value)> Summary(IReadOnlyCollection<JsonElement> samples)
    {
        double region = 100 * samples.Average(s => s.GetProperty("j").GetDouble());
        double boundary = 100 * samples.Average(s => s.GetProperty("f").GetDouble());
        return [("J", region), ("F", boundary), ("J&F", (region + boundary) / 2)];
    }

    private void Follow(EvalRun run, VideoSource video, string name, (string Id, string Text, List<string> Objects)[] expressions)
    {
        using ChatSession session = run.Open(video);
        Answer[] answers = [.. expressions.Select(e => run.Ask(session, EvalPrompts.Video(e.Text)))];
        var sums = new (double Region, double Boundary)[expressions.Length];
        var empty = new Mask(video.Width, video.Height, new byte[video.Width * video.Height]);
        using IEnumerator<FrameMasks>? followed = answers.All(a => a.Objects.Count == 0) ? null
            : run.Follow(session, video).GetEnumerator();
        for (int frame = 0; frame < video.FrameCount; frame++)
        {
            Dictionary<int, ObjectMask> masks = followed?.MoveNext() == true ? followed.Current.Objects.ToDictionary(o => o.Id) : [];
            string file = Path.GetFileNameWithoutExtension(video.FrameName(frame));
            for (int i = 0; i < expressions.Length; i++)
            {
                // The first mask of the answer counts; without one nothing is found.
                Mask found = answers[i].Objects.Count == 0 ? empty : masks[answers[i].Objects[0].Id].ToMask();
                Mask truth = Truth(name, file, frame, expressions[i].Objects, video.Width, video.Height);
                sums[i].Region += SegmentationMetrics.Jaccard(found, truth);
                sums[i].Boundary += SegmentationMetrics.Boundary(found, truth).F;
                if (_masks is null) continue;
                string folder = Path.Combine(_masks, "Annotations", name, expressions[i].Id);
                Directory.CreateDirectory(folder);
                MaskFile.Save(Path.Combine(folder, file + ".png"), found);
            }
        }
        for (int i = 0; i < expressions.Length; i++)
        {
            run.Log.Add($"{name}/{expressions[i].Id}", json =>
            {
                json.WriteString("expression", expressions[i].Text);
                json.WriteString("text", answers[i].Text);
                json.WriteNumber("frames", video.FrameCount);
                json.WriteNumber("j", sums[i].Region / video.FrameCount);
                json.WriteNumber("f", sums[i].Boundary / video.FrameCount);
            });
            run.Done();
        }
    }

    /// <summary>All objects of an expression together.</summary>
    private Mask Truth(string video, string file, int frame, List<string> objects, int width, int height)
    {
        if (_runs is not null)
            return CocoJson.Union(width, height, objects.Select(o => _runs.TryGetValue(o, out List<string?>? masks) && frame < masks.Count
                    ? masks[frame] : throw new UsageException($"mask_dict.json has no mask {Quoted.Of(o)} for frame {frame} of {video}."))
                .OfType<string>().Select(m => CocoJson.Mask(JsonDocument.Parse(m).RootElement, width, height)));
        string path = Path.Combine(_data, "Annotations", video, file + ".png");
        (int columns, int rows, byte[] labels) = ImageFile.LoadLabels(path);
        if ((columns, rows) != (width, height))
            throw new MediaException($"{path} has {columns}×{rows} pixels, its frame {width}×{height}.");
        HashSet<string> wanted = [.. objects];
        byte[] inside = [.. Enumerable.Range(0, 256).Select(l => (byte)(wanted.Contains($"{l}") ? 1 : 0))];
        return new Mask(width, height, Array.ConvertAll(labels, l => inside[l]));
    }

    /// <summary>The objects that an expression means: run lengths by anno_id, label maps by obj_id; one or several.</summary>
    private static List<string> Objects(JsonElement expression, bool byRuns)
    {
        JsonElement ids = expression.GetProperty(byRuns ? "anno_id" : "obj_id");
        return ids.ValueKind == JsonValueKind.Array ? [.. ids.EnumerateArray().Select(CocoJson.Id)] : [CocoJson.Id(ids)];
    }
}
