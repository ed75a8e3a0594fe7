using System.Text.Json;
using Sa2VA.Cli.Results;

namespace Sa2VA.Cli.Tests;

/// <summary>A result folder holds one run, and what no run wrote.</summary>
public class ResultFolderTests
{
    private static readonly string[] Two = ["--prompt", "Please segment the red circle.", "--prompt", "Please segment the blue star."];

    [Fact]
    public void A_run_that_overwrites_replaces_what_the_former_one_wrote_and_nothing_else()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("masks", "mine"));
        File.WriteAllText(folder.At("masks", "mine", "frame-00000.png"), "mine");
        File.WriteAllText(folder.At("frame-00000.png"), "mine too");
        Assert.Equal(0, Run(folder.Path, 4, Two).Code);
        Assert.Equal((0, ""), (Run(folder.Path, 2, Two[..2], "--overwrite").Code, Run(folder.Path, 2, Two[..2], "--overwrite").Error));
        Assert.Equal(
        [
            "frame-00000.png", "masks", "masks/mine", "masks/mine/frame-00000.png", "masks/object-0", "masks/object-0/frame-00000.png",
                "masks/object-0/frame-00001.png",
            "overlay.webp", "overlays", "overlays/frame-00000.png", "overlays/frame-00001.png", "sa2va-run.json",
        ], folder.Entries);
        JsonElement list = JsonDocument.Parse(File.ReadAllBytes(folder.At("sa2va-run.json"))).RootElement;
        Assert.Equal("segment", list.GetProperty("command").GetString());
        Assert.Equal([Two[1]], list.GetProperty("prompts").EnumerateArray().Select(p => p.GetString()!));
        Assert.True(list.GetProperty("complete").GetBoolean());
        Assert.Equal(["masks/object-0/frame-00000.png", "masks/object-0/frame-00001.png", "overlay.webp", "overlays/frame-00000.png",
            "overlays/frame-00001.png"],
            list.GetProperty("files").EnumerateArray().Select(f => f.GetString()!));
    }

    [Fact]
    public void Another_run_goes_beside_the_former_one()
    {
        using var folder = new ScratchFolder();
        Assert.Equal(0, Run(folder.At("out"), 2, Two).Code);
        // What would be in the way there is not in the way of another folder.
        File.WriteAllText(folder.At("out", "masks", "object-0", "frame-00009.png"), "mine");
        Dictionary<string, byte[]> first = Contents(folder.At("out"));
        File.WriteAllText(folder.At("out-2"), "mine");
        CliRun run = Run(folder.At("out") + Path.DirectorySeparatorChar, 1, Two[..2]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Contains($"in {folder.At("out-3")} (", run.Out, StringComparison.Ordinal);
        Assert.Equal(first, Contents(folder.At("out")));
        Assert.Equal(["masks/object-0/frame-00000.png", "overlay.webp", "overlays/frame-00000.png", "sa2va-run.json"],
            ResultFiles.In(folder.At("out-3")).Order(StringComparer.Ordinal));
        // One more, and JSON says where.
        Assert.Equal(folder.At("out-4"), Run(folder.At("out"), 1, Two[..2], "--json").Json[^1].GetProperty("out").GetString());
        Assert.Equal(["out", "out-2", "out-3", "out-4"],
            Directory.EnumerateFileSystemEntries(folder.Path).Select(e => Path.GetFileName(e)).Order(StringComparer.Ordinal));
        // That of a numbered folder is its own.
        Assert.Equal(folder.At("out-3-2"), Run(folder.At("out-3"), 1, Two[..2], "--json").Json[^1].GetProperty("out").GetString());
    }

    [Fact]
    public void The_current_folder_has_a_neighbour_too()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("in", "side"));
        foreach (string here in (string[])[folder.At("in"), folder.At("in", "side", "..")])
        {
            var description = new RunDescription { Command = "c", Model = "m", Source = "s", Prompts = [] };
            using var results = new ResultFolder(here, description, overwrite: false, ResultContent.Default);
            results.Commit();
        }
        Assert.Contains("in-2/sa2va-run.json", folder.Entries);
        Assert.Contains("in/sa2va-run.json", folder.Entries);
    }

    [Theory]
    [InlineData("masks/object-0/frame-00000.png")]
    [InlineData("masks/object-3/frame-00099.png")]
    [InlineData("overlays/frame-00007.png")]
    [InlineData("overlay.webp")]
    [InlineData("masks")]
    public void Without_a_list_nothing_is_taken_for_a_former_run_and_no_model_is_loaded(string file)
    {
        using var folder = new ScratchFolder();
        string[] kept = [file, "masks.txt", "overlays/notes.txt"];
        foreach (string name in kept)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.At(name))!);
            File.WriteAllText(folder.At(name), "mine");
        }
        CliRun.Of("segment", "--model", "absent", "--video", CliRun.Clip, "--prompt", "x", "--out", folder.Path)
            .AssertRefused(Path.GetFileName(file), "in the way", "sa2va-run.json", "--out");
        Assert.Equal(kept.Order(StringComparer.Ordinal), ResultFiles.In(folder.Path).Order(StringComparer.Ordinal));
        Assert.All(kept, name => Assert.Equal("mine", File.ReadAllText(folder.At(name))));
    }

    [Theory]
    [InlineData("masks")]
    [InlineData("overlays")]
    [InlineData("masks/object-0")]
    public void Nothing_is_written_through_a_link(string name)
    {
        if (OperatingSystem.IsWindows()) return;
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("elsewhere"));
        Directory.CreateDirectory(Path.GetDirectoryName(folder.At("out", name))!);
        Directory.CreateSymbolicLink(folder.At("out", name), folder.At("elsewhere"));
        CliRun.Of("segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--out", folder.At("out"))
            .AssertRefused(Path.GetFileName(name), "in the way");
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.At("elsewhere")));
    }

    [Fact]
    public void A_link_to_nothing_is_called_so()
    {
        if (OperatingSystem.IsWindows()) return;
        using var folder = new ScratchFolder();
        File.CreateSymbolicLink(folder.At("out"), folder.At("nowhere"));
        CliRun.Of("segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--out", folder.At("out"))
            .AssertRefused("out", "link to nothing");
    }

    [Fact]
    public void Names_of_the_source_s_files_are_in_the_way_too()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("overlays"));
        File.WriteAllText(folder.At("overlays", "shapes.png"), "mine");
        string[] line = ["segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--out", folder.Path];
        CliRun.Of([.. line, "--names", "source"]).AssertRefused("shapes.png", "in the way");
        CliRun.Of(line).AssertRefused("absent");
    }

    [Fact]
    public void A_run_that_fails_leaves_the_former_one_whole()
    {
        using var folder = new ScratchFolder();
        Assert.Equal(0, Run(folder.At("out"), 2, Two).Code);
        Dictionary<string, byte[]> before = Contents(folder.At("out"));
        Directory.CreateDirectory(folder.At("frames"));
        for (int i = 0; i < 3; i++) File.Copy(Path.Combine(CliRun.Clip, $"{i:D3}.png"), folder.At("frames", $"{i:D3}.png"));
        File.WriteAllBytes(folder.At("frames", "002.png"), File.ReadAllBytes(folder.At("frames", "002.png"))[..200]);
        CliRun run = CliRun.Of(["segment", "--model", CliRun.Toy, "--video", folder.At("frames"), .. Two[..2], "--out", folder.At("out"),
            "--overwrite"]);
        Assert.Equal(2, run.Code);
        Assert.Equal(before, Contents(folder.At("out")));
    }

    [Theory]
    [InlineData("masks/object-0/frame-00000.png")]
    [InlineData("overlays/frame-00000.png")]
    [InlineData("overlay.webp")]
    [InlineData("masks")]
    [InlineData("masks/object-0")]
    public void What_no_run_wrote_is_not_overwritten(string file)
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(Path.GetDirectoryName(folder.At(file))!);
        File.WriteAllText(folder.At(file), "mine");
        // The list of a run that wrote nothing.
        RunManifest.Write(folder.Path, new RunDescription { Command = "segment", Model = "m", Source = "s", Prompts = [] }, [],
            complete: true);
        Dictionary<string, byte[]> before = Contents(folder.Path);
        CliRun run = Run(folder.Path, 1, Two[..2], "--overwrite");
        Assert.Equal(2, run.Code);
        Assert.Contains("in the way", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(before, Contents(folder.Path));
    }

    [Theory]
    [InlineData("overlays/frame-00000.png", "in the way")]
    // A file where a folder has to be: half of the files are in their places by then.
    [InlineData("overlays", "")]
    public void A_replacement_that_cannot_be_completed_is_taken_back(string mine, string why)
    {
        using var folder = new ScratchFolder();
        var run = new RunDescription { Command = "segment", Model = "m", Source = "s", Prompts = [] };
        foreach (string name in (string[])["old/masks/object-0/frame-00000.png", "new/masks/object-0/frame-00000.png",
            "new/masks/object-0/frame-00001.png", "new/overlays/frame-00000.png", $"old/{mine}"])
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.At(name))!);
            File.WriteAllText(folder.At(name), name);
        }
        RunManifest.Write(folder.At("old"), run, ["masks/object-0/frame-00000.png"], complete: true);
        Dictionary<string, byte[]> former = Contents(folder.At("old")), next = Contents(folder.At("new"));
        Exception e = Assert.ThrowsAny<Exception>(() => RunReplacement.Do(folder.At("new"), folder.At("old"), run, overwrite: true));
        Assert.True(e is UsageException or IOException);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.Equal(former, Contents(folder.At("old")));
        Assert.Equal(next, Contents(folder.At("new")));
    }

    [Theory]
    [InlineData("{\"files\":[\"mine.txt\"]}")]
    [InlineData("{\"files\":[\"masks/object-0/../../mine.txt\"]}")]
    [InlineData("{\"files\":[\"../masks/object-0/a.png\"]}")]
    [InlineData("{\"files\":[\"/masks/object-0/a.png\"]}")]
    [InlineData("{\"files\":[\"../overlay.webp\"]}")]
    [InlineData("{\"files\":[\"./overlay.webp\"]}")]
    [InlineData("{\"files\":[\"a/b/overlay.webp\"]}")]
    [InlineData("{\"files\":[1]}")]
    [InlineData("{\"files\":{}}")]
    [InlineData("{\"files\":[\"\\ud800\"]}")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("")]
    public void A_list_that_no_run_wrote_is_refused_before_any_work(string list)
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("mine.txt"), "mine");
        File.WriteAllText(folder.At("sa2va-run.json"), list);
        CliRun.Of("segment", "--model", "absent", "--image", CliRun.Shapes, "--prompt", "x", "--out", folder.Path)
            .AssertRefused("sa2va-run.json", "has written: it ", "--out");
        Assert.Equal(["mine.txt", "sa2va-run.json"], folder.Entries);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Runs_at_the_same_time_do_not_mix(bool exists)
    {
        using var folder = new ScratchFolder();
        if (exists) Directory.CreateDirectory(folder.At("out"));
        Task<CliRun>[] runs = [.. Enumerable.Range(1, 4)
            .Select(i => Task.Run(() => Run(folder.At("out"), i, i % 2 == 0 ? Two : Two[..2], "--overwrite")))];
        Assert.All(await Task.WhenAll(runs), r => Assert.Equal((0, ""), (r.Code, r.Error)));
        Assert.Equal(["out"], Directory.EnumerateFileSystemEntries(folder.Path).Select(e => Path.GetFileName(e)));
        JsonElement list = JsonDocument.Parse(File.ReadAllBytes(folder.At("out", "sa2va-run.json"))).RootElement;
        string[] listed = [.. list.GetProperty("files").EnumerateArray().Select(f => f.GetString()!)];
        Assert.Equal(listed.Append("sa2va-run.json"), ResultFiles.In(folder.At("out")).Order(StringComparer.Ordinal));
        int frames = listed.Count(f => f.StartsWith("overlays/", StringComparison.Ordinal));
        Assert.Equal((frames % 2 == 0 ? 3 : 2) * frames, listed.Length - 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Runs_at_the_same_time_go_beside_each_other(bool exists)
    {
        using var folder = new ScratchFolder();
        if (exists) Directory.CreateDirectory(folder.At("out"));
        Task<CliRun>[] runs = [.. Enumerable.Range(1, 4).Select(i => Task.Run(() => Run(folder.At("out"), i, Two[..2], "--json")))];
        CliRun[] done = await Task.WhenAll(runs);
        Assert.Equal(["out", "out-2", "out-3", "out-4"],
            Directory.EnumerateFileSystemEntries(folder.Path).Select(e => Path.GetFileName(e)).Order(StringComparer.Ordinal));
        for (int i = 0; i < done.Length; i++)
        {
            Assert.Equal((0, ""), (done[i].Code, done[i].Error));
            string place = done[i].Json[^1].GetProperty("out").GetString()!;
            Assert.Equal(i + 1, Directory.GetFiles(Path.Combine(place, "masks", "object-0")).Length);
            Assert.Equal(i + 1, Directory.GetFiles(Path.Combine(place, "overlays")).Length);
        }
    }

    [Fact]
    public void Frames_are_named_after_their_files_on_request()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(folder.At("clip"));
        foreach ((int from, string to) in ((int, string)[])[(0, "00009.png"), (1, "00010.png"), (2, "00012.png")])
            File.Copy(Path.Combine(CliRun.Clip, $"{from:D3}.png"), folder.At("clip", to));
        CliRun run = CliRun.Of(["segment", "--model", CliRun.Toy, "--video", folder.At("clip"), .. Two[..2], "--json", "--names", "source",
            "--out", folder.At("out")]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal(["00009.png", "00010.png", "00012.png"],
            run.Json.Where(l => l.GetProperty("type").GetString() == "frame").Select(l => l.GetProperty("source").GetString()!));
        Assert.Equal(["masks/object-0/00009.png", "masks/object-0/00010.png", "masks/object-0/00012.png", "overlay.webp",
            "overlays/00009.png", "overlays/00010.png",
            "overlays/00012.png", "sa2va-run.json"], ResultFiles.In(folder.At("out")).Order(StringComparer.Ordinal));
        // Two files that differ in their extension alone keep it.
        File.Copy(Path.Combine(CliRun.Clip, "003.png"), folder.At("clip", "00012.PNG"));
        Assert.Equal(0, CliRun.Of(["segment", "--model", CliRun.Toy, "--video", folder.At("clip"), .. Two[..2], "--names", "source",
            "--out", folder.At("out"), "--overwrite"]).Code);
        Assert.Equal(4, Directory.GetFiles(folder.At("out", "masks", "object-0")).Length);
        Assert.Contains("out/masks/object-0/00012.png.png", folder.Entries);
    }

    [Fact]
    public void An_image_is_named_after_its_file_on_request()
    {
        using var folder = new ScratchFolder();
        Assert.Equal(0, CliRun.Of("describe", "--model", CliRun.Toy, "--image", CliRun.Shapes, "--prompt", Two[1], "--names", "source",
            "--out", folder.At("out")).Code);
        Assert.Contains("out/masks/object-0/shapes.png", folder.Entries);
    }

    private static CliRun Run(string output, int frames, string[] prompts, params string[] more) =>
        CliRun.Of(["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, .. prompts, "--max-frames", $"{frames}", "--out", output,
            .. more]);

    private static Dictionary<string, byte[]> Contents(string folder) => ResultFiles.In(folder)
        .ToDictionary(f => f, f => File.ReadAllBytes(Path.Combine(folder, f)));
}
