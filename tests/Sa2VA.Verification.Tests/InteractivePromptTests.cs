using System.Text.Json;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Engine.Tracking;
using Sa2VA.Models;
using Sa2VA.Tests;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// The first prompts of recorded sessions: clicks and boxes on a frame that nothing is known of, each with the mask of the one before. One
/// click chooses among three masks, more points mean one.
/// </summary>
public sealed class InteractivePromptTests
{
    private static readonly Tolerance Network = new(5e-5, 5e-4, 1e-7);

    public static TheoryData<string> Sessions() =>
        [.. from model in (string[])["internvl-qwen2-phi3", "sa2va-tiny-shapes"]
            where Fixtures.Exists("interactive", model)
            from file in Directory.GetFiles(Fixtures.Path("interactive", model), "*.safetensors").Order(StringComparer.Ordinal)
            where Clicks(file).Count > 0
            select model + "/" + Path.GetFileName(file)];

    [Theory]
    [MemberData(nameof(Sessions))]
    public void Clicks_and_boxes_give_the_recorded_masks(string session)
    {
        string path = Fixtures.Path(["interactive", .. session.Split('/')]);
        using var golden = new GoldenFile(path);
        string folder = Fixtures.Model(golden.Model);
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        using var backend = new CpuBackend();
        GroundingConfig config = Sa2VAConfig.Read(folder).Grounding;
        using var model = new SegmentationModel(backend, checkpoint, config);
        using var frame = new FrameFeatures(model);
        byte[] levels = golden.Input("base_u8").Bytes();
        frame.Encode(levels.AsSpan(0, config.ImageSize * config.ImageSize * 3), TestContext.Current.CancellationToken);

        using var results = new MaskResults(model, 1);
        float[] previous = [];
        IReadOnlyList<PointPrompt[]> clicks = Clicks(path);
        for (int i = 0; i < clicks.Count; i++)
        {
            using var track = new ObjectTrack(model, new ObjectPrompt(model, [], clicks[i], previous), 1);
            track.Bind([frame], results, 0);
            track.Condition(0, remember: false, TestContext.Current.CancellationToken);
            results.BeginRead(model.Queue).Wait();
            MaskPrediction mask = track.Prediction;
            Assert.Equal(golden.Output("selected_index").Integers[i], mask.Selected);
            Same("low", mask.Low, i);
            Same("ious", mask.Ious, i);
            Same("object_logit", [mask.ObjectLogit], i);
            Same("ptr", mask.Pointer, i);
            previous = mask.Low.ToArray();
        }

        void Same(string name, ReadOnlySpan<float> values, int event_)
        {
            // Large outputs hold every n-th element.
            float[] recorded = golden.Output(name).Floats;
            int stride = values.Length * (int)golden.Output("selected_index").Integers.LongLength / recorded.Length,
                count = values.Length / stride;
            float[] sample = [.. values.ToArray().Where((_, k) => k % stride == 0)];
            TensorCheck check = TensorCheck.Compare(name, sample, recorded.AsSpan(event_ * count, count), Network);
            Assert.True(check.Passed, $"{name} of prompt {event_}: max {check.MaxError:E2} of {check.MaxAllowed:E2}");
        }
    }

    /// <summary>
    /// The points of each event before anything else happens, in pixels of the network's input; earlier ones stay until cleared.
    /// </summary>
    private static List<PointPrompt[]> Clicks(string path)
    {
        using TestGolden file = TestGolden.CopyOf(path);
        using JsonDocument json = JsonDocument.Parse(file.Metadata["params"]);
        float side = json.RootElement.GetProperty("image_size").GetSingle();
        float[] size = Floats(json.RootElement.GetProperty("video_size"));
        var events = new List<PointPrompt[]>();
        foreach (JsonElement e in json.RootElement.GetProperty("events").EnumerateArray())
        {
            if (e.GetProperty("op").GetString() != "points") break;
            if (e.GetProperty("frame").GetInt32() != 0 || e.GetProperty("object").GetInt32() != 1) break;
            var points = new List<PointPrompt>();
            if (e.GetProperty("box") is { ValueKind: JsonValueKind.Array } box)
            {
                float[] corners = Floats(box);
                points.Add(Place(corners[0], corners[1], 2));
                points.Add(Place(corners[2], corners[3], 3));
            }
            if (events.Count > 0 && !e.GetProperty("clear").GetBoolean()) points.AddRange(events[^1]);
            foreach ((JsonElement point, JsonElement label) in e.GetProperty("points").EnumerateArray()
                .Zip(e.GetProperty("labels").EnumerateArray()))
                points.Add(Place(Floats(point)[0], Floats(point)[1], label.GetInt32()));
            events.Add([.. points]);
        }
        return events;

        PointPrompt Place(float x, float y, int label) => new(x / size[0] * side, y / size[1] * side, (PointLabel)label);
    }

    private static float[] Floats(JsonElement array) => [.. array.EnumerateArray().Select(v => v.GetSingle())];
}
