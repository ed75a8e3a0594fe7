using System.Text.Json;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Evaluation;

/// <summary>RefCOCO, RefCOCO+, RefCOCOg: refs of one split and COCO's instances.</summary>
internal sealed class ReferringImages : IEvaluation
{
    private const string Convert =
        "python3 -c \"import json,pickle; json.dump(pickle.load(open('refs(unc).p','rb')), open('refs.json','w'))\"";

    private readonly IReadOnlyList<(string File, Mask Truth, List<(string Id, string Expression)> Expressions)> _refs;

    private ReferringImages(IReadOnlyList<(string, Mask, List<(string, string)>)> refs) => _refs = refs;

    /// <summary>Reads the dataset.</summary>
    /// <param name="data">Folder with refs.json and instances.json.</param>
    /// <param name="images">Folder of the images; null for images beside them.</param>
    /// <param name="split">Such as val, test, testA.</param>
    public static ReferringImages Read(string data, string? images, string split)
    {
        string refs = Path.Combine(data, "refs.json"), instances = Path.Combine(data, "instances.json");
        if (!File.Exists(refs) && Directory.EnumerateFiles(data, "refs*.p").FirstOrDefault() is { } pickle)
            throw new UsageException($"{Quoted.Of(pickle)} is a Python pickle, which could run code when read; make refs.json of it: "
                + Convert.Replace("refs(unc).p", Path.GetFileName(pickle), StringComparison.Ordinal));
        string folder = CocoJson.Images(data, images);
        var wanted = CocoJson.Of(refs, root => root.EnumerateArray().Where(r => r.GetProperty("split").GetString() == split)
            .Select(r => (Image: CocoJson.Id(r.GetProperty("image_id")), Annotation: CocoJson.Id(r.GetProperty("ann_id")),
                Ref: CocoJson.Id(r.GetProperty("ref_id")), Sentences: r.GetProperty("sentences").EnumerateArray()
                    .Select(s => (CocoJson.Id(s.GetProperty("sent_id")), s.GetProperty("sent").GetString()!)).ToList())).ToList());
        if (wanted.Count == 0)
            throw new UsageException($"{Quoted.Of(refs)} has no ref of the split {Quoted.Of(split)}; give one with --split.");
        HashSet<string> annotations = [.. wanted.Select(w => w.Annotation)];
        return CocoJson.Of(instances, root =>
        {
            Dictionary<string, JsonElement> pictures = root.GetProperty("images").EnumerateArray()
                .ToDictionary(i => CocoJson.Id(i.GetProperty("id")), i => i);
            Dictionary<string, JsonElement> segmentations = root.GetProperty("annotations").EnumerateArray()
                .Where(a => annotations.Contains(CocoJson.Id(a.GetProperty("id"))))
                .ToDictionary(a => CocoJson.Id(a.GetProperty("id")), a => a.GetProperty("segmentation"));
            // Expressions on one image follow one another: it is encoded once.
            return new ReferringImages([.. wanted.OrderBy(w => w.Image, StringComparer.Ordinal).Select(w =>
            {
                JsonElement picture = pictures[w.Image];
                return (Path.Combine(folder, picture.GetProperty("file_name").GetString()!),
                    CocoJson.Mask(segmentations[w.Annotation], picture.GetProperty("width").GetInt32(),
                        picture.GetProperty("height").GetInt32()),
                    w.Sentences.Select(s => ($"{w.Ref}/{s.Item1}", s.Item2)).ToList());
            })]);
        });
    }

    public int Count => _refs.Sum(r => r.Expressions.Count);

    public void Run(EvalRun run)
    {
        ImageSession? session = null;
        string? opened = null;
        try
        {
            foreach ((string file, Mask truth, List<(string Id, string Expression)> expressions) in _refs)
            {
                foreach ((string id, string expression) in expressions)
                {
                    if (run.IsDone(id)) continue;
                    if (opened != file)
                    {
                        session?.Dispose();
                        session = run.Open(file);
                        opened = file;
                    }
                    Answer answer = run.Ask(session!, EvalPrompts.Image(expression));
                    // Without a mask nothing is found; of several, all together are the answer.
                    Mask found = CocoJson.Union(session!.Image.Width, session.Image.Height, answer.Objects.Select(o => o.Mask!.ToMask()));
                    (long intersection, long union) = SegmentationMetrics.Overlap(found, truth);
                    run.Log.Add(id, json =>
                    {
                        json.WriteString("expression", expression);
                        json.WriteString("text", answer.Text);
                        json.WriteNumber("intersection", intersection);
                        json.WriteNumber("union", union);
                        json.WriteNumber("iou", SegmentationMetrics.Iou(found, truth));
                    });
                    run.Done();
                }
            }
        }
        finally
        {
            session?.Dispose();
        }
    }

    public IReadOnlyList<(string Name, double Value)> Summary(IReadOnlyCollection<JsonElement> samples) =>
    [
        ("cIoU", 100 * SegmentationMetrics.CumulativeIou(samples.Select(s =>
            (s.GetProperty("intersection").GetInt64(), s.GetProperty("union").GetInt64())))),
        ("gIoU", 100 * samples.Average(s => s.GetProperty("iou").GetDouble())),
    ];
}
