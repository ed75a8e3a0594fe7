using System.Text.Json;
using Sa2VA.Cli.Results;

namespace Sa2VA.Cli.Tests;

/// <summary>Several pictures with one model: each as it would be alone, and none lost for the fault of another.</summary>
public class SeveralPicturesTests
{
    private static readonly string[] Circle = ["--prompt", "Please segment the red circle."];

    [Fact]
    public void Each_of_a_folder_is_segmented_as_it_would_be_alone()
    {
        using var folder = new ScratchFolder();
        string pictures = Pictures(folder, "10.png", "9.png", "8.png");
        File.WriteAllText(Path.Combine(pictures, "notes.txt"), "not a picture");
        CliRun run = CliRun.Of(["segment", "--model", CliRun.Toy, "--image", pictures, .. Circle, "--json", "--out", folder.At("out")]);
        Assert.Equal(0, run.Code);
        Assert.Contains("notes.txt is no picture and was left out", run.Error, StringComparison.Ordinal);
        Assert.Contains("follow one another by their numbers", run.Error, StringComparison.Ordinal);
        Assert.Equal(["start", "answer", "frame", "end", "start", "answer", "frame", "end", "start", "answer", "frame", "end",
            "results"], run.Json.Select(Type));
        Assert.Equal(["8.png", "9.png", "10.png"], Of(run, "frame").Select(f => f.GetProperty("source").GetString()!));
        Assert.Equal([(0, 3), (1, 3), (2, 3)],
            Of(run, "start").Select(s => (s.GetProperty("picture").GetInt32(), s.GetProperty("pictures").GetInt32())));
        Assert.Equal(["8", "9", "10"], Of(run, "end").Select(s => s.GetProperty("folder").GetString()!));
        Assert.Equal((folder.At("out"), 3, 3), (run.Json[^1].GetProperty("out").GetString(),
            run.Json[^1].GetProperty("pictures").GetInt32(), run.Json[^1].GetProperty("completed").GetInt32()));
        Assert.Equal([false, true, true], Of(run, "end").Select(s => s.GetProperty("seconds").GetProperty("load").GetDouble() == 0));
        Assert.Equal(["10/masks/object-0/frame-00000.png", "10/overlays/frame-00000.png", "8/masks/object-0/frame-00000.png",
            "8/overlays/frame-00000.png", "9/masks/object-0/frame-00000.png", "9/overlays/frame-00000.png", "sa2va-run.json"],
            ResultFiles.In(folder.At("out")).Order(StringComparer.Ordinal));
        foreach (string name in (string[])["8", "9", "10"])
        {
            CliRun alone = CliRun.Of(["segment", "--model", CliRun.Toy, "--image", Path.Combine(pictures, name + ".png"), .. Circle,
                "--json", "--out", folder.At("alone", name)]);
            Assert.Equal(Of(alone, "frame").Single().GetRawText(),
                Of(run, "frame").Single(f => f.GetProperty("source").GetString() == name + ".png").GetRawText());
            foreach (string file in ResultFiles.In(folder.At("alone", name)).Where(f => f != RunManifest.FileName))
                Assert.Equal(File.ReadAllBytes(folder.At("alone", name, file)), File.ReadAllBytes(folder.At("out", name, file)));
        }
    }

    [Fact]
    public void A_picture_that_cannot_be_used_is_told_and_the_others_go_on()
    {
        using var folder = new ScratchFolder();
        string pictures = Pictures(folder, "a.png", "b.png", "c.png");
        File.WriteAllBytes(Path.Combine(pictures, "b.png"), File.ReadAllBytes(Path.Combine(pictures, "b.png"))[..200]);
        CliRun run = CliRun.Of(["segment", "--model", CliRun.Toy, "--image", pictures, .. Circle, "--json", "--out", folder.At("out")]);
        Assert.Equal(2, run.Code);
        Assert.Equal(["start", "answer", "frame", "end", "error", "start", "answer", "frame", "end", "results"], run.Json.Select(Type));
        Assert.Equal(2, run.Json[^1].GetProperty("completed").GetInt32());
        Assert.Contains("b.png", run.Json[4].GetProperty("message").GetString(), StringComparison.Ordinal);
        string[] told = run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, told.Length);
        Assert.StartsWith("sa2va: ", told[0], StringComparison.Ordinal);
        Assert.Equal($"2 of 3 pictures were segmented: 2 masks and 2 overlays in {folder.At("out")}.", told[1]);
        Assert.Equal(["a", "c"], Directory.GetDirectories(folder.At("out")).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Where_none_can_be_used_nothing_is_left()
    {
        using var folder = new ScratchFolder();
        string pictures = Pictures(folder, "a.png", "b.png");
        foreach (string file in Directory.GetFiles(pictures)) File.WriteAllText(file, "no picture");
        string[] before = folder.Entries;
        CliRun run = CliRun.Of(["describe", "--model", CliRun.Toy, "--image", pictures, "--out", folder.At("out")]);
        Assert.Equal(2, run.Code);
        Assert.Contains("0 of 2 pictures", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, folder.Entries);
    }

    [Fact]
    public void What_is_complete_stays_when_the_job_is_cancelled()
    {
        using var folder = new ScratchFolder();
        string pictures = Pictures(folder, "a.png", "b.png", "c.png");
        int ends = 0, starts = 0;
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (line.Contains("\"type\":\"end\"", StringComparison.Ordinal)) ends++;
            if (line.Contains("\"type\":\"start\"", StringComparison.Ordinal) && ++starts == 3) cancel.Cancel();
        }, TextReader.Null, ["segment", "--model", CliRun.Toy, "--image", pictures, .. Circle, "--json", "--out", folder.At("out")]);
        Assert.Equal((130, 2), (run.Code, ends));
        Assert.Equal(["a/masks/object-0/frame-00000.png", "a/overlays/frame-00000.png", "b/masks/object-0/frame-00000.png",
            "b/overlays/frame-00000.png", "sa2va-run.json"], ResultFiles.In(folder.At("out")).Order(StringComparer.Ordinal));
        Assert.Contains("2 of 3 pictures", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Pictures_of_one_name_do_not_meet()
    {
        using var folder = new ScratchFolder();
        string one = Pictures(folder, "a.png", "a.jpg", "..png", "b .png"), two = folder.At("other");
        Directory.CreateDirectory(two);
        File.Copy(Path.Combine(one, "a.png"), Path.Combine(two, "a.png"));
        CliRun run = CliRun.Of(["segment", "--model", CliRun.Toy, "--image", Path.Combine(one, "a.png"), "--image",
            Path.Combine(one, "a.jpg"), "--image", Path.Combine(two, "a.png"), "--image", Path.Combine(one, "..png"),
            "--image", Path.Combine(one, "b .png"), .. Circle, "--names", "source", "--out", folder.At("out")]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal(["a.jpg/overlays/a.png", "a.png-2/overlays/a.png", "a.png/overlays/a.png", "picture-00003/overlays/..png",
            "picture-00004/overlays/b .png"],
            ResultFiles.In(folder.At("out")).Where(f => f.Contains("overlays", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Contains("5 masks and 5 overlays", run.Out, StringComparison.Ordinal);
        Assert.Contains("a.jpg (2 of 5)", run.Out, StringComparison.Ordinal);
        Assert.Contains("  object 0: ", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void An_older_run_of_pictures_is_replaced_whole()
    {
        using var folder = new ScratchFolder();
        string pictures = Pictures(folder, "a.png", "b.png");
        string[] line = ["segment", "--model", CliRun.Toy, .. Circle, "--out", folder.At("out"), "--overwrite", "--image"];
        Assert.Equal(0, CliRun.Of([.. line, pictures]).Code);
        File.WriteAllText(folder.At("out", "a", "mine.txt"), "mine");
        Assert.Equal(0, CliRun.Of([.. line, Path.Combine(pictures, "b.png")]).Code);
        Assert.Equal(["a/mine.txt", "masks/object-0/frame-00000.png", "overlays/frame-00000.png", "sa2va-run.json"],
            ResultFiles.In(folder.At("out")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Masks_below_the_score_that_is_asked_for_are_left_out_and_counted()
    {
        using var folder = new ScratchFolder();
        // The toy knows words better than clicks: what is shown has a low score.
        string[] line = ["segment", "--model", CliRun.Toy, "--image", CliRun.Shapes, .. Circle, "--point", "20,20", "--json"];
        JsonElement[] all = [.. Of(CliRun.Of(line), "frame").Single().GetProperty("objects").EnumerateArray()];
        Assert.True(all[0].GetProperty("score").GetDouble() > 0.5 && all[1].GetProperty("score").GetDouble() < 0.5);
        CliRun run = CliRun.Of([.. line, "--min-score", "0.5", "--out", folder.At("out")]);
        Assert.Equal(0, run.Code);
        Assert.Equal(all[0].GetRawText(), Assert.Single(Of(run, "frame").Single().GetProperty("objects").EnumerateArray()).GetRawText());
        Assert.Equal((2, 1), (run.Json[^1].GetProperty("objects").GetInt32(), run.Json[^1].GetProperty("dropped").GetInt32()));
        Assert.Contains("1 mask with a score below --min-score 0.5 was left out", run.Error, StringComparison.Ordinal);
        Assert.Equal(["object-0"], Directory.GetDirectories(folder.At("out", "masks")).Select(d => Path.GetFileName(d)));
    }

    private static string Pictures(ScratchFolder folder, params string[] names)
    {
        Directory.CreateDirectory(folder.At("pictures"));
        for (int i = 0; i < names.Length; i++) File.Copy(Path.Combine(CliRun.Clip, $"{4 * i:D3}.png"), folder.At("pictures", names[i]));
        return folder.At("pictures");
    }

    private static IEnumerable<JsonElement> Of(CliRun run, string type) => run.Json.Where(l => Type(l) == type);

    private static string Type(JsonElement line) => line.GetProperty("type").GetString()!;
}
