using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>Animations that are written decode again.</summary>
public sealed class AnimatedWebPTests
{
    [Theory]
    [InlineData(null)]
    [InlineData(90f)]
    public void Frames_and_durations_come_back(float? quality)
    {
        using var folder = new ScratchFolder();
        RgbImage[] frames = [.. Enumerable.Range(0, 5).Select(i => TestImages.Gradient(61, 43, i))];
        using (var animation = new AnimatedWebP(folder.At("a.webp"), 61, 43, TimeSpan.FromMilliseconds(41), quality))
        {
            foreach (RgbImage frame in frames) animation.Add(frame);
            Assert.DoesNotContain("a.webp", folder.Entries);
            animation.Finish();
        }
        Assert.Equal(["a.webp"], folder.Entries);
        using SKCodec codec = SKCodec.Create(folder.At("a.webp"));
        Assert.Equal((5, 61, 43), (codec.FrameCount, codec.Info.Width, codec.Info.Height));
        Assert.All(codec.FrameInfo, f => Assert.Equal(41, f.Duration));
        byte[] file = File.ReadAllBytes(folder.At("a.webp"));
        Assert.Equal(file.Length - 8, BitConverter.ToInt32(file, 4));
        using VideoSource video = VideoSource.Open(folder.At("a.webp"));
        Assert.Equal(5, video.FrameCount);
        foreach (int i in new[] { 0, 1, 2, 3, 4, 2, 0 })
        {
            Assert.Equal(TimeSpan.FromMilliseconds(41), video.Duration(i));
            RgbImage back = video.Read(i);
            if (quality is null) Assert.Equal(frames[i].Pixels.ToArray(), back.Pixels.ToArray());
            else Assert.InRange(Distance(frames[i], back), 0, 6);
        }
    }

    [Fact]
    public void An_unfinished_animation_leaves_nothing_behind()
    {
        using var folder = new ScratchFolder();
        using (var animation = new AnimatedWebP(folder.At("a.webp"), 8, 8, TimeSpan.FromMilliseconds(40)))
        {
            animation.Add(TestImages.Gradient(8, 8));
            Assert.Contains("9×8", Assert.Throws<MediaException>(() => animation.Add(TestImages.Gradient(9, 8))).Message,
                StringComparison.Ordinal);
        }
        using (var animation = new AnimatedWebP(folder.At("b.webp"), 8, 8, TimeSpan.FromMilliseconds(40)))
            Assert.Throws<MediaException>(animation.Finish);
        Assert.Empty(folder.Entries);
        Assert.Throws<MediaException>(() => new AnimatedWebP(folder.At("c.webp"), 20_000, 8, TimeSpan.Zero));
        Assert.Empty(folder.Entries);
    }

    [Fact]
    public void A_cut_animation_is_refused()
    {
        using var folder = new ScratchFolder();
        using (var animation = new AnimatedWebP(folder.At("a.webp"), 50, 30, TimeSpan.FromMilliseconds(40), null))
        {
            for (int i = 0; i < 3; i++) animation.Add(TestImages.Gradient(50, 30, i));
            animation.Finish();
        }
        byte[] file = File.ReadAllBytes(folder.At("a.webp"));
        for (int length = 0; length < file.Length; length += 64)
        {
            File.WriteAllBytes(folder.At("cut.webp"), file[..length]);
            Assert.Contains("cut.webp", Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("cut.webp"))).Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Nothing_is_written_after_the_end_and_dispose_waits_for_the_frame_in_work()
    {
        using var folder = new ScratchFolder();
        RgbImage frame = TestImages.Noise(64, 48, 1);
        var finished = new AnimatedWebP(folder.At("a.webp"), 64, 48, TimeSpan.FromMilliseconds(40));
        finished.Add(frame);
        finished.Finish();
        byte[] file = File.ReadAllBytes(folder.At("a.webp"));
        Assert.Throws<ObjectDisposedException>(() => finished.Add(frame));
        Assert.Throws<ObjectDisposedException>(finished.Finish);
        finished.Dispose();
        finished.Dispose();
        Assert.Equal(file, File.ReadAllBytes(folder.At("a.webp")));
        for (int round = 0; round < 10; round++)
        {
            var animation = new AnimatedWebP(folder.At("b.webp"), 64, 48, TimeSpan.FromMilliseconds(40));
            using var started = new CountdownEvent(2);
            Task[] writers = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
            {
                started.Signal();
                while (true) animation.Add(frame);
            }, TestContext.Current.CancellationToken))];
            started.Wait(TestContext.Current.CancellationToken);
            await Task.Delay(round, TestContext.Current.CancellationToken);
            animation.Dispose();
            foreach (Task writer in writers) await Assert.ThrowsAsync<ObjectDisposedException>(() => writer);
            Assert.Equal(["a.webp"], folder.Entries);
        }
    }

    [Fact]
    public async Task Frames_added_from_several_threads_do_not_mix()
    {
        using var folder = new ScratchFolder();
        RgbImage[] frames = [.. Enumerable.Range(0, 8).Select(i => TestImages.Gradient(32, 24, i % 6))];
        using (var animation = new AnimatedWebP(folder.At("a.webp"), 32, 24, TimeSpan.FromMilliseconds(40), null))
        {
            await Task.WhenAll(frames.Select(f => Task.Run(() => animation.Add(f))));
            animation.Finish();
        }
        using VideoSource video = VideoSource.Open(folder.At("a.webp"));
        int[] seen =
            [.. Enumerable.Range(0, video.FrameCount)
                .Select(i => Array.FindIndex(frames, f => f.Pixels.SequenceEqual(video.Read(i).Pixels)))];
        Assert.DoesNotContain(-1, seen);
        Assert.Equal(frames.Length, seen.Length);
    }

    private static double Distance(RgbImage a, RgbImage b)
    {
        double sum = 0;
        for (int i = 0; i < a.Pixels.Length; i++) sum += Math.Abs(a.Pixels[i] - b.Pixels[i]);
        return sum / a.Pixels.Length;
    }
}
