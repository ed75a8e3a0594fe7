using System.Diagnostics;
using System.Text.Json;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

/// <summary>Objects on cameras, streams and videos that are played.</summary>
public class TrackTests
{
    private const string Question = "Please segment the red circle.";

    private static string[] Track(string input, params string[] more) => ["track", input, "--model", CliRun.Toy, .. more];

    [Fact]
    public void A_folder_of_which_no_frame_is_dropped_has_the_masks_that_segment_gives()
    {
        string[] both = ["--prompt", Question, "--prompt", "Please segment the blue star.", "--max-frames", "6", "--json"];
        CliRun track = CliRun.Of(Track(CliRun.Clip, [.. both, "--look", "5", "--queue", "wait", "--rate", "1000"]));
        CliRun segment = CliRun.Of(["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, .. both]);
        Assert.Equal((0, ""), (track.Code, track.Error));
        Assert.Equal(Of(segment, "answer").Select(l => l.GetRawText()), Of(track, "answer").Select(l => l.GetRawText()));
        Assert.Equal(Of(segment, "frame").Select(Masks), Of(track, "frame").Select(Masks));
        Assert.Equal(["000.png", "001.png", "002.png", "003.png", "004.png", "005.png"],
            Of(track, "frame").Select(f => f.GetProperty("source").GetString()));
        Assert.Equal([0, 0.001, 0.002, 0.003, 0.004, 0.005], Of(track, "frame").Select(f => f.GetProperty("time").GetDouble()));
        JsonElement end = track.Json[^1];
        Assert.Equal(("end", "end", 6, 6, 2), (Type(end), end.GetProperty("ended").GetString(),
            end.GetProperty("counters").GetProperty("pushed").GetInt32(), end.GetProperty("counters").GetProperty("tracked").GetInt32(),
            end.GetProperty("objects").GetInt32()));
    }

    [Fact]
    public void An_object_that_is_shown_is_followed_from_the_first_frame_on()
    {
        using var folder = new ScratchFolder();
        string[] shown = ["--point", "66,185", "--max-frames", "3"];
        CliRun track = CliRun.Of(Track(CliRun.Clip,
            [.. shown, "--queue", "wait", "--out", folder.At("out"), "--names", "source", "--json"]));
        CliRun segment = CliRun.Of(["segment", "--model", CliRun.Toy, "--video", CliRun.Clip, .. shown, "--json"]);
        track.AssertShownInDoubt();
        Assert.Equal(["start", "shown", "frame", "frame", "frame", "end"], track.Json.Select(Type));
        Assert.Equal(Of(segment, "frame").Select(Masks), Of(track, "frame").Select(Masks));
        Assert.True(File.Exists(folder.At("out", "masks", "object-0", "002.png")));
        Assert.True(File.Exists(folder.At("out", "overlays", "000.png")));
    }

    [Fact]
    public void An_animation_shows_what_was_tracked_at_the_pace_at_which_it_came()
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        string[] track = Track(CliRun.Clip, "--point", "66,185", "--max-frames", "3", "--queue", "wait", "--rate", "8");
        Assert.Equal(0, CliRun.Of([.. track, "--out", folder.At("webp"), "--animation", "webp"]).Code);
        using (VideoSource video = VideoSource.Open(folder.At("webp", "overlay.webp")))
            Assert.Equal([125, 125, 42], Enumerable.Range(0, video.FrameCount).Select(i => video.Duration(i)!.Value.TotalMilliseconds));
        // An eighth of a second is two frames and a half of twenty: the first stays for three, the second for two.
        string[] mp4 = ["--animation", "mp4", "--ffmpeg", FakeFfmpeg.Program];
        Assert.Equal(0, CliRun.Of([.. track, "--out", folder.At("mp4"), .. mp4, "--fps", "20"]).Code);
        Assert.Equal(Overlays(0, 0, 1, 1, 1, 2), File.ReadAllBytes(folder.At("mp4", "overlay.mp4")));
        // At four a second every other one has its turn.
        Assert.Equal(0, CliRun.Of([.. track, "--out", folder.At("mp4"), .. mp4, "--fps", "4", "--overwrite"]).Code);
        Assert.Equal(Overlays(0, 2), File.ReadAllBytes(folder.At("mp4", "overlay.mp4")));
        // Nothing unless it is asked for.
        Assert.Equal(0, CliRun.Of([.. track, "--out", folder.At("none")]).Code);
        Assert.DoesNotContain(folder.Entries, e => e.StartsWith("none/overlay.", StringComparison.Ordinal));
        CliRun.Of([.. track, "--out", "o", "--animation", "webp", "--fps", "5"]).AssertRefused("--fps is about an mp4 or webm");
        CliRun.Of([.. track, "--animation", "webp"]).AssertRefused("--animation belongs to --out");

        byte[] Overlays(params int[] frames) => [.. frames.SelectMany(i =>
            ImageFile.Load(folder.At("mp4", "overlays", $"frame-{i:D5}.png")).Pixels.ToArray())];
    }

    [Fact]
    public void An_answer_that_names_nothing_ends_it_before_a_frame()
    {
        CliRun run = CliRun.Of(Track(CliRun.Clip, "--prompt", "Please describe the video content.", "--json"));
        Assert.Equal(0, run.Code);
        Assert.Contains("Nothing found for 'Please describe the video content.'", run.Error, StringComparison.Ordinal);
        Assert.Equal(["start", "answer", "end"], run.Json.Select(Type));
    }

    [Fact]
    public void Frames_that_are_too_late_are_counted()
    {
        CliRun run = CliRun.Of(Track(CliRun.Clip, "--prompt", Question, "--max-frames", "3", "--queue", "wait", "--deadline", "1"));
        Assert.Equal(0, run.Code);
        Assert.Contains("3 frames in, 0 tracked, 0 dropped, 3 late", run.Out, StringComparison.Ordinal);
        // Who shows something points at the first frame, which comes through however long it takes.
        CliRun shown = CliRun.Of(Track(CliRun.Clip, "--point", "66,185", "--max-frames", "3", "--queue", "wait", "--deadline", "1"));
        shown.AssertShownInDoubt();
        Assert.Contains("3 frames in, 1 tracked, 0 dropped, 2 late", shown.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("latest")]
    [InlineData("drop-oldest", "--queue", "drop-oldest")]
    public void The_newest_frame_counts_unless_another_queue_is_asked_for(string queue, params string[] options)
    {
        CliRun run = CliRun.Of(Track(CliRun.Clip, ["--point", "66,185", "--max-frames", "1", "--json", .. options]));
        Assert.Equal((0, queue), (run.Code, run.Json[0].GetProperty("queue").GetString()));
    }

    [Fact]
    public void Ctrl_c_keeps_what_was_tracked()
    {
        using var folder = new ScratchFolder();
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (line.Contains("\"frame\":1,", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, Track(CliRun.Clip, "--prompt", Question, "--queue", "wait", "--json", "--out", folder.At("out")));
        Assert.Equal((130, "sa2va: Cancelled."), (run.Code, run.Error.Trim()));
        Assert.Equal(["start", "answer", "frame", "frame", "end", "error"], run.Json.Select(Type));
        Assert.Equal("stopped", run.Json[^2].GetProperty("ended").GetString());
        Assert.True(File.Exists(folder.At("out", "masks", "object-0", "frame-00001.png")));
        Assert.Equal(["out"], Directory.GetDirectories(folder.Path).Select(Path.GetFileName));
    }

    [Theory]
    // One that takes no frame, and one that takes them all and does not come to its end.
    [InlineData("")]
    [InlineData("cat > /dev/null\n")]
    public async Task Ctrl_c_keeps_what_was_tracked_whatever_an_encoder_does(string script)
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        string ffmpeg = folder.At("ffmpeg");
        File.WriteAllText(ffmpeg, $"""
            #!/bin/sh
            [ "$1" = -version ] && echo ffmpeg version 6.1 && exit
            echo $$ > '{folder.At("clip.pid")}'
            {script}exec sleep 600

            """);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(ffmpeg, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        long start = Stopwatch.GetTimestamp();
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (line.Contains("\"frame\":1,", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, TimeSpan.FromSeconds(1), Track(CliRun.Clip, "--point", "66,185", "--queue", "wait", "--json",
            "--out", folder.At("out"), "--animation", "mp4", "--ffmpeg", ffmpeg));
        Assert.Equal(130, run.Code);
        Assert.Contains("There is no animated overlay", run.Error, StringComparison.Ordinal);
        // An encoder is given up by itself after two minutes.
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 100);
        Assert.True(File.Exists(folder.At("out", "masks", "object-0", "frame-00001.png")));
        Assert.True(File.Exists(folder.At("out", "overlays", "frame-00001.png")));
        Assert.DoesNotContain(folder.Entries,
            e => e.Contains("overlay.", StringComparison.Ordinal) || e.Contains(".part", StringComparison.Ordinal));
        Assert.True(await FakeFfmpeg.HasEndedAsync(folder.At("clip"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void What_a_camera_saw_while_the_model_was_loaded_is_over_and_a_lost_one_keeps_what_was_tracked()
    {
        using var folder = new ScratchFolder();
        string go = Camera(folder, "while [ ! -f go ]; do sleep 0.02; done\nframe 64 48 8 1\nframe 64 48 9 1.5\nexit 3\n");
        CliRun run = CliRun.With((line, _) =>
        {
            if (line.Contains("\"start\"", StringComparison.Ordinal)) File.WriteAllText(go, "");
        }, TextReader.Null, Track("camera:7", "--box", "1,1,60,40", "--queue", "wait", "--json", "--ffmpeg", folder.At("ffmpeg"),
            "--out", folder.At("out")));
        Assert.Equal(2, run.Code);
        Assert.Equal(["start", "shown", "frame", "frame", "end", "error"], run.Json.Select(Type));
        Assert.True(run.Json[0].GetProperty("live").GetBoolean());
        Assert.Equal(["camera:7#1", "camera:7#2"], Of(run, "frame").Select(f => f.GetProperty("source").GetString()));
        Assert.Equal([1, 1.5], Of(run, "frame").Select(f => f.GetProperty("time").GetDouble()));
        Assert.Equal("lost", run.Json[^2].GetProperty("ended").GetString());
        Assert.Single(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.True(File.Exists(folder.At("out", "masks", "object-0", "frame-00002.png")));
    }

    [Fact]
    public void What_passes_while_the_model_is_loaded_is_none_of_the_first_frames()
    {
        using var folder = new ScratchFolder();
        string go = Camera(folder, "while [ ! -f go ]; do sleep 0.02; done\nframe 64 48 8 1\nframe 64 48 9 1.5\nframe 64 48 9 2\n");
        CliRun run = CliRun.With((line, _) =>
        {
            if (line.Contains("\"start\"", StringComparison.Ordinal)) File.WriteAllText(go, "");
        }, TextReader.Null, Track("camera:7", "--box", "1,1,60,40", "--queue", "wait", "--json", "--ffmpeg", folder.At("ffmpeg"),
            "--max-frames", "2"));
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Equal(["camera:7#1", "camera:7#2"], Of(run, "frame").Select(f => f.GetProperty("source").GetString()));
    }

    [Fact]
    public async Task A_camera_goes_on_while_a_question_is_answered_and_what_it_names_joins()
    {
        using var folder = new ScratchFolder();
        string go = Camera(folder, "while [ ! -f go ]; do frame 64 48 8 1; sleep 0.01; done\n");
        CliRun run = CliRun.With((line, _) =>
        {
            if (line.Contains("\"frame\"", StringComparison.Ordinal) && line.Contains("\"id\":0", StringComparison.Ordinal))
                File.WriteAllText(go, "");
        }, TextReader.Null, Track("camera:7", "--prompt", Question, "--json", "--ffmpeg", folder.At("ffmpeg")));
        Assert.Equal(0, run.Code);
        // There is no circle on plain frames.
        Assert.StartsWith("Nothing found for", Assert.Single(run.Error.TrimEnd().Split('\n')), StringComparison.Ordinal);
        string[] types = [.. run.Json.Select(Type)];
        Assert.True(Array.IndexOf(types, "answer") < Array.FindIndex(run.Json, l => Type(l) == "frame"
            && l.GetProperty("objects").GetArrayLength() > 0));
        JsonElement counters = run.Json[^1].GetProperty("counters");
        Assert.Equal(counters.GetProperty("pushed").GetInt64(), ((string[])["tracked", "dropped", "expired", "cancelled", "failed"])
            .Sum(name => counters.GetProperty(name).GetInt64()));
        Assert.True(await FakeFfmpeg.HasEndedAsync(folder.At("clip"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_question_that_is_asked_again_finds_what_it_named()
    {
        CliRun run = CliRun.With((line, cancel) =>
        {
            // The circle is out of sight on some of the frames.
            if (line.Contains("\"re_ask\",\"known\":[0]", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, Track(CliRun.Clip, "--prompt", Question, "--re-ask", "1", "--rate", "4", "--json"));
        Assert.Equal(130, run.Code);
        Assert.Contains(Of(run, "re_ask"), r => r.GetProperty("known").GetRawText() == "[0]");
        // What named nothing is asked again as well.
        CliRun nothing = CliRun.With((line, cancel) =>
        {
            if (line.Contains("\"re_ask\"", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, Track(CliRun.Clip, "--prompt", "Please describe the video content.", "--re-ask", "1", "--rate", "4", "--json"));
        Assert.Equal(130, nothing.Code);
        Assert.NotEmpty(Of(nothing, "re_ask"));
    }

    [Fact]
    public void What_a_question_names_when_it_is_asked_again_is_told_before_its_masks_and_counted()
    {
        using var folder = new ScratchFolder();
        byte[] grey = [.. Enumerable.Repeat((byte)128, 320 * 240 * 3)];
        RgbImage[] clip = [.. Directory.GetFiles(CliRun.Clip).Order(StringComparer.Ordinal).Select(f => ImageFile.Load(f))];
        for (int i = 0; i < clip.Length; i++)
            ImageFile.SavePng(folder.At($"{i:D3}.png"), i >= 2 ? clip[i] : new RgbImage(320, 240, grey));
        // Nothing is to be seen on the frames that it is asked about first.
        CliRun run = CliRun.With((line, cancel) =>
        {
            if (line.Contains("\"frame\"", StringComparison.Ordinal) && line.Contains("\"id\":", StringComparison.Ordinal)) cancel.Cancel();
        }, TextReader.Null, Track(folder.Path, "--prompt", "Could you please give me a brief description of the image? "
            + "Please respond with interleaved segmentation masks for the corresponding parts of the answer.",
            "--look", "2", "--re-ask", "4", "--rate", "4", "--json"));
        Assert.Equal(130, run.Code);
        Assert.Empty(Of(run, "answer").Single().GetProperty("objects").EnumerateArray());
        JsonElement[] lines = run.Json;
        JsonElement[] newcomers = [.. lines.TakeWhile(l => Type(l) != "frame" || l.GetProperty("objects").GetArrayLength() == 0)
            .Where(l => Type(l) == "re_ask").SelectMany(l => l.GetProperty("newcomers").EnumerateArray())];
        Assert.NotEmpty(newcomers);
        Assert.Equal(newcomers.Length, lines[^2].GetProperty("objects").GetInt32());
    }

    [Fact]
    public async Task Browsers_see_it()
    {
        using var cancel = new CancellationTokenSource();
        using var output = new StringWriter();
        using var error = new StringWriter();
        Task<int> run = Task.Run(() => Program.Run(Track(CliRun.Clip, "--prompt", Question, "--serve", "0", "--rate", "1"), output, error,
            cancellation: cancel.Token), TestContext.Current.CancellationToken);
        string address = "";
        while ((address = error.ToString()).Length == 0 && !run.IsCompleted)
            await Task.Delay(20, TestContext.Current.CancellationToken);
        using var browser = new HttpClient();
        byte[] picture = await browser.GetByteArrayAsync(new Uri(address.Trim().Split(' ')[^1] + "frame.jpg"),
            TestContext.Current.CancellationToken);
        Assert.Equal([0xFF, 0xD8, 0xFF], picture[..3]);
        await cancel.CancelAsync();
        Assert.Equal(130, await run);
    }

    [Fact]
    public void A_terminal_shows_the_picture_or_else_the_counts()
    {
        string[] args = Track(CliRun.Clip, "--prompt", Question, "--max-frames", "2", "--queue", "wait");
        using var output = new StringWriter();
        using var error = new StringWriter();
        Assert.Equal(0, Program.Run(args, new Terminal(TextReader.Null, output, error, CancellationToken.None, outputIsTerminal: true,
            errorIsTerminal: true, ansi: true)));
        Assert.Contains('▀', output.ToString());
        Assert.Matches(@"\d frames? in, \d tracked", output.ToString());
        using var plain = new StringWriter();
        Assert.Equal(0, Program.Run([.. args, "--preview", "off"], new Terminal(TextReader.Null, output, plain, CancellationToken.None,
            outputIsTerminal: true, errorIsTerminal: true, ansi: true)));
        Assert.Matches(@"\r\d frames? in, \d tracked, \d left out, \d+ ms", plain.ToString());
    }

    [Fact]
    public void What_does_not_fit_is_told_before_a_model_is_loaded()
    {
        CliRun.Of("track", "--model", CliRun.Toy, "--prompt", Question).AssertRefused("Give INPUT");
        CliRun.Of("track", " ", "--model", CliRun.Toy, "--prompt", Question).AssertRefused("INPUT is empty");
        CliRun.Of("track", CliRun.Clip, "--prompt", Question).AssertRefused("--model DIR|NAME");
        CliRun.Of("track", CliRun.Clip, "other", "--model", CliRun.Toy, "--prompt", Question).AssertRefused("'other'");
        CliRun.Of(Track("none", "--prompt", Question)).AssertRefused("There is no 'none'", "camera");
        CliRun.Of(Track(CliRun.Clip)).AssertRefused("--prompt TEXT", "--point");
        CliRun.Of(Track(CliRun.Clip, "--point", "1,1", "--look", "2")).AssertRefused("--look belongs to --prompt");
        CliRun.Of(Track(CliRun.Clip, "--point", "1,1", "--re-ask", "2")).AssertRefused("--re-ask belongs to --prompt");
        CliRun.Of(Track(CliRun.Clip, "--point", "1000,1")).AssertRefused("outside the picture");
        CliRun.Of(Track(CliRun.Clip, "--prompt", Question, "--queue", "some")).AssertRefused("latest, drop-oldest or wait");
        CliRun.Of(Track(CliRun.Clip, "--prompt", Question, "--overwrite")).AssertRefused("--overwrite belongs to --out");
        CliRun.Of("segment", "--model", CliRun.Toy, "--video", "udp://127.0.0.1:9", "--prompt", Question, "--json")
            .AssertRefusedWithJson("sa2va track");
    }

    /// <summary>Makes the machine's camera 7 give what a script says, behind a first frame.</summary>
    /// <returns>The file that the script calls go.</returns>
    private static string Camera(ScratchFolder folder, string script)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the stand-in is a shell script, and cameras are files on Linux");
        string clip = folder.At("clip"), go = folder.At("go");
        File.WriteAllText(clip + ".sh", "frame 64 48 7 0\n" + script.Replace("go ]", $"'{go}' ]", StringComparison.Ordinal));
        string program = folder.At("ffmpeg");
        File.WriteAllText(program, $"""
            #!/bin/sh
            n=$#
            while [ $n -gt 0 ]; do
              a=$1; shift; n=$((n - 1))
              [ "$a" = /dev/video7 ] && a='{clip}'
              set -- "$@" "$a"
            done
            exec '{FakeFfmpeg.Program}' "$@"

            """);
        const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(program, Mode);
        return go;
    }

    private static string Type(JsonElement line) => line.GetProperty("type").GetString()!;

    private static IEnumerable<JsonElement> Of(CliRun run, string type) => run.Json.Where(l => Type(l) == type);

    private static string Masks(JsonElement frame) => frame.GetProperty("objects").GetRawText();
}
