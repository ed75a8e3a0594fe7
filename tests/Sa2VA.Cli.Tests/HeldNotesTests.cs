using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sa2VA.Verification;

namespace Sa2VA.Cli.Tests;

/// <summary>What was done with the input or found in the model that might not be expected is told once, and not beside an error.</summary>
public class HeldNotesTests
{
    [Fact]
    public void The_order_of_frames_is_told_and_can_be_chosen()
    {
        using var folder = new ScratchFolder();
        foreach ((int from, string to) in ((int, string)[])[(0, "1.png"), (1, "2.png"), (2, "10.png")])
            File.Copy(Path.Combine(CliRun.Clip, $"{from:D3}.png"), folder.At(to));
        CliRun run = Segment(folder.Path, "--prompt", "Please segment the red circle.", "--prompt", "Please segment the blue star.");
        Assert.Equal(0, run.Code);
        Assert.Contains("10.png", Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.Equal(["1.png", "2.png", "10.png"], Sources(run));

        CliRun named = Segment(folder.Path, "--prompt", "Please segment the red circle.", "--order", "name");
        Assert.Equal((0, ""), (named.Code, named.Error));
        Assert.Equal(["1.png", "10.png", "2.png"], Sources(named));
        CliRun refused = Segment(folder.Path, "--prompt", "<IMG_CONTEXT>");
        Assert.Equal(2, refused.Code);
        Assert.Contains("<IMG_CONTEXT>", Assert.Single(refused.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Chat_tells_before_its_first_answer()
    {
        using var folder = new ScratchFolder();
        foreach ((int from, string to) in ((int, string)[])[(0, "1.png"), (1, "2.png"), (2, "10.png")])
            File.Copy(Path.Combine(CliRun.Clip, $"{from:D3}.png"), folder.At(to));
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--video", folder.Path, "--prompt", "Please describe the video content.");
        Assert.Equal(0, run.Code);
        Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void A_region_too_small_to_be_seen_is_told_once()
    {
        PredictCase recorded = PredictCase.Read(Fixtures.Path("predict", "internvl-internlm2", "regions-2.json"));
        CliRun run = CliRun.Of("segment", "--model", Fixtures.Model(recorded.Model), "--image", Media(recorded.Image!), "--regions",
            Media(recorded.Regions!), "--prompt", recorded.Prompt, "--prompt", recorded.Prompt, "--json");
        Assert.Equal(0, run.Code);
        string line = Assert.Single(Lines(run.Error), l => l.Contains("too small to be seen", StringComparison.Ordinal));
        JsonElement[] answers = [.. run.Json.Where(l => l.GetProperty("type").GetString() == "answer")];
        Assert.Equal([line, line], answers.Select(a => Assert.Single(a.GetProperty("notes").EnumerateArray()).GetString()));
        Assert.All(answers, a => Assert.Equal(recorded.Prediction, a.GetProperty("raw").GetString()));
    }

    [Fact]
    public void What_the_model_lacks_is_told_once()
    {
        using var folder = new ScratchFolder();
        foreach (string file in Directory.EnumerateFiles(CliRun.Toy)) File.Copy(file, folder.At(Path.GetFileName(file)));
        string config = File.ReadAllText(folder.At("config.json"));
        File.WriteAllText(folder.At("config.json"), config.Replace("\"ps_version\": \"v2\",", "", StringComparison.Ordinal));

        CliRun chat = CliRun.Of("chat", "--model", folder.Path, "--prompt", "Hello", "--prompt", "And?", "--max-tokens", "9");
        Assert.Single(Lines(chat.Error), l => l.Contains("ps_version", StringComparison.Ordinal));
        CliRun segment = CliRun.Of(
            "segment", "--model", folder.Path, "--image", CliRun.Shapes, "--prompt", "Hello", "--prompt", "Hello", "--json");
        Assert.Single(Lines(segment.Error), l => l.Contains("ps_version", StringComparison.Ordinal));
        CliRun describe = CliRun.Of("describe", "--model", folder.Path, "--image", CliRun.Shapes, "--json");
        Assert.Single(Lines(describe.Error), l => l.Contains("ps_version", StringComparison.Ordinal));
        CliRun.Of("chat", "--model", folder.Path, "--prompt", "<IMG_CONTEXT>").AssertRefused("<IMG_CONTEXT>");
        CliRun bench = CliRun.Of("bench", "--model", folder.Path, "--stages", "decode", "--runs", "1");
        Assert.Single(Lines(bench.Error), l => l.Contains("ps_version", StringComparison.Ordinal));
        string cases = Fixtures.Path("predict", "sa2va-tiny-shapes");
        CliRun verify = CliRun.Of("verify", "--model", folder.Path, "--goldens", Path.Combine(cases, "text-hello.json"),
            Path.Combine(cases, "text-hello.json"));
        Assert.Single(Lines(verify.Error), l => l.Contains("ps_version", StringComparison.Ordinal));
    }

    [Fact]
    public void A_tag_for_a_picture_that_is_not_there_is_told()
    {
        CliRun run = CliRun.Of("chat", "--model", CliRun.Toy, "--prompt", "<image>Hello");
        Assert.Equal(0, run.Code);
        Assert.Contains("<image>", Assert.Single(Lines(run.Error)), StringComparison.Ordinal);
        Assert.Equal(CliRun.Of("chat", "--model", CliRun.Toy, "--prompt", "Hello").Out, run.Out);
    }

    [Fact]
    public void An_answer_that_the_context_ends_is_told()
    {
        using var folder = new ScratchFolder();
        foreach (string file in Directory.EnumerateFiles(CliRun.Toy)) File.Copy(file, folder.At(Path.GetFileName(file)));
        string[] describe = ["segment", "--model", folder.Path, "--image", CliRun.Shapes, "--prompt", "Please describe the image.",
            "--json"];
        Limit(16);
        string tokens = CliRun.Of(describe).Error.Split("The prompt has ")[1].Split(' ')[0];
        Limit(int.Parse(tokens, CultureInfo.InvariantCulture) + 3);
        CliRun segment = CliRun.Of(describe);
        Assert.Equal(0, segment.Code);
        Assert.Contains("cut off after 3 tokens", segment.Error, StringComparison.Ordinal);
        Assert.True(segment.Json.Single(l => l.GetProperty("type").GetString() == "answer").GetProperty("truncated").GetBoolean());
        CliRun chat = CliRun.Of("chat", "--model", folder.Path, "--image", CliRun.Shapes, "--prompt", "Please describe the image.");
        Assert.Contains("context is full", Assert.Single(Lines(chat.Error)), StringComparison.Ordinal);

        void Limit(int positions)
        {
            JsonNode config = JsonNode.Parse(File.ReadAllText(Path.Combine(CliRun.Toy, "config.json")))!;
            config["llm_config"]!["max_position_embeddings"] = positions;
            File.WriteAllText(folder.At("config.json"), config.ToJsonString());
        }
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string Media(string path) => Fixtures.Path(path.Split('/'));

    private static CliRun Segment(string video, params string[] more) =>
        CliRun.Of(["segment", "--model", CliRun.Toy, "--video", video, "--json", .. more]);

    private static IEnumerable<string> Sources(CliRun run) =>
        run.Json.Where(l => l.GetProperty("type").GetString() == "frame").Select(l => l.GetProperty("source").GetString()!);
}
