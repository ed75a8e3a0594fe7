using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>Video files through a stand-in for ffmpeg: what is handed on, and what becomes of its process.</summary>
public sealed class FfmpegTests
{
    private const string ThreeFrames = "frame 4 2 1 0\nframe 4 2 2 0.04\nframe 4 2 3 0.2\n",
        Endless = "while :; do frame 400 300 7 0; done\n";

    private static readonly MediaOptions Fake = new() { Ffmpeg = FakeFfmpeg.Program, Patience = TimeSpan.FromSeconds(60) };

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public FfmpegTests() => Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");

    [Fact]
    public async Task A_file_is_counted_and_its_frames_come_in_order_with_their_times()
    {
        using var folder = new ScratchFolder();
        using VideoSource video = VideoSource.Open(FakeFfmpeg.Clip(folder, "clip.mp4", ThreeFrames), Fake);
        Assert.Equal((4, 2, 25.0), (video.Width, video.Height, video.FramesPerSecond));
        Assert.Null(video.Time(0));
        Assert.Contains("numbered from 0", Assert.Throws<ArgumentOutOfRangeException>(() => video.Read(-1)).Message,
            StringComparison.Ordinal);
        Assert.Equal([2, 3, 3], new[] { 2, 3, 9 }.Select(most => video.CountFrames(most, cancellation: Cancellation)));
        Assert.Equal(3, video.FrameCount);
        Assert.Equal(["clip.mp4#0", "clip.mp4#2"], new[] { video.FrameName(0), video.FrameName(2) });
        // In order, further on, back, and all of them again.
        foreach (int i in new[] { 0, 2, 1, 1, 0, 2 }) Check(video.Read(i), i);
        int seen = 0;
        await foreach (RgbImage frame in video.Frames(cancellation: Cancellation)) Check(frame, seen++);
        Assert.Equal(3, seen);
        Assert.Equal([0, 0.04, 0.2], Enumerable.Range(0, 3).Select(i => video.Time(i)!.Value.TotalSeconds));
        Assert.Equal(TimeSpan.FromMilliseconds(40), video.Duration(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => video.Read(3));
        Assert.Equal(1, await video.Frames(1, Cancellation).CountAsync(Cancellation));

        static void Check(RgbImage frame, int index) => Assert.Equal(Enumerable.Repeat((byte)('1' + index), 24), frame.Pixels.ToArray());
    }

    [Fact]
    public async Task Frames_need_not_be_counted()
    {
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Clip(folder, "clip.mp4", "[ $COUNTING = 1 ] && exit 1\n" + ThreeFrames);
        using VideoSource video = VideoSource.Open(path, Fake);
        Assert.Equal(3, await video.Frames(cancellation: Cancellation).CountAsync(Cancellation));
        Assert.Equal(3, video.FrameCount);
    }

    [Theory]
    [InlineData("plain.mp4")]
    [InlineData("-y.mp4")]
    [InlineData("a b'c\"$(touch x)`touch y`;&|%03d.mp4")]
    [InlineData("http:--a@b.mp4")]
    public void A_name_is_a_name(string name)
    {
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Clip(folder, name, ThreeFrames);
        using (VideoSource video = VideoSource.Open(path, Fake)) video.Read(0);
        string[] arguments = FakeFfmpeg.Arguments(path);
        Assert.Equal("file:" + path, arguments[Array.IndexOf(arguments, "-i") + 1]);
        Assert.Equal("file", arguments[Array.IndexOf(arguments, "-protocol_whitelist") + 1]);
        Assert.Equal(["", ".args", ".pid", ".sh"], folder.Entries.Select(e => e[name.Length..]));
    }

    [Fact]
    public async Task No_more_is_produced_than_is_read_and_nothing_runs_on_after_dispose()
    {
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Clip(folder, "clip.mp4", "while :; do frame 400 300 7 0; echo $n > \"$input.count\"; done\n");
        var frame = new VideoFrame();
        using (FfmpegVideo video = FfmpegVideo.Open(path, Fake, Cancellation))
        {
            for (int i = 0; i < 3; i++) Assert.True(video.Read(frame, Cancellation));
            Assert.Equal((400, 300, 2), (frame.Width, frame.Height, frame.Index));
            await Task.Delay(300, Cancellation);
            // A pipe holds 64 KiB, a frame has 360 KB: besides those that were read, one is being written.
            Assert.InRange(int.Parse(await File.ReadAllTextAsync(path + ".count", Cancellation), null), 2, 3);
        }
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, Cancellation));
    }

    [Fact]
    public void Frames_are_read_into_the_same_memory()
    {
        using var folder = new ScratchFolder();
        using FfmpegVideo video = FfmpegVideo.Open(FakeFfmpeg.Clip(folder, "clip.mp4", Endless), Fake, Cancellation);
        var frame = new VideoFrame();
        for (int i = 0; i < 3; i++) video.Read(frame, Cancellation);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 5; i++) video.Read(frame, Cancellation);
        // Of a frame's 360 KB nothing is allocated anew.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4096);
        Assert.Equal((byte)'7', frame.View.ToImage().Pixels[0]);
    }

    [Theory]
    [InlineData("say error 'moov atom not found'\nsay fatal 'FILE: Invalid data'\nexit 1", "moov atom not found; Invalid data")]
    [InlineData("echo \"[h264 @ 0x1] [error] no frame! \" >&2\nexit 69", "no frame!")]
    [InlineData("say error \"Stream map '0:V:0' matches no streams.\"\nexit 1", "holds no video")]
    [InlineData("exit 0", "cannot be read by ffmpeg")]
    [InlineData("echo '<html>'", "something else than a frame")]
    [InlineData("printf 'P6\\n99999 9\\n255\\n'", "99999×9")]
    [InlineData("printf 'P6\\n4 2\\n65535\\n'", "something else than a frame")]
    [InlineData("printf 'P6\\n4 2\\n255\\nabc'; say error 'Conversion failed!'; exit 1", "Conversion failed!")]
    public async Task What_ffmpeg_says_is_passed_on_in_one_line(string script, string expected)
    {
        using var folder = new ScratchFolder();
        string path = folder.At("clip.mp4");
        FakeFfmpeg.Clip(folder, "clip.mp4", script.Replace("FILE", "file:" + path, StringComparison.Ordinal));
        var error = Assert.Throws<MediaException>(() => VideoSource.Open(path, Fake));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
        Assert.DoesNotContain("file:", error.Message, StringComparison.Ordinal);
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, Cancellation));
    }

    [Fact]
    public async Task A_file_that_breaks_off_is_an_error_and_errors_on_the_way_are_one_note()
    {
        using var folder = new ScratchFolder();
        string broken = FakeFfmpeg.Clip(folder, "broken.mp4", ThreeFrames + "say error 'Disk failed'\nexit 1\n");
        using (VideoSource video = VideoSource.Open(broken, Fake))
        {
            Assert.Contains("Disk failed", Assert.Throws<MediaException>(() => video.FrameCount).Message, StringComparison.Ordinal);
            var error = await Assert.ThrowsAsync<MediaException>(async () =>
                await video.Frames(cancellation: Cancellation).CountAsync(Cancellation));
            Assert.Contains("after 3 frames", error.Message, StringComparison.Ordinal);
        }
        List<string> notes = [];
        string damaged = FakeFfmpeg.Clip(folder, "damaged.mp4", "say error 'partial file'\n" + ThreeFrames);
        using (VideoSource video = VideoSource.Open(damaged, Fake with { OnNote = notes.Add }))
            for (int round = 0; round < 2; round++)
                Assert.Equal(3, await video.Frames(cancellation: Cancellation).CountAsync(Cancellation));
        Assert.Contains("partial file", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_that_falls_silent_is_given_up()
    {
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Clip(folder, "clip.mp4", ThreeFrames + "exec sleep 1000\n");
        using VideoSource video = VideoSource.Open(path, Fake with { Patience = TimeSpan.FromSeconds(0.5) });
        for (int i = 0; i < 3; i++) video.Read(i);
        Assert.Contains("gave nothing for 0.5 seconds", Assert.Throws<MediaException>(() => video.Read(3)).Message,
            StringComparison.Ordinal);
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, Cancellation));
    }

    [Fact]
    public async Task Dispose_ends_a_read_that_waits()
    {
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Clip(folder, "clip.mp4", "frame 4 2 1 0\nexec sleep 1000\n");
        VideoSource video = VideoSource.Open(path, Fake);
        video.Read(0);
        Task reader = Task.Run(() => video.Read(1), Cancellation), counter = Task.Run(() => video.FrameCount, Cancellation);
        await Task.Delay(100, Cancellation);
        video.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => reader);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => counter);
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, Cancellation));

        FfmpegVideo stream = FfmpegVideo.Open(path, Fake, Cancellation);
        Assert.True(stream.Read(new VideoFrame(), Cancellation));
        reader = Task.Run(() => stream.Read(new VideoFrame(), CancellationToken.None), Cancellation);
        await Task.Delay(100, Cancellation);
        stream.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => reader);
        Assert.Throws<ObjectDisposedException>(() => stream.Read(new VideoFrame(), Cancellation));
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, Cancellation));
    }

    [Fact]
    public async Task Cancellation_ends_reading_and_counting()
    {
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Clip(folder, "clip.mp4", "frame 4 2 1 0\nexec sleep 1000\n");
        using FfmpegVideo stream = FfmpegVideo.Open(path, Fake, Cancellation);
        Assert.True(stream.Read(new VideoFrame(), Cancellation));
        using var stop = new CancellationTokenSource(100);
        Assert.Throws<OperationCanceledException>(() => stream.Read(new VideoFrame(), stop.Token));
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, Cancellation));
        Assert.False(stream.Read(new VideoFrame(), Cancellation));

        using VideoSource video = VideoSource.Open(path, Fake);
        using var later = new CancellationTokenSource(100);
        Assert.Throws<OperationCanceledException>(() => video.CountFrames(9, cancellation: later.Token));
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, Cancellation));
    }

    [Fact]
    public void Frames_of_another_size_end_a_file_but_not_a_stream()
    {
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Clip(folder, "clip.mp4", "frame 4 2 1 0\nframe 2 3 2 1\n");
        using VideoSource video = VideoSource.Open(path, Fake);
        video.Read(0);
        string message = Assert.Throws<MediaException>(() => video.Read(1)).Message;
        Assert.Contains("frame 1 from 4×2 to 2×3", message, StringComparison.Ordinal);
        using FfmpegVideo stream = FfmpegVideo.Open(path, Fake, Cancellation);
        var frame = new VideoFrame();
        Assert.True(stream.Read(frame, Cancellation) && stream.Read(frame, Cancellation));
        Assert.Equal((2, 3, 18), (frame.Width, frame.Height, frame.Pixels.Length));
    }

    [Theory]
    [InlineData("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n")]
    [InlineData("list.mp4", "ffconcat version 1.0\nfile /etc/passwd\n")]
    [InlineData("scene.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>")]
    public void Lists_of_files_are_not_given_to_ffmpeg(string name, string content)
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At(name), content);
        File.WriteAllText(folder.At(name + ".sh"), ThreeFrames);
        Assert.Throws<MediaException>(() => FfmpegVideo.Open(folder.At(name), Fake, Cancellation));
        Assert.Throws<MediaException>(() => VideoSource.Open(folder.At(name), Fake));
        Assert.False(File.Exists(folder.At(name + ".args")));
    }

    [Fact]
    public void Without_ffmpeg_the_message_has_the_command_that_installs_it_and_the_one_that_converts()
    {
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Clip(folder, "my clip.mp4", ThreeFrames);
        string message = Assert.Throws<MediaException>(() =>
            VideoSource.Open(path, new MediaOptions { Ffmpeg = "/no/such/ffmpeg" })).Message;
        foreach (string word in (string[])["an MP4 video", "/no/such/ffmpeg", "install", $"ffmpeg -i \"{path}\" frames/%05d.png"])
            Assert.Contains(word, message, StringComparison.Ordinal);
        Assert.Contains("does not answer as ffmpeg", Assert.Throws<MediaException>(() =>
            VideoSource.Open(path, new MediaOptions { Ffmpeg = "/bin/echo" })).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be run", Assert.Throws<MediaException>(() =>
            VideoSource.Open(path, new MediaOptions { Ffmpeg = path })).Message, StringComparison.Ordinal);
    }
}
