using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Cli.Tests;

/// <summary><c>--animation</c> and <c>--fps</c>: a video's overlays as one moving picture.</summary>
public class AnimationOptionTests
{
    private static readonly string[] Clip = ["segment", "--model", CliRun.Toy, "--prompt", "Please segment the red circle.", "--video",
        CliRun.Clip, "--max-frames", "3"];

    [Fact]
    public void Ffmpeg_is_given_the_overlays()
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        CliRun run = CliRun.Of([.. Clip, "--out", folder.At("out"), "--animation", "mp4", "--ffmpeg", FakeFfmpeg.Program]);
        Assert.Equal((0, ""), (run.Code, run.Error));
        // The stand-in keeps what it is given.
        Assert.Equal(
            Enumerable.Range(0, 3).SelectMany(i => ImageFile.Load(folder.At("out", "overlays", $"frame-{i:D5}.png")).Pixels.ToArray()),
            File.ReadAllBytes(folder.At("out", "overlay.mp4")));
        Assert.DoesNotContain("out/overlay.webp", folder.Entries);
        // Another kind takes its place.
        Assert.Equal(0, CliRun.Of([.. Clip, "--out", folder.At("out"), "--animation", "none", "--overwrite"]).Code);
        Assert.DoesNotContain("out/overlay.mp4", folder.Entries);
    }

    [Fact]
    public void A_real_ffmpeg_writes_at_the_rate_that_is_asked_for()
    {
        Assert.SkipWhen(FakeFfmpeg.Real is null, "no ffmpeg on this machine");
        using var folder = new ScratchFolder();
        Assert.Equal(0, CliRun.Of([.. Clip, "--out", folder.At("out"), "--animation", "mp4", "--fps", "12.5"]).Code);
        using VideoSource video = VideoSource.Open(folder.At("out", "overlay.mp4"));
        Assert.Equal((320, 240, 3), (video.Width, video.Height, video.FrameCount));
        Assert.Equal(12.5, video.FramesPerSecond!.Value, 3);
    }

    [Fact]
    public void An_animation_is_shown_as_its_video_unless_a_rate_is_asked_for()
    {
        using var folder = new ScratchFolder();
        using (var source = new AnimatedWebP(folder.At("clip.webp"), 64, 48, TimeSpan.FromMilliseconds(70)))
        {
            for (int i = 0; i < 3; i++)
                source.Add(new RgbImage(64, 48, new byte[64 * 48 * 3]), i switch
                {
                    1 => TimeSpan.FromMilliseconds(500),
                    2 => TimeSpan.FromMilliseconds(5),
                    _ => null,
                });
            source.Finish();
        }
        string[] line = ["segment", "--model", CliRun.Toy, "--prompt", "Please segment the red circle.", "--video", folder.At("clip.webp")];
        Assert.Equal(0, CliRun.Of([.. line, "--out", folder.At("a")]).Code);
        // Browsers show shorter frames for a tenth of a second.
        Assert.Equal([70, 500, 100], Durations("a"));
        Assert.Equal(0, CliRun.Of([.. line, "--out", folder.At("b"), "--fps", "5"]).Code);
        Assert.Equal([200, 200, 200], Durations("b"));

        int[] Durations(string name)
        {
            using VideoSource video = VideoSource.Open(folder.At(name, "overlay.webp"));
            return [.. Enumerable.Range(0, 3).Select(i => (int)video.Duration(i)!.Value.TotalMilliseconds)];
        }
    }

    [Fact]
    public void Where_the_encoder_fails_nothing_is_left()
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        Stub(folder, "echo '[error] Unknown encoder' >&2\nexit 1\n");
        CliRun run = CliRun.Of([.. Clip, "--out", folder.At("out"), "--animation", "webm", "--ffmpeg", folder.At("ffmpeg")]);
        Assert.Equal(2, run.Code);
        Assert.Contains("overlay.webm", run.Error, StringComparison.Ordinal);
        Assert.Contains("ffmpeg says: Unknown encoder", run.Error, StringComparison.Ordinal);
        Assert.Equal(["ffmpeg"], folder.Entries);
    }

    [Fact]
    public void An_encoder_that_hangs_does_not_keep_a_cancelled_run()
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        // Its first word is asked for, then it takes no frame.
        Stub(folder, "exec sleep 600\n");
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        CliRun run = CliRun.With((line, cancel) =>
        {
            // The frames that may wait are handed over; the next one waits for room.
            if (line.Contains("\"frame\":2,", StringComparison.Ordinal)) cancel.CancelAfter(TimeSpan.FromMilliseconds(300));
        }, TextReader.Null, [.. Clip[..^2], "--json", "--out", folder.At("out"), "--animation", "mp4", "--ffmpeg", folder.At("ffmpeg")]);
        Assert.Equal(130, run.Code);
        Assert.Equal(["ffmpeg"], folder.Entries);
        // An encoder is given up by itself after two minutes.
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 100);
    }

    [Theory]
    [InlineData("--animation takes webp, mp4, webm or none", "--animation", "gif")]
    [InlineData("--fps takes a number from 0.01 to 1000", "--fps", "0")]
    [InlineData("--fps is about an animation", "--fps", "5", "--animation", "none")]
    [InlineData("--animation mp4 is made of overlays", "--animation", "mp4", "--overlay", "none")]
    [InlineData("overlay.webm is written through ffmpeg, and there is no program nowhere", "--animation", "webm", "--ffmpeg", "nowhere")]
    public void What_does_not_go_together_is_refused_before_any_work(string part, params string[] options) =>
        CliRun.Of(["segment", "--model", "absent", "--prompt", "x", "--video", CliRun.Clip, "--out", "o", .. options]).AssertRefused(part);

    [Fact]
    public void Pictures_are_not_animated() =>
        CliRun.Of("segment", "--model", "absent", "--prompt", "x", "--image", CliRun.Shapes, "--out", "o", "--fps", "5")
            .AssertRefused("--fps belongs to --video");

    /// <summary>An ffmpeg that tells its version, and does as it is told beyond that.</summary>
    private static void Stub(ScratchFolder folder, string script)
    {
        File.WriteAllText(folder.At("ffmpeg"), "#!/bin/sh\n[ \"$1\" = -version ] && echo ffmpeg version 6.1 && exit\n" + script);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder.At("ffmpeg"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }
}
