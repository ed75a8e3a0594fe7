using System.Diagnostics;
using System.Text.Json;

namespace Sa2VA.Cli.Tests;

/// <summary>Video files on the command line, through a stand-in for ffmpeg.</summary>
public class VideoFileTests
{
    private static readonly string[] Ask = ["segment", "--model", CliRun.Toy, "--prompt", "Please segment the red circle.", "--json"];

    public VideoFileTests() => Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");

    [Fact]
    public void A_video_file_is_followed_frame_by_frame()
    {
        using var folder = new ScratchFolder();
        string clip = FakeFfmpeg.Clip(folder, "clip.mp4", "for t in 0 0.04 0.08 0.12; do frame 64 48 7 $t; done\n");
        CliRun run = CliRun.Of([.. Ask, "--video", clip, "--ffmpeg", FakeFfmpeg.Program, "--max-frames", "3", "--out", folder.At("out"),
            "--names", "source"]);
        Assert.Equal(0, run.Code);
        // There is no circle on plain frames.
        Assert.StartsWith("Nothing found for", Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.Equal(3, run.Json[0].GetProperty("frames").GetInt32());
        JsonElement[] frames = [.. run.Json.Where(l => l.GetProperty("type").GetString() == "frame")];
        Assert.Equal(["clip.mp4#0", "clip.mp4#1", "clip.mp4#2"], frames.Select(f => f.GetProperty("source").GetString()));
        Assert.True(File.Exists(folder.At("out", "masks", "object-0", "clip.mp4#2.png")));
    }

    [Fact]
    public void One_that_is_given_as_a_picture_is_told_with_the_option_for_videos()
    {
        using var folder = new ScratchFolder();
        string clip = FakeFfmpeg.Clip(folder, "clip.mp4", ""), model = CliRun.Toy;
        const string Told = "clip.mp4' is a video, not a picture; give it with --video in place of --image.";
        CliRun.Of([.. Ask, "--image", clip]).AssertRefusedWithJson(Told);
        CliRun.Of("describe", "--model", model, "--image", clip).AssertRefused(Told);
        CliRun.Of("chat", "--model", model, "--image", clip, "--prompt", "Hello").AssertRefused(Told);
        CliRun chat = CliRun.With(null, new StringReader($"/image {clip}\n"), "chat", "--model", model);
        Assert.Equal(2, chat.Code);
        Assert.Contains("give it with /video in place of /image.", chat.Error, StringComparison.Ordinal);
        chat = CliRun.With(null, new StringReader($"/image {folder.Path}\n"), "chat", "--model", model);
        Assert.Contains("give a folder of frames with /video.", chat.Error, StringComparison.Ordinal);
        // Among pictures it has an error, and the others go on.
        CliRun several = CliRun.Of([.. Ask, "--image", clip, CliRun.Shapes]);
        Assert.Equal(2, several.Code);
        Assert.Equal(["error", "start", "answer", "frame", "end"], several.Json.Select(l => l.GetProperty("type").GetString()));
        Assert.Contains(Told, several.Json[0].GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_ffmpeg_the_line_says_how_to_get_one()
    {
        using var folder = new ScratchFolder();
        string clip = FakeFfmpeg.Clip(folder, "clip.mp4", "");
        CliRun.Of([.. Ask, "--video", clip, "--ffmpeg", folder.At("none")]).AssertRefusedWithJson("an MP4 video", "install", "ffmpeg -i");
        CliRun.Of([.. Ask, "--image", CliRun.Shapes, "--ffmpeg", "x"]).AssertRefusedWithJson("--ffmpeg belongs to --video");
        CliRun.Of([.. Ask, "--video", "rtsp://host/live", "--ffmpeg", FakeFfmpeg.Program]).AssertRefusedWithJson("live stream");
    }

    [Theory]
    // Before the first frame, while frames are counted, and in the middle of the video.
    [InlineData("touch \"$HUNG\"; exec sleep 600\n")]
    [InlineData("[ $COUNTING = 1 ] || { frame 64 48 7 0; exec sleep 600; }\ntouch \"$HUNG\"; exec sleep 600\n")]
    [InlineData("frame 64 48 7 0; frame 64 48 7 0.1\n[ $COUNTING = 1 ] && exit\ntouch \"$HUNG\"; exec sleep 600\n")]
    public async Task Ctrl_c_ends_waiting_for_one_that_hangs_at_once(string script)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        string clip = FakeFfmpeg.Clip(folder, "clip.mp4", $"HUNG='{folder.At("hung")}'\n" + script);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using StringWriter output = new(), error = new();
        Task<int> run = Task.Run(() => Program.Run([.. Ask, "--video", clip, "--ffmpeg", FakeFfmpeg.Program], output, error,
            TextReader.Null, cancel.Token), cancellation);
        while (!File.Exists(folder.At("hung")) && !run.IsCompleted) await Task.Delay(10, cancellation);
        Assert.False(run.IsCompleted, error.ToString());
        long start = Stopwatch.GetTimestamp();
        await cancel.CancelAsync();
        Assert.Equal(130, await run);
        // By itself it is given up after two minutes.
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 30);
        Assert.True(await FakeFfmpeg.HasEndedAsync(clip, cancellation));
    }

    [Theory]
    [InlineData("[ $COUNTING = 1 ] && exec cat /dev/zero\nframe 64 48 7 0\nexec sleep 9\n")]
    [InlineData("if [ $COUNTING = 1 ]; then i=0; while [ $i -lt 500 ]; do frame 64 48 7 0; i=$((i + 1)); done; exit; fi\n"
        + "while :; do frame 64 48 7 0; done\n")]
    public async Task Nothing_runs_on_when_the_program_is_killed(string script)
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using var folder = new ScratchFolder();
        string clip = FakeFfmpeg.Clip(folder, "clip.mp4", script);
        string dotnet = Environment.ProcessPath!, program = Path.Combine(AppContext.BaseDirectory, "sa2va.dll");
        if (!Path.GetFileNameWithoutExtension(dotnet).Equals("dotnet", StringComparison.Ordinal)) dotnet = "dotnet";
        using Process process = Process.Start(new ProcessStartInfo(dotnet, [program, .. Ask, "--video", clip, "--ffmpeg",
            FakeFfmpeg.Program]) { RedirectStandardOutput = true })!;
        if (script.Contains("cat /dev/zero", StringComparison.Ordinal))
        {
            // Counts without end.
            while (!File.Exists(clip + ".args") || !(await File.ReadAllTextAsync(clip + ".args", cancellation)).Contains("rawvideo",
                StringComparison.Ordinal))
                await Task.Delay(20, cancellation);
        }
        else
        {
            while (await process.StandardOutput.ReadLineAsync(cancellation) is { } line)
                if (line.Contains("\"frame\":1,", StringComparison.Ordinal)) break;
        }
        process.Kill();
        await process.WaitForExitAsync(cancellation);
        Assert.True(await FakeFfmpeg.HasEndedAsync(clip, cancellation));
    }
}
