using System.Text.Json;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Evaluation;

/// <summary>Grounded captions as GranD-f has them: true masks as a COCO file, images beside.</summary>
internal sealed class GroundedCaptions : IEvaluation
{
    private const double Threshold = 0.5;
    private const int MostDetections = 100;

    private readonly List<(string Id, string File, List<Mask> Truth)> _images;

    private GroundedCaptions(List<(string, string, List<Mask>)> images) => _images = images;

    /// <summary>Reads the dataset.</summary>
    /// <param name="data">Folder with SPLIT_gcg_coco_mask_gt.json.</param>
    /// <param name="images">Folder of the images; null for images beside it.</param>
    /// <param name="split">val or test.</param>
    public static GroundedCaptions Read(string data, string? images, string split)
    {
        string folder = CocoJson.Images(data, images);
        return CocoJson.Of(Path.Combine(data, $"{split}_gcg_coco_mask_gt.json"), root =>
        {
            ILookup<string, JsonElement> annotations = root.GetProperty("annotations").EnumerateArray()
                .ToLookup(a => CocoJson.Id(a.GetProperty("image_id")), a => a.GetProperty("segmentation"));
            return new GroundedCaptions([.. root.GetProperty("images").EnumerateArray().Select(i =>
            {
                string id = CocoJson.Id(i.GetProperty("id"));
                string file = i.TryGetProperty("file_name", out JsonElement name) ? name.GetString()! : id + ".jpg";
                (int width, int height) = (i.GetProperty("width").GetInt32(), i.GetProperty("height").GetInt32());
                return (id, Path.Combine(folder, file), annotations[id].Select(s => CocoJson.Mask(s, width, height)).ToList());
            })]);
        });
    }

    public int Count => _images.Count;

    public void Run(EvalRun run)
    {
        foreach ((string id, string file, List<Mask> truth) in _images)
        {
            if (run.IsDone(id)) continue;
            using ImageSession session = run.Open(file);
            Answer answer = run.Ask(session, EvalPrompts.GroundedCaption);
            Mask[] found = [.. answer.Objects.Select(o => o.Mask!.ToMask())];
            double[][] ious = [.. found.Select(f => truth.Select(t => SegmentationMetrics.Jaccard(f, t)).ToArray())];
            run.Log.Add(id, json =>
            {
                json.WriteString("text", answer.Text);
                json.WriteNumber("miou", MeanIou(ious, truth.Count));
                json.WriteNumber("truth", truth.Count);
                json.WriteStartArray("matched");
                foreach (bool match in Matches(ious, truth.Count)) json.WriteBooleanValue(match);
                json.WriteEndArray();
                json.WriteStartArray("rle");
                foreach (Mask mask in found) json.WriteStringValue(CocoRle.Encode(mask));
                json.WriteEndArray();
            });
            run.Done();
        }
    }

    public IReadOnlyList<(string Name, double Value)> Summary(IReadOnlyCollection<JsonElement> samples) =>
    [
        ("AP50", 100 * AveragePrecision([.. samples.SelectMany(s => s.GetProperty("matched").EnumerateArray().Select(m => m.GetBoolean()))],
            samples.Sum(s => s.GetProperty("truth").GetInt32()))),
        ("mIoU", 100 * samples.Average(s => s.GetProperty("miou").GetDouble())),
    ];

    /// <summary>Pairs by the highest IoU that is left, each mask once; their mean. 0 where nothing is found or nothing is there.</summary>
    public static double MeanIou(double[][] ious, int truths)
    {
        var pairs = new List<double>();
        HashSet<int> found = [.. Enumerable.Range(0, ious.Length)], truth = [.. Enumerable.Range(0, truths)];
        while (found.Count > 0 && truth.Count > 0)
        {
            (int f, int t) = found.SelectMany(f => truth.Select(t => (f, t))).MaxBy(p => ious[p.f][p.t]);
            pairs.Add(ious[f][t]);
            found.Remove(f);
            truth.Remove(t);
        }
        return pairs.Count == 0 ? 0 : pairs.Average();
    }

    /// <summary>
    /// Which masks, in the order of the answer, COCO's evaluation counts as right: of the truths left the best, if good enough.
    /// </summary>
    public static IReadOnlyList<bool> Matches(double[][] ious, int truths)
    {
        var taken = new bool[truths];
        var matches = new List<bool>();
        foreach (double[] row in ious.Take(MostDetections))
        {
            int best = -1;
            for (int t = 0; t < truths; t++)
                if (!taken[t] && row[t] >= (best < 0 ? Threshold : row[best])) best = t;
            matches.Add(best >= 0);
            if (best >= 0) taken[best] = true;
        }
        return matches;
    }

    /// <summary>COCO's average precision of detections that all have one score: their order is that of the images.</summary>
    public static double AveragePrecision(IReadOnlyList<bool> matched, int truths)
    {
        const int recalls = 101;
        if (truths == 0) return 0;
        var precision = new double[matched.Count];
        var recall = new double[matched.Count];
        for (int i = 0, right = 0; i < matched.Count; i++)
        {
            if (matched[i]) right++;
            (precision[i], recall[i]) = (right / (double)(i + 1), right / (double)truths);
        }
        for (int i = matched.Count - 1; i > 0; i--) precision[i - 1] = Math.Max(precision[i - 1], precision[i]);
        double sum = 0;
        for (int r = 0, i = 0; r < recalls; r++)
        {
            while (i < matched.Count && recall[i] < r / (recalls - 1.0)) i++;
            if (i < matched.Count) sum += precision[i];
        }
        return sum / recalls;
    }
}
