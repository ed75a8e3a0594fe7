using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>Videos that ffmpeg writes: whole or not at all, and no process is left.</summary>
public sealed class VideoFileWriterTests
{
    [Fact]
    public async Task Frames_are_handed_over_as_they_are()
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Target(folder, "a.mp4", "cat > \"$output\"\n");
        RgbImage[] frames = [TestImages.Noise(20, 10, 1), TestImages.Noise(20, 10, 2)];
        // What was there is there until the new one is finished.
        await File.WriteAllTextAsync(path, "old", TestContext.Current.CancellationToken);
        using (var video = new VideoFile(path, 20, 10, 29.97, FakeFfmpeg.Program))
        {
            Assert.Throws<InvalidOperationException>(video.Repeat);
            foreach (RgbImage frame in frames) video.Add(frame);
            video.Repeat();
            Assert.Equal(3, video.FrameCount);
            Assert.Equal("old", await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken));
            video.Finish();
        }
        byte[] written = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        Assert.Equal(frames.Append(frames[1]).SelectMany(f => f.Pixels.ToArray()), written);
        string arguments = string.Join(' ', FakeFfmpeg.Arguments(path));
        Assert.Contains("-video_size 20x10 -framerate 29.97 -i pipe:0", arguments, StringComparison.Ordinal);
        Assert.Contains("-f mp4 -y file:" + path, arguments, StringComparison.Ordinal);
        Assert.Equal(["a.mp4", "a.mp4.args", "a.mp4.pid", "a.mp4.sh"], folder.Entries);
    }

    [Theory]
    [InlineData("say error 'No space left on device'; exit 1\n", "says: No space left on device")]
    [InlineData("cat > /dev/null; say error 'bad frame'; exit 1\n", "says: bad frame")]
    [InlineData("cat > /dev/null\n", "could not be completed")]
    public async Task What_ffmpeg_says_is_passed_on_and_nothing_is_left(string script, string words)
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        string path = FakeFfmpeg.Target(folder, "a.webm", script);
        var frame = new RgbImage(200, 200, new byte[120_000]);
        string message = Assert.Throws<MediaException>(() =>
        {
            using var video = new VideoFile(path, 200, 200, 25, FakeFfmpeg.Program);
            for (int i = 0; i < 5; i++) video.Add(frame);
            video.Finish();
        }).Message;
        Assert.Contains(words, message, StringComparison.Ordinal);
        Assert.StartsWith(path, message, StringComparison.Ordinal);
        Assert.Equal(["a.webm.args", "a.webm.pid", "a.webm.sh"], folder.Entries);
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Disposed_of_before_its_end_it_leaves_neither_file_nor_process()
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        // One that takes nothing: who adds waits, and is told.
        string path = FakeFfmpeg.Target(folder, "a.mp4", "echo begun > \"$output\"; exec sleep 600\n");
        var video = new VideoFile(path, 400, 400, 25, FakeFfmpeg.Program);
        Task adding = Task.Run(() => video.Add(new RgbImage(400, 400, new byte[480_000])), TestContext.Current.CancellationToken);
        Assert.True(SpinWait.SpinUntil(() => folder.Entries.Any(e => e.EndsWith(".part", StringComparison.Ordinal)), 30_000));
        Assert.False(adding.IsCompleted);
        video.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => adding);
        Assert.True(await FakeFfmpeg.HasEndedAsync(path, TestContext.Current.CancellationToken));
        Assert.Equal(["a.mp4.args", "a.mp4.pid", "a.mp4.sh"], folder.Entries);
        Assert.Throws<ObjectDisposedException>(() => video.Add(new RgbImage(1, 1, new byte[3])));
        Assert.Throws<ObjectDisposedException>(video.Finish);
    }

    [Fact]
    public void What_cannot_be_written_is_refused_before_ffmpeg_starts()
    {
        Assert.SkipUnless(FakeFfmpeg.Runs, "the stand-in is a shell script");
        using var folder = new ScratchFolder();
        Assert.Contains(".mp4", Refused("a.avi", FakeFfmpeg.Program), StringComparison.Ordinal);
        Assert.Contains("cannot be written", Refused(Path.Combine("none", "a.mp4"), FakeFfmpeg.Program), StringComparison.Ordinal);
        string none = Refused("a.mp4", folder.At("no-ffmpeg"));
        Assert.Contains("is written through ffmpeg, and there is no program", none, StringComparison.Ordinal);
        Assert.Contains("install", none, StringComparison.Ordinal);
        Assert.Contains("animated WebP", none, StringComparison.Ordinal);
        foreach (double rate in (double[])[0, -1, 1001, double.NaN])
            Assert.Throws<ArgumentOutOfRangeException>(() => new VideoFile(folder.At("a.mp4"), 4, 4, rate, FakeFfmpeg.Program));
        string path = FakeFfmpeg.Target(folder, "b.mp4", "cat > \"$output\"\n");
        using var video = new VideoFile(path, 4, 4, 25, FakeFfmpeg.Program);
        Assert.Contains("5×4", Assert.Throws<MediaException>(() => video.Add(new RgbImage(5, 4, new byte[60]))).Message,
            StringComparison.Ordinal);
        Assert.Contains("needs a frame", Assert.Throws<MediaException>(video.Finish).Message, StringComparison.Ordinal);
        Assert.Equal(["b.mp4.args", "b.mp4.pid", "b.mp4.sh"], folder.Entries);

        string Refused(string name, string program) =>
            Assert.Throws<MediaException>(() => new VideoFile(folder.At(name), 4, 4, 25, program)).Message;
    }

    [Theory]
    [InlineData("a.mp4", 64, 48)]
    [InlineData("a.webm", 63, 47)]
    public void A_real_ffmpeg_writes_what_it_reads_again(string name, int width, int height)
    {
        Assert.SkipWhen(FakeFfmpeg.Real is null, "no ffmpeg on this machine");
        using var folder = new ScratchFolder();
        using (var video = new VideoFile(folder.At(name), width, height, 12.5, FakeFfmpeg.Real))
        {
            for (int i = 0; i < 6; i++)
            {
                byte[] pixels = new byte[width * height * 3];
                for (int p = 0; p < pixels.Length; p += 3)
                    (pixels[p], pixels[p + 1], pixels[p + 2]) = ((byte)(30 + 30 * i), 200, (byte)(p / 3 % width * 4));
                video.Add(new RgbImage(width, height, pixels));
            }
            video.Finish();
        }
        Assert.Equal([name], folder.Entries);
        using VideoSource read = VideoSource.Open(folder.At(name), new MediaOptions { Ffmpeg = FakeFfmpeg.Real });
        Assert.Equal((width + width % 2, height + height % 2, 6), (read.Width, read.Height, read.FrameCount));
        Assert.Equal(12.5, read.FramesPerSecond!.Value, 3);
        for (int i = 0; i < 6; i++)
        {
            RgbImage frame = read.Read(i);
            ReadOnlySpan<byte> pixel = frame.Row(height / 2)[(3 * (width / 2))..];
            Assert.InRange(pixel[0], 30 + 30 * i - 12, 30 + 30 * i + 12);
            Assert.InRange(pixel[1], 188, 212);
            Assert.InRange(pixel[2], width / 2 * 4 - 12, width / 2 * 4 + 12);
        }
    }
}
