using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
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
        using var folder = new TestFolder();
        RgbImage[] frames = [.. Enumerable.Range(0, 5).Select(i => TestImages.Gradient(61, 43, i))];
        using (var animation = new AnimatedWebP(folder["a.webp"], 61, 43, TimeSpan.FromMilliseconds(41), quality))
        {
            foreach (RgbImage frame in frames) animation.Add(frame);
            Assert.DoesNotContain("a.webp", folder.Names);
            animation.Finish();
        }
        Assert.Equal(["a.webp"], folder.Names);
        using SKCodec codec = SKCodec.Create(folder["a.webp"]);
        Assert.Equal((5, 61, 43), (codec.FrameCount, codec.Info.Width, codec.Info.Height));
        Assert.All(codec.FrameInfo, f => Assert.Equal(41, f.Duration));
        byte[] file = File.ReadAllBytes(folder["a.webp"]);
        Assert.Equal(file.Length - 8, BitConverter.ToInt32(file, 4));
        using VideoSource video = VideoSource.Open(folder["a.webp"]);
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
        using var folder = new TestFolder();
        using (var animation = new AnimatedWebP(folder["a.webp"], 8, 8, TimeSpan.FromMilliseconds(40)))
        {
            animation.Add(TestImages.Gradient(8, 8));
            Assert.Contains("9×8", Assert.Throws<MediaException>(() => animation.Add(TestImages.Gradient(9, 8))).Message, StringComparison.Ordinal);
        }
        using (var animation = new AnimatedWebP(folder["b.webp"], 8, 8, TimeSpan.FromMilliseconds(40))) Assert.Throws<MediaException>(animation.Finish);
        Assert.Empty(folder.Names);
        Assert.Throws<MediaException>(() => new AnimatedWebP(folder["c.webp"], 20_000, 8, TimeSpan.Zero));
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void A_cut_animation_is_refused()
    {
        using var folder = new TestFolder();
        using (var animation = new AnimatedWebP(folder["a.webp"], 50, 30, TimeSpan.FromMilliseconds(40), null))
        {
            for (int i = 0; i < 3; i++) animation.Add(TestImages.Gradient(50, 30, i));
            animation.Finish();
        }
        byte[] file = File.ReadAllBytes(folder["a.webp"]);
        for (int length = 0; length < file.Length; length += 64)
        {
            File.WriteAllBytes(folder["cut.webp"], file[..length]);
            Assert.Contains("cut.webp", Assert.Throws<MediaException>(() => VideoSource.Open(folder["cut.webp"])).Message, StringComparison.Ordinal);
        }
    }

    private static double Distance(RgbImage a, RgbImage b)
    {
        double sum = 0;
        for (int i = 0; i < a.Pixels.Length; i++) sum += Math.Abs(a.Pixels[i] - b.Pixels[i]);
        return sum / a.Pixels.Length;
    }
}
