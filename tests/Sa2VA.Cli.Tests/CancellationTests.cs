using System.Diagnostics;
using Sa2VA.Cli.Results;
using Sa2VA.Verification;

namespace Sa2VA.Cli.Tests;

/// <summary>Ctrl+C: exit 130, nothing half-written.</summary>
public class CancellationTests
{
    [Fact]
    public void Within_a_video_it_stops_at_once_and_leaves_nothing()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (line.Contains("\"frame\":6", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, "segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please segment the red circle.",
            "--json", "--out", folder.At("out"));
        Assert.Equal(130, run.Code);
        Assert.Equal(7, run.Json.Count(l => l.GetProperty("type").GetString() == "frame"));
        Assert.Equal(130, run.Json[^1].GetProperty("exit").GetInt32());
        Assert.Equal("sa2va: Cancelled.", run.Error.Trim());
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public void A_folder_that_was_there_stays_as_it_was()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("mine.txt"), "mine");
        CliRun run = CliRun.With((line, cancel) =>
        {
            // No more frames than these wait to be written.
            if (!line.Contains($"\"frame\":{2 + BackgroundWriter.Depth},", StringComparison.Ordinal)) return;
            Assert.Contains(folder.Entries, e => e.EndsWith("masks/object-0/frame-00001.png", StringComparison.Ordinal));
            cancel.Cancel();
        }, TextReader.Null, "segment", "--model", CliRun.Toy, "--video", CliRun.Clip, "--prompt", "Please segment the red circle.",
            "--json", "--out", folder.Path);
        Assert.Equal(130, run.Code);
        Assert.Equal(["mine.txt"], folder.Entries);
    }

    [Fact]
    public async Task Regions_come_through_a_pipe_and_waiting_for_it_ends_at_once()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "pipes are no files there");
        using var folder = new ScratchFolder();
        string pipe = folder.At("pipe");
        using (var mkfifo = Process.Start("mkfifo", [pipe])) await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);
        PredictCase recorded = PredictCase.Read(Fixtures.Path("predict", "sa2va-tiny-shapes", "region-one.json"));
        string[] Args(string regions) => ["segment", "--model", CliRun.Toy, "--image", Fixtures.Path(recorded.Image!.Split('/')),
            "--regions", regions, "--prompt", recorded.Prompt, "--json"];

        string file = Fixtures.Path(recorded.Regions!.Split('/'));
        Task writing = Task.Run(() => File.WriteAllBytes(pipe, File.ReadAllBytes(file)), TestContext.Current.CancellationToken);
        CliRun piped = CliRun.Of(Args(pipe));
        await writing;
        Assert.Equal(0, piped.Code);
        Assert.Equal(CliRun.Of(Args(file)).Json[1].ToString(), piped.Json[1].ToString());

        using var cancel = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        using var error = new StringWriter();
        Assert.Equal(130, Program.Run(Args(pipe), TextWriter.Null, error, TextReader.Null, cancel.Token));
        Assert.Equal("sa2va: Cancelled.", error.ToString().Trim());
        // Whoever still waits for the pipe finds its end.
        new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite).Dispose();
    }

    [Fact]
    public void Before_the_answer_it_leaves_nothing()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (line.Contains("Device", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, "demo", "--out", folder.At("out"));
        Assert.Equal(130, run.Code);
        Assert.DoesNotContain("Sure", run.Out, StringComparison.Ordinal);
        Assert.Empty(folder.Entries);
    }
}
