using System.Text.Json;
using Sa2VA.Cli.Evaluation;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

/// <summary>Datasets in their public formats, made small, and what is measured on them.</summary>
public class EvalTests
{
    [Fact]
    public void Prompts_are_those_of_the_reference()
    {
        Assert.Equal("<image>\n Please segment the dog in this image.", EvalPrompts.Image("the dog"));
        Assert.Equal("<image>\nPlease segment the dog.", EvalPrompts.Video("the dog"));
        Assert.Equal("<image>\n who runs? Please respond with a segmentation mask.", EvalPrompts.Video("who runs?"));
        Assert.Equal("<image>\nCould you please give me a brief description of the image? Please respond with interleaved     segmentation "
            + "masks for the corresponding parts of the answer.", EvalPrompts.GroundedCaption);
    }

    [Fact]
    public void Polygons_and_run_lengths_are_pixels()
    {
        static string Rows(string segmentation, int width, int height)
        {
            Mask mask = CocoJson.Mask(JsonDocument.Parse(segmentation).RootElement, width, height);
            return string.Join('|', Enumerable.Range(0, height).Select(y => string.Concat(mask.Row(y).ToArray())));
        }
        Assert.Equal("000000|011110|011110|011110|000000", Rows("[[1,1,5,1,5,4,1,4]]", 6, 5));
        Assert.Equal("000000|011110|011110|011110|000000", Rows("[[1,4,5,4,5,1,1,1]]", 6, 5));
        Assert.Equal("110001|110001|000000", Rows("[[0,0,2,0,2,2,0,2],[5,0,6,0,6,2,5,2]]", 6, 3));
        Assert.Equal("01|01|00", Rows("{\"size\":[3,2],\"counts\":[3,2,1]}", 2, 3));
        Assert.Equal("01|01|00", Rows("{\"size\":[3,2],\"counts\":\"321\"}", 2, 3));
    }

    [Fact]
    public void Grounded_captions_are_paired_and_counted()
    {
        double[][] ious = [[0.6, 0.9], [0.7, 0.95], [0.1, 0.2]];
        Assert.Equal((0.95 + 0.6) / 2, GroundedCaptions.MeanIou(ious, 2), 1e-12);
        Assert.Equal((0.95 + 0.6) / 2, GroundedCaptions.MeanIou([[0.9, 0.6], [0.95, 0.1]], 2), 1e-12);
        Assert.Equal(0, GroundedCaptions.MeanIou([], 2));
        // The first mask takes the second truth, though the next would fit it better.
        Assert.Equal([true, true, false], GroundedCaptions.Matches(ious, 2));
        Assert.Equal(1, GroundedCaptions.AveragePrecision([true, true, false], 2), 1e-12);
        Assert.Equal((51 + 50 * 2 / 3.0) / 101, GroundedCaptions.AveragePrecision([true, false, true], 2), 1e-12);
        Assert.Equal(51 / 101.0, GroundedCaptions.AveragePrecision([true], 2), 1e-12);
        // A truth is taken once; precision never falls short of what a higher recall has.
        Assert.Equal([true, false], GroundedCaptions.Matches([[0.9, 0.1], [0.8, 0.2]], 2));
        Assert.Equal((34 + 67 * 0.75) / 101, GroundedCaptions.AveragePrecision([true, false, true, true], 3), 1e-12);
    }

    [Fact]
    public void Referring_images_are_measured_and_a_stopped_run_goes_on()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("data", "images"));
        File.Copy(CliRun.Shapes, folder.At("data", "images", "shapes.png"));
        File.WriteAllText(folder.At("data", "instances.json"), """
            {"images":[{"id":7,"file_name":"shapes.png","width":480,"height":360}],
             "annotations":[{"id":1,"image_id":7,"segmentation":[[47,53,165,53,165,168,47,168]]},
                            {"id":2,"image_id":7,"segmentation":[[0,0,10,0,10,10,0,10]]}]}
            """);
        File.WriteAllText(folder.At("data", "refs.json"), """
            [{"ref_id":5,"ann_id":1,"image_id":7,"split":"val","sentences":[{"sent_id":0,"sent":"the red circle"}]},
             {"ref_id":6,"ann_id":2,"image_id":7,"split":"val","sentences":[{"sent_id":1,"sent":"the blue star"}]},
             {"ref_id":9,"ann_id":2,"image_id":7,"split":"test","sentences":[{"sent_id":2,"sent":"x"}]}]
            """);
        string[] args = ["eval", "refcoco", "--model", CliRun.Toy, "--data", folder.At("data"), "--out", folder.At("out")];
        CliRun first = CliRun.Of([.. args, "--max-samples", "1"]);
        Assert.Equal((0, ""), (first.Code, first.Error));
        string log = folder.At("out", EvalLog.FileName);
        string[] lines = File.ReadAllLines(log);
        Assert.Equal(2, lines.Length);
        // As if it had been killed while it wrote the next line, which would have been a long one.
        File.AppendAllText(log, "{\"id\":\"6/1\",\"expression\":\"" + new string('x', 4000));
        CliRun second = CliRun.Of(args);
        Assert.Equal((0, ""), (second.Code, second.Error));
        string[] all = File.ReadAllLines(log);
        Assert.Equal(lines, all[..2]);
        Assert.Equal(3, all.Length);
        JsonElement circle = JsonDocument.Parse(all[1]).RootElement, star = JsonDocument.Parse(all[2]).RootElement;
        Assert.Equal(("5/0", "6/1"), (circle.GetProperty("id").GetString(), star.GetProperty("id").GetString()));
        // The circle fills most of its box; the star is elsewhere.
        Assert.InRange(circle.GetProperty("iou").GetDouble(), 0.6, 0.9);
        Assert.Equal(0, star.GetProperty("intersection").GetInt64());
        JsonElement summary = JsonDocument.Parse(File.ReadAllText(folder.At("out", "summary.json"))).RootElement;
        double expected = 100.0 * circle.GetProperty("intersection").GetInt64()
            / (circle.GetProperty("union").GetInt64() + star.GetProperty("union").GetInt64());
        Assert.Equal(expected, summary.GetProperty("cIoU").GetDouble(), 1e-9);
        Assert.Equal(100 * circle.GetProperty("iou").GetDouble() / 2, summary.GetProperty("gIoU").GetDouble(), 1e-9);
        CliRun.Of([.. args, "--split", "test"]).AssertRefused("another run");
        CliRun.Of("eval", "--model", CliRun.Toy, "--data", folder.Path, "--out", "x").AssertRefused("sa2va eval refcoco");
        CliRun.Of("eval", "coco", "--model", CliRun.Toy, "--data", folder.Path, "--out", "x").AssertRefused("no evaluation 'coco'");
    }

    [Fact]
    public void What_a_dataset_lacks_is_told_before_a_model_is_loaded_and_leaves_no_folder()
    {
        using var folder = new ScratchFolder();
        string[] args = ["--model", "absent", "--data", folder.Path, "--out", folder.At("out")];
        CliRun.Of(["eval", "gcg", "--images", folder.Path, .. args])
            .AssertRefused("There is no", "val_gcg_coco_mask_gt.json", "docs/eval.md");
        CliRun.Of(["eval", "ref-vos", .. args]).AssertRefused("There is no", "meta_expressions.json", "docs/eval.md");
        CliRun.Of(["eval", "refcoco", "--images", folder.Path, .. args]).AssertRefused("There is no", "refs.json", "docs/eval.md");
        File.WriteAllText(folder.At("refs.json"), "[]");
        foreach (string task in (string[])["refcoco", "gcg"])
        {
            CliRun.Of(["eval", task, .. args]).AssertRefused("There is no folder", "images", "--images DIR");
            CliRun.Of(["eval", task, "--images", folder.At("nowhere"), .. args]).AssertRefused("There is no folder", "check --images");
        }
        Assert.Equal(["refs.json"], folder.Entries);
    }

    [Fact]
    public void Grounded_captions_are_measured_and_a_stopped_run_goes_on()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("data", "images"));
        foreach (string name in (string[])["trio.png", "shapes.png"])
            File.Copy(Path.Combine(Path.GetDirectoryName(CliRun.Shapes)!, name), folder.At("data", "images", name));
        string[] args = ["eval", "gcg", "--model", CliRun.Toy, "--data", folder.At("data")];
        Truth([], []);
        Assert.Equal((0, ""), Run("first", []));
        string[][] found = [.. Samples("first").Select(s => s.GetProperty("rle").EnumerateArray().Select(r => r.GetString()!).ToArray())];
        Assert.Equal((0.0, 0.0), Measures("first"));
        Assert.Equal((4, 2), (found[0].Length, Math.Min(2, found[1].Length)));

        // What the model finds is made the truth, in another order; of the second picture the first mask alone, and one in a corner.
        var corner = new byte[480 * 360];
        corner[^1] = 1;
        Truth([found[0][2], found[0][0], found[0][3], found[0][1]], [CocoRle.Encode(new Mask(480, 360, corner)), found[1][0]]);
        Assert.Equal((0, ""), Run("second", ["--max-samples", "1"]));
        Assert.Equal((100.0, 100.0), Measures("second"));
        string[] lines = File.ReadAllLines(folder.At("second", EvalLog.FileName));
        Assert.Equal((0, ""), Run("second", []));
        Assert.Equal(lines, File.ReadAllLines(folder.At("second", EvalLog.FileName))[..2]);
        JsonElement[] samples = Samples("second");
        Assert.Equal(["a", "7"], samples.Select(s => s.GetProperty("id").GetString()));
        Assert.Equal([true, .. found[1].Skip(1).Select(_ => false)], samples[1].GetProperty("matched").EnumerateArray()
            .Select(m => m.GetBoolean()));
        // Five of six truths are found before the first mask that is none: recalls 0 to 0.83 of 101. Of the second picture's pairs, one is
        // right and one is of nothing.
        (double precision, double iou) = Measures("second");
        Assert.Equal(8400 / 101.0, precision, 1e-9);
        Assert.Equal(100 * (1 + 0.5) / 2, iou, 1e-9);

        void Truth(string[] trio, string[] shapes) => File.WriteAllText(folder.At("data", "val_gcg_coco_mask_gt.json"),
            JsonSerializer.Serialize(new
            {
                images = new object[]
                {
                    new { id = "a", file_name = "trio.png", width = 152, height = 148 },
                    new { id = 7, file_name = "shapes.png", width = 480, height = 360 },
                },
                annotations = (object[])[
                    .. trio.Select(c => new { image_id = "a", segmentation = new { size = new[] { 148, 152 }, counts = c } }),
                    .. shapes.Select(c => new { image_id = 7, segmentation = new { size = new[] { 360, 480 }, counts = c } })],
            }));

        (int, string) Run(string name, string[] more)
        {
            CliRun run = CliRun.Of([.. args, "--out", folder.At(name), .. more]);
            return (run.Code, run.Error);
        }

        JsonElement[] Samples(string name) =>
            [.. File.ReadAllLines(folder.At(name, EvalLog.FileName)).Skip(1).Select(l => JsonDocument.Parse(l).RootElement)];

        (double, double) Measures(string name)
        {
            JsonElement summary = JsonDocument.Parse(File.ReadAllText(folder.At(name, "summary.json"))).RootElement;
            return (summary.GetProperty("AP50").GetDouble(), summary.GetProperty("mIoU").GetDouble());
        }
    }

    [Fact]
    public void All_masks_of_an_answer_are_one()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("data", "images"));
        File.Copy(CliRun.Shapes, folder.At("data", "images", "shapes.png"));
        File.WriteAllText(folder.At("data", "instances.json"), """
            {"images":[{"id":7,"file_name":"shapes.png","width":480,"height":360}],
             "annotations":[{"id":1,"image_id":7,"segmentation":[[47,53,165,53,165,168,47,168]]}]}
            """);
        File.WriteAllText(folder.At("data", "refs.json"), """
            [{"ref_id":5,"ann_id":1,"image_id":7,"split":"val","sentences":[{"sent_id":0,"sent":"the red circle"},
              {"sent_id":1,"sent":"the red circle and the blue star"}]}]
            """);
        CliRun run = CliRun.Of("eval", "refcoco", "--model", CliRun.Toy, "--data", folder.At("data"), "--out", folder.At("out"));
        Assert.Equal((0, ""), (run.Code, run.Error));
        JsonElement[] samples = [.. File.ReadAllLines(folder.At("out", EvalLog.FileName)).Skip(1)
            .Select(l => JsonDocument.Parse(l).RootElement)];
        Assert.Equal([1, 2], samples.Select(s => s.GetProperty("text").GetString()!.Split("[SEG]").Length - 1));
        // The star is outside of the circle's box: it adds to the union alone.
        Assert.Equal(samples[0].GetProperty("intersection").GetDouble(), samples[1].GetProperty("intersection").GetDouble(), 200.0);
        Assert.True(samples[1].GetProperty("union").GetInt64() > samples[0].GetProperty("union").GetInt64() + 2000);
    }

    [Fact]
    public void Referring_videos_are_measured_with_run_lengths_or_label_maps()
    {
        using var folder = new ScratchFolder();
        string data = folder.At("data");
        Directory.CreateDirectory(folder.At("data", "JPEGImages", "clip"));
        string[] frames = [.. Directory.GetFiles(CliRun.Clip).Order(StringComparer.Ordinal).Take(3)];
        foreach (string frame in frames) File.Copy(frame, folder.At("data", "JPEGImages", "clip", Path.GetFileName(frame)));
        string names = string.Join(',', frames.Select(f => $"\"{Path.GetFileNameWithoutExtension(f)}\""));
        const string expressions = "{\"0\":{\"exp\":\"the red circle\",\"obj_id\":\"2\",\"anno_id\":[4,5]}}";
        File.WriteAllText(folder.At("data", "meta_expressions.json"),
            "{\"videos\":{\"clip\":{\"frames\":[" + names + "],\"expressions\":" + expressions + "}}}");
        string[] args = ["eval", "ref-vos", "--model", CliRun.Toy, "--data", data];
        // What the model finds is made the truth: everything is right then, by either form.
        Directory.CreateDirectory(folder.At("data", "Annotations", "clip"));
        foreach (string frame in frames)
            LabelMapFile.Save(folder.At("data", "Annotations", "clip", Path.GetFileNameWithoutExtension(frame) + ".png"), 320, 240,
                new byte[320 * 240]);
        CliRun run = CliRun.Of([.. args, "--out", folder.At("first"), "--masks"]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        var masks = new List<Mask>();
        foreach (string frame in frames)
        {
            string name = Path.GetFileNameWithoutExtension(frame) + ".png";
            Mask found = MaskFile.Load(folder.At("first", "Annotations", "clip", "0", name));
            Assert.True(found.Area > 0);
            LabelMapFile.Save(folder.At("data", "Annotations", "clip", name), 320, 240, LabelMapFile.Labels([(1, found)]));
            masks.Add(found);
        }
        Assert.Equal((0.0, 0.0), Measures("first"));
        Assert.Equal(0, CliRun.Of([.. args, "--out", folder.At("second")]).Code);
        Assert.Equal((100.0, 100.0), Measures("second"));
        // All that an expression means is its truth together: of the second frame half of what is found, of the third nothing.
        byte[] half = masks[1].Pixels.ToArray();
        Array.Clear(half, 0, masks[1].BoundingBox!.Value.Y * 320 + masks[1].BoundingBox!.Value.Height / 2 * 320);
        var truth = new Mask(320, 240, half);
        File.WriteAllText(folder.At("data", "mask_dict.json"), $"{{\"4\":[{Run(masks[0])},null,null],\"5\":[null,{Run(truth)},null]}}");
        Assert.Equal(0, CliRun.Of([.. args, "--out", folder.At("third")]).Code);
        (double region, double boundary) = Measures("third");
        Assert.Equal(100 * (1 + SegmentationMetrics.Jaccard(masks[1], truth)) / 3, region, 1e-9);
        Assert.Equal(100 * (1 + SegmentationMetrics.Boundary(masks[1], truth).F) / 3, boundary, 1e-9);
        Assert.NotEqual(region, boundary, 1e-3);

        // By the other protocol, what segment finds with it; the two do not mix.
        string[] consistent = [.. args, "--protocol", "consistent"];
        CliRun.Of([.. consistent, "--out", folder.At("third")]).AssertRefused("third");
        Assert.Equal(0, CliRun.Of([.. consistent, "--out", folder.At("fourth"), "--masks"]).Code);
        Assert.Contains("\"protocol\":\"consistent\"", File.ReadLines(folder.At("fourth", "samples.jsonl")).First(),
            StringComparison.Ordinal);
        Assert.Equal(0, CliRun.Of("segment", "--model", CliRun.Toy, "--video", folder.At("data", "JPEGImages", "clip"), "--prompt",
            "<image>\nPlease segment the red circle.", "--protocol", "consistent", "--names", "source", "--out",
            folder.At("segment")).Code);
        foreach (string frame in frames)
        {
            string name = Path.GetFileNameWithoutExtension(frame) + ".png";
            Assert.Equal(MaskFile.Load(folder.At("segment", "masks", "object-0", name)).Pixels.ToArray(),
                MaskFile.Load(folder.At("fourth", "Annotations", "clip", "0", name)).Pixels.ToArray());
        }
        CliRun.Of("eval", "refcoco", "--model", "absent", "--data", data, "--out", folder.At("o"), "--protocol", "upstream")
            .AssertRefused("--protocol belongs to ref-vos");

        static string Run(Mask mask) => JsonSerializer.Serialize(new { size = new[] { 240, 320 }, counts = CocoRle.Encode(mask) });

        (double, double) Measures(string name)
        {
            JsonElement summary = JsonDocument.Parse(File.ReadAllText(folder.At(name, "summary.json"))).RootElement;
            (double j, double f) = (summary.GetProperty("J").GetDouble(), summary.GetProperty("F").GetDouble());
            Assert.Equal((j + f) / 2, summary.GetProperty("J&F").GetDouble(), 1e-9);
            return (j, f);
        }
    }
}
