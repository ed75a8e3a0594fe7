namespace Sa2VA.Cli.Tests;

/// <summary>Checkpoints by name: in the Hugging Face cache, in a folder of checkpoints, or with the command that downloads them.</summary>
public class ModelChoiceTests
{
    [Theory]
    [InlineData("ByteDance/Sa2VA-4B")]
    [InlineData("bytedance/sa2va-4b")]
    [InlineData("Sa2VA-4B")]
    public void The_revision_that_main_names_is_found_in_the_cache(string name)
    {
        using var folder = new ScratchFolder();
        Cached(folder, "models--ByteDance--Sa2VA-4B", "older", "newer");
        Cached(folder, "models--aaa--Sa2VA-4B", "other");
        File.WriteAllText(folder.At("models--ByteDance--Sa2VA-4B", "refs", "main"), "older\n");
        Assert.Equal(folder.At("models--ByteDance--Sa2VA-4B", "snapshots", "older"), new ModelChoice(name, null).Folder([folder.Path]));
    }

    [Fact]
    public void Of_another_organisation_it_is_found_by_its_whole_name_or_where_no_other_has_it()
    {
        using var folder = new ScratchFolder();
        Cached(folder, "models--me--Sa2VA-4B", "mine");
        string mine = folder.At("models--me--Sa2VA-4B", "snapshots", "mine");
        Assert.Equal(mine, new ModelChoice("me/Sa2VA-4B", null).Folder([folder.At("absent"), folder.Path]));
        Assert.Equal(mine, new ModelChoice("Sa2VA-4B", null).Folder([folder.Path]));
        Refused(new ModelChoice("ByteDance/Sa2VA-4B", null), [folder.Path], "hf download ByteDance/Sa2VA-4B");
        Refused(new ModelChoice("4B", null), [folder.Path], "'4B'");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("gone")]
    [InlineData("../../../elsewhere")]
    [InlineData("")]
    public void Without_a_revision_that_is_there_the_newest_is_taken(string? main)
    {
        using var folder = new ScratchFolder();
        Cached(folder, "models--ByteDance--Sa2VA-4B", "b", "a");
        Directory.SetLastWriteTimeUtc(folder.At("models--ByteDance--Sa2VA-4B", "snapshots", "b"), DateTime.UtcNow.AddHours(-1));
        if (main is not null) File.WriteAllText(folder.At("models--ByteDance--Sa2VA-4B", "refs", "main"), main);
        Assert.Equal(folder.At("models--ByteDance--Sa2VA-4B", "snapshots", "a"), new ModelChoice("Sa2VA-4B", null).Folder([folder.Path]));
    }

    [Theory]
    [InlineData("ByteDance/Sa2VA-4B", "ByteDance/Sa2VA-4B")]
    [InlineData("ByteDance/Sa2VA-4B", "Sa2VA-4B")]
    [InlineData("Sa2VA-4B", "Sa2VA-4B")]
    [InlineData("Sa2VA-4B", "ByteDance/Sa2VA-4B")]
    public void A_folder_of_checkpoints_comes_before_the_cache(string name, string place)
    {
        using var folder = new ScratchFolder();
        Cached(folder, "cache/models--ByteDance--Sa2VA-4B", "x");
        Directory.CreateDirectory(folder.At(["mine", .. place.Split('/')]));
        File.WriteAllText(folder.At(["mine", .. place.Split('/'), "config.json"]), "{}");
        string found = new ModelChoice(name, folder.At("mine")).Folder([folder.At("cache")]);
        Assert.Equal(Path.GetFullPath(folder.At(["mine", .. place.Split('/')])), Path.GetFullPath(found));
        // It may be a cache itself.
        Assert.Equal(folder.At("cache", "models--ByteDance--Sa2VA-4B", "snapshots", "x"),
            new ModelChoice(name, folder.At("cache")).Folder([]));
    }

    [Theory]
    [InlineData("HF_HUB_CACHE=/a HF_HOME=/b", "/a")]
    [InlineData("HUGGINGFACE_HUB_CACHE=/c HF_HOME=/b", "/c")]
    [InlineData("HF_HOME=/b XDG_CACHE_HOME=/x", "/b/hub")]
    [InlineData("XDG_CACHE_HOME=/x", "/x/huggingface/hub")]
    [InlineData("HF_HOME= HF_HUB_CACHE=", "/home/me/.cache/huggingface/hub")]
    [InlineData("HF_HOME=~/hf", "/home/me/hf/hub")]
    public void The_cache_is_where_the_hub_puts_it(string environment, string cache)
    {
        Dictionary<string, string> set = environment.Split(' ').Select(v => v.Split('=')).ToDictionary(v => v[0], v => v[1]);
        Assert.Equal([Path.GetFullPath(cache)],
            ModelChoice.Caches(n => set.GetValueOrDefault(n), Path.GetFullPath("/home/me")).Select(Path.GetFullPath));
    }

    [Theory]
    [InlineData("ByteDance/Sa2VA-8B", "Download it: hf download ByteDance/Sa2VA-8B")]
    [InlineData("Sa2VA-8B", "Download it: hf download ByteDance/Sa2VA-8B")]
    [InlineData("me/other", "Download it: hf download me/other")]
    [InlineData("abc", "hf download ByteDance/NAME")]
    [InlineData("./abc", "no such folder; check the path")]
    [InlineData("a/b/c", "no such folder; check the path")]
    [InlineData("../x", "no such folder; check the path")]
    public void What_is_nowhere_has_the_command_that_downloads_it(string name, string part)
    {
        using var folder = new ScratchFolder();
        Refused(new ModelChoice(name, null), [folder.At("cache")], part);
        if (!part.StartsWith("no such", StringComparison.Ordinal)) Refused(new ModelChoice(name, null), [folder.At("cache")], "cache'");
    }

    [Fact]
    public void A_file_and_a_folder_that_is_not_there_are_called_so()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("file"), "");
        Refused(new ModelChoice(folder.At("file"), null), [], "is a file; give the folder");
        Refused(new ModelChoice("x", folder.At("absent")), [], "--models takes a folder");
        CliRun.Of("bench", "--models", folder.Path, "--preset", "sa2va-1b").AssertRefused("--models belongs to --model NAME");
    }

    [Fact]
    public void A_model_of_links_runs_and_has_its_name()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links need rights there");
        using var folder = new ScratchFolder();
        string entry = Path.Combine("models--ByteDance--Sa2VA-Toy", "snapshots", "0123abcd");
        Directory.CreateDirectory(folder.At(entry));
        Directory.CreateDirectory(folder.At("models--ByteDance--Sa2VA-Toy", "blobs"));
        foreach (string file in Directory.GetFiles(CliRun.Toy))
        {
            string blob = folder.At("models--ByteDance--Sa2VA-Toy", "blobs", Guid.NewGuid().ToString("N"));
            File.CreateSymbolicLink(blob, file);
            File.CreateSymbolicLink(folder.At(entry, Path.GetFileName(file)), Path.Combine("..", "..", "blobs", Path.GetFileName(blob)));
        }
        CliRun run = CliRun.Of("segment", "--models", folder.Path, "--model", "ByteDance/Sa2VA-Toy", "--image", CliRun.Shapes, "--prompt",
            "Please segment the red circle.", "--json");
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal("Sa2VA-Toy", run.Json[0].GetProperty("model").GetString());
        Assert.Equal(10693, run.Json[2].GetProperty("objects")[0].GetProperty("area").GetInt32());
        string[] inspect = ["inspect", "--models", folder.Path, "--model", "Sa2VA-Toy"];
        Assert.StartsWith("Sa2VA-Toy: ", CliRun.Of(inspect).Out, StringComparison.Ordinal);

        // The cache as an interrupted download leaves it: a link to what is not there yet, or none.
        foreach (FileInfo blob in new DirectoryInfo(folder.At("models--ByteDance--Sa2VA-Toy", "blobs")).GetFiles())
            if (blob.LinkTarget!.EndsWith("model.safetensors", StringComparison.Ordinal)) blob.Delete();
        CliRun.Of(inspect).AssertRefused("its download has not finished. Complete it: hf download ByteDance/Sa2VA-Toy");
        File.Delete(folder.At(entry, "model.safetensors"));
        CliRun.Of(inspect).AssertRefused("its download has not finished. Complete it: hf download ByteDance/Sa2VA-Toy");
    }

    private static void Cached(ScratchFolder folder, string entry, params string[] revisions)
    {
        Directory.CreateDirectory(folder.At(entry, "refs"));
        foreach (string revision in revisions)
        {
            Directory.CreateDirectory(folder.At(entry, "snapshots", revision));
            File.WriteAllText(folder.At(entry, "snapshots", revision, "config.json"), "{}");
        }
    }

    private static void Refused(ModelChoice choice, string[] caches, string part) =>
        Assert.Contains(part, Assert.Throws<UsageException>(() => choice.Folder(caches)).Message, StringComparison.Ordinal);
}
