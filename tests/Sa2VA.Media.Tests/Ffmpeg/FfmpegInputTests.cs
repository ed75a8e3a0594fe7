using Sa2VA.Core;
using Sa2VA.Media;

namespace Sa2VA.Tests;

/// <summary>What is read as an address or a camera, and the arguments that ffmpeg gets for it.</summary>
public sealed class FfmpegInputTests
{
    private static readonly FfmpegProgram New = new("ffmpeg", 6, 1), Old = new("ffmpeg", 4, 4);

    [Theory]
    [InlineData("rtsp://10.0.0.1/stream", true, "-rtsp_flags prefer_tcp -timeout 7000000")]
    [InlineData("RTSP://10.0.0.1:554/", true, "-rtsp_flags prefer_tcp -timeout 7000000")]
    [InlineData("http://host/clip.mp4?x=1", false, "-rw_timeout 7000000")]
    [InlineData("https://host/clip.mp4", false, "http,https,tcp,tls,crypto,data")]
    [InlineData("udp://127.0.0.1:1234", true, "-timeout 7000000")]
    [InlineData("srt://host:9000", true, "-protocol_whitelist srt")]
    public void Addresses_are_given_as_they_are_with_the_protocols_that_they_may_use(string address, bool live, string expected)
    {
        Assert.True(FfmpegVideo.IsAddress(address));
        FfmpegInput input = FfmpegInput.Of(address);
        string arguments = string.Join(' ', input.Arguments(New, TimeSpan.FromSeconds(7)));
        Assert.Equal((live, address), (input.IsLive, input.Address));
        Assert.Contains(expected, arguments, StringComparison.Ordinal);
        Assert.EndsWith($"-i {address}", arguments, StringComparison.Ordinal);
        string[] allowed = arguments.Split("-protocol_whitelist ")[1].Split(' ')[0].Split(',');
        Assert.DoesNotContain("file", allowed);
        Assert.DoesNotContain("pipe", allowed);
    }

    [Theory]
    [InlineData("clip.mp4")]
    [InlineData("/data/http/clip.mp4")]
    [InlineData(@"C://clip.mp4")]
    [InlineData("my camera.mp4")]
    [InlineData("-i")]
    public void Files_are_no_addresses(string path) => Assert.False(FfmpegVideo.IsAddress(path));

    [Theory]
    [InlineData("ftp://host/clip.mp4", "ftp://")]
    [InlineData("file:///etc/passwd", "file://")]
    [InlineData("concat://a|b", "concat://")]
    [InlineData("http://", "no server")]
    public void Other_addresses_are_refused(string address, string expected) =>
        Assert.Contains(expected, Assert.Throws<MediaException>(() => FfmpegInput.Of(address)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_password_is_not_repeated()
    {
        FfmpegInput input = FfmpegInput.Of("rtsp://me:se%20cret@camera.local:554/live/1");
        Assert.Equal(("rtsp://camera.local:554/live/1", "1"), (input.Name, input.ShortName));
        using var log = new MemoryStream([.. "[error] rtsp://me:se%20cret@camera.local:554/live/1: 401\n"u8,
            .. "[error] At rtsp://me:se%20cret@camera.local:554/live/1 no\n"u8]);
        var read = new FfmpegLog(log, input);
        read.Join(TimeSpan.FromSeconds(60));
        Assert.Equal("401; At rtsp://camera.local:554/live/1 no", read.Errors);
    }

    [Fact]
    public void A_camera_has_a_number_or_a_name()
    {
        Assert.All(["camera", "camera:0", "camera:3"], c => Assert.True(FfmpegVideo.IsAddress(c)));
        if (OperatingSystem.IsWindows())
        {
            Assert.Equal("video=Integrated Camera", FfmpegInput.Of("camera:Integrated Camera").Address);
            Assert.Contains("-list_devices", Assert.Throws<MediaException>(() => FfmpegInput.Of("camera:0")).Message,
                StringComparison.Ordinal);
            return;
        }
        FfmpegInput first = FfmpegInput.Of("camera");
        Assert.True(first.IsLive);
        Assert.Equal(OperatingSystem.IsMacOS() ? "0:none" : "/dev/video0", first.Address);
        if (!OperatingSystem.IsLinux()) return;
        Assert.Equal("/dev/video3", FfmpegInput.Of("camera:3").Address);
        Assert.Equal("/dev/video2", FfmpegInput.Of("camera:/dev/video2").Address);
        Assert.Equal("/dev/video2", FfmpegInput.Of("/dev/video2").Address);
        Assert.Contains("-f v4l2 -i /dev/video0", string.Join(' ', first.Arguments(New, TimeSpan.Zero)), StringComparison.Ordinal);
        foreach (string none in new[] { "camera:-y", "camera:front", "camera:/etc/passwd" })
            Assert.Throws<MediaException>(() => FfmpegInput.Of(none));
    }

    [Fact]
    public void A_live_stream_is_no_recorded_video()
    {
        string message = Assert.Throws<MediaException>(() => VideoSource.Open("rtsp://a:b@host/live")).Message;
        Assert.Contains("rtsp://host/live is a live stream", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_have_the_names_that_a_version_knows()
    {
        Assert.Equal(["-fps_mode", "passthrough"], New.EveryFrameOnce);
        Assert.Equal(["-vsync", "passthrough"], new FfmpegProgram("ffmpeg", 5, 0).EveryFrameOnce);
        Assert.Contains("-stimeout", FfmpegInput.Of("rtsp://host/").Arguments(Old, TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void The_log_is_read_whatever_it_holds()
    {
        var random = new Random(7);
        var bytes = new byte[200_000];
        random.NextBytes(bytes);
        byte[] lines = [.. bytes, .. "\n[info]   Duration: N/A, bitrate: N/A\n[info]   displaymatrix: rotation of -90.00 degrees\r"u8,
            .. "[Parsed_showinfo_0 @ 0x5] [info] config in time_base: 1/90000, frame_rate: 30000/1001\n"u8,
            .. "[Parsed_showinfo_0 @ 0x5] [info] n:   0 pts:     NOPTS pts_time:NOPTS   pos:       48\n"u8,
            .. "[info]     title : [Parsed_showinfo pts_time:9 [error\n"u8,
            .. "[Parsed_showinfo_0 @ 0x5] [info] n:   1 pts:    512 pts_time:1e300  \n"u8,
            .. "[Parsed_showinfo_0 @ 0x5] [info] n:   2 pts:    512 pts_time:0.5  \n"u8, .. "[h264 @ 0x1] [error] no newline."u8];
        var log = new FfmpegLog(new MemoryStream(lines), null);
        log.Join(TimeSpan.FromSeconds(60));
        Assert.Equal((true, true, 30000.0 / 1001), (log.IsEndless, log.IsTurned, log.FramesPerSecond));
        Assert.Null(log.TakeTime());
        Assert.Null(log.TakeTime());
        Assert.Equal(TimeSpan.FromSeconds(0.5), log.TakeTime());
        Assert.Null(log.TakeTime());
        Assert.EndsWith("no newline", log.Errors, StringComparison.Ordinal);
    }
}
