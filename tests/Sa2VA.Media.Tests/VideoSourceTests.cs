using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>Folders and animations as videos.</summary>
public sealed class VideoSourceTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_folder_gives_its_pictures_by_name()
    {
        string path = Fixtures.Path("media", "drift");
        string[] files = [.. Directory.GetFiles(path).Order(StringComparer.Ordinal)];
        using VideoSource video = VideoSource.Open(path);
        Assert.Equal(files.Length, video.FrameCount);
        Assert.Null(video.Duration(0));
        int i = 0;
        await foreach (RgbImage frame in video.Frames(cancellation: Cancellation))
        {
            Assert.Equal((video.Width, video.Height), (frame.Width, frame.Height));
            Assert.Equal(ImageFile.Load(files[i++]).Pixels.ToArray(), frame.Pixels.ToArray());
        }
        Assert.Equal(files.Length, i);
        Assert.Equal(ImageFile.Load(files[3]).Pixels.ToArray(), video.Read(3).Pixels.ToArray());
        Assert.Equal(5, await video.Frames(5, Cancellation).CountAsync(Cancellation));
        Assert.Throws<ArgumentOutOfRangeException>(() => video.Read(files.Length));
    }

    [Fact]
    public async Task Names_are_sorted_by_their_characters_on_request_and_other_files_left_out()
    {
        using var folder = new ScratchFolder();
        foreach ((string name, int phase) in new[] { ("b.png", 2), ("10.PNG", 1), ("a10.jpeg", 0), ("Z.png", 0), ("9.png", 0) })
        {
            SKEncodedImageFormat format = name.EndsWith("jpeg") ? SKEncodedImageFormat.Jpeg : SKEncodedImageFormat.Png;
            File.WriteAllBytes(folder.At(name), TestImages.Encode(TestImages.Gradient(20, 10, phase), format));
        }
        File.WriteAllText(folder.At("notes.txt"), "no frame");
        File.WriteAllText(folder.At(".b.png"), "no frame");
        Directory.CreateDirectory(folder.At("sub.png"));
        using VideoSource video = VideoSource.Open(folder.Path, new MediaOptions { Order = FrameOrder.Name });
        Assert.Equal(5, video.FrameCount);
        Assert.Equal(["10.PNG", "9.png", "Z.png", "a10.jpeg", "b.png"], Enumerable.Range(0, 5).Select(video.FrameName));
        Assert.Equal(40, video.Read(0).Pixels[2]);
        Assert.Equal(80, video.Read(4).Pixels[2]);
        Assert.Equal(5, await video.Frames(cancellation: Cancellation).CountAsync(Cancellation));
        Assert.Throws<ArgumentOutOfRangeException>(() => video.FrameName(5));
    }

    [Fact]
    public void Numbers_count_by_default_with_a_note_where_the_reference_sorts_otherwise()
    {
        using var folder = new ScratchFolder();
        for (int i = 12; i > 0; i--) ImageFile.SavePng(folder.At($"{i}.png"), TestImages.Gradient(20, 10, i % 6));
        List<string> notes = [];
        using VideoSource video = VideoSource.Open(folder.Path, new MediaOptions { OnNote = notes.Add });
        for (int i = 0; i < 12; i++)
        {
            Assert.Equal($"{i + 1}.png", video.FrameName(i));
            Assert.Equal((i + 1) % 6 * 40, video.Read(i).Pixels[2]);
        }
        string note = Assert.Single(notes);
        Assert.Contains("1.png, 2.png, 3.png", note, StringComparison.Ordinal);
        Assert.Contains("1.png, 10.png, 11.png", note, StringComparison.Ordinal);
        notes.Clear();
        using VideoSource byName = VideoSource.Open(folder.Path, new MediaOptions { Order = FrameOrder.Name, OnNote = notes.Add });
        Assert.Equal("10.png", byName.FrameName(1));
        Assert.Empty(notes);
        foreach (int i in new[] { 10, 11, 12 }) File.Delete(folder.At($"{i}.png"));
        using VideoSource alike = VideoSource.Open(folder.Path, new MediaOptions { OnNote = notes.Add });
        Assert.Empty(notes);
    }

    [Fact]
    public void Natural_order_compares_digits_by_value_and_all_else_by_characters()
    {
        string[] sorted =
        [
            "", "-1", "0.5", "0.10", "1", "01", "1a", "2", "10", "0100000000000000000000000000002", "100000000000000000000000000000003",
                "B9", "a", "a1", "a01b", "a1c", "a10b2",
            "a10b11", "b",
        ];
        Assert.Equal(sorted.Order(StringComparer.Ordinal).Order(NaturalOrder.Instance), sorted.Reverse().Order(NaturalOrder.Instance));
        string[] natural = [.. sorted.Reverse().Order(NaturalOrder.Instance)];
        foreach ((string before, string after) in new[] { ("2", "10"), ("0.5", "0.10"), ("a1c", "a10b2"), ("a10b2", "a10b11"), ("01", "1"),
            ("10", "B9"), ("a", "a1"),
            ("0100000000000000000000000000002", "100000000000000000000000000000003") })
            Assert.True(Array.IndexOf(natural, before) < Array.IndexOf(natural, after),
                $"{before} before {after}: {string.Join(' ', natural)}");
    }

    [Theory]
    [InlineData(6, true)]
    [InlineData(3, true)]
    [InlineData(8, false)]
    public async Task Frames_of_a_folder_are_turned_with_one_note(byte orientation, bool upright)
    {
        using var folder = new ScratchFolder();
        for (int i = 0; i < 4; i++)
        {
            // The first is stored as it is seen.
            (int width, int height) = i == 0 && upright && orientation >= 5 ? (32, 48) : (48, 32);
            byte[] jpeg = TestImages.Encode(TestImages.Gradient(width, height), SKEncodedImageFormat.Jpeg, 95);
            File.WriteAllBytes(folder.At($"{i}.jpg"), i > 0 ? TestImages.WithOrientation(jpeg, orientation) : jpeg);
        }
        List<string> notes = [];
        var options = new MediaOptions { Upright = upright, OnNote = notes.Add };
        using VideoSource video = VideoSource.Open(folder.Path, options);
        Assert.Equal(upright && orientation >= 5 ? (32, 48) : (48, 32), (video.Width, video.Height));
        Assert.Empty(notes);
        int seen = 0;
        await foreach (RgbImage frame in video.Frames(cancellation: Cancellation))
        {
            RgbImage still = ImageFile.Load(folder.At($"{seen++}.jpg"), options with { OnNote = null });
            Assert.Equal(still.Pixels.ToArray(), frame.Pixels.ToArray());
        }
        Assert.Equal(4, seen);
        Assert.Contains("1.jpg", Assert.Single(notes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gif")]
    [InlineData("webp")]
    [InlineData("folder")]
    public async Task Nothing_is_read_after_dispose(string kind)
    {
        using var folder = new ScratchFolder();
        VideoSource video = Video(folder, kind);
        RgbImage third = video.Read(3);
        video.Dispose();
        video.Dispose();
        Assert.Throws<ObjectDisposedException>(() => video.Read(3));
        Assert.Throws<ObjectDisposedException>(() => video.Read(2));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
            await video.Frames(cancellation: Cancellation).CountAsync(Cancellation));

        int seen = 0;
        VideoSource other = Video(folder, kind);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () =>
        {
            await foreach (RgbImage frame in other.Frames(cancellation: Cancellation))
            {
                if (++seen == 2) other.Dispose();
            }
        });
        Assert.Equal(2, seen);
    }

    [Theory]
    [InlineData("gif")]
    [InlineData("webp")]
    [InlineData("folder")]
    public async Task Dispose_on_another_thread_waits_for_the_frame_in_work(string kind)
    {
        using var folder = new ScratchFolder();
        for (int round = 0; round < 20; round++)
        {
            VideoSource video = Video(folder, kind);
            byte[] expected = video.Read(3).Pixels.ToArray();
            using var started = new CountdownEvent(3);
            Task[] readers = [.. Enumerable.Range(0, 3).Select(r => Task.Run(() =>
            {
                started.Signal();
                for (int i = 0; ; i++)
                {
                    RgbImage frame = video.Read(i % 2 == 0 ? 3 : r);
                    if (i % 2 == 0) Assert.Equal(expected, frame.Pixels.ToArray());
                }
            }, Cancellation))];
            started.Wait(Cancellation);
            await Task.Delay(round % 5, Cancellation);
            video.Dispose();
            foreach (Task reader in readers) await Assert.ThrowsAsync<ObjectDisposedException>(() => reader);
        }
    }

    private static VideoSource Video(ScratchFolder folder, string kind)
    {
        if (kind == "gif")
        {
            File.WriteAllBytes(folder.At("a.gif"),
                TestImages.Gif(64, 64, [.. Enumerable.Range(0, 6).Select(i => (i, 0, 48, 48, 10 + i, 1, 5))]));
            return VideoSource.Open(folder.At("a.gif"));
        }
        if (kind == "webp")
        {
            using (var animation = new AnimatedWebP(folder.At("a.webp"), 64, 64, TimeSpan.FromMilliseconds(40)))
            {
                for (int i = 0; i < 6; i++) animation.Add(TestImages.Gradient(64, 64, i));
                animation.Finish();
            }
            return VideoSource.Open(folder.At("a.webp"));
        }
        for (int i = 0; i < 6; i++) ImageFile.SavePng(folder.At($"{i}.png"), TestImages.Gradient(64, 64, i));
        return VideoSource.Open(folder.Path);
    }

    [Fact]
    public async Task A_frame_of_another_size_is_named()
    {
        using var folder = new ScratchFolder();
        for (int i = 0; i < 4; i++) ImageFile.SavePng(folder.At($"{i}.png"), TestImages.Gradient(i == 2 ? 21 : 20, 10));
        using VideoSource video = VideoSource.Open(folder.Path);
        int seen = 0;
        var error = await Assert.ThrowsAsync<MediaException>(async () =>
        {
            await foreach (RgbImage frame in video.Frames(cancellation: Cancellation)) seen++;
        });
        Assert.Contains("2.png", error.Message, StringComparison.Ordinal);
        Assert.Contains("21×10", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, seen);
    }

    [Fact]
    public void What_is_no_video_is_refused_by_name()
    {
        using var folder = new ScratchFolder();
        Assert.Contains(folder.Path, Assert.Throws<MediaException>(() => VideoSource.Open(folder.Path)).Message,
            StringComparison.Ordinal);
        ImageFile.SavePng(folder.At("still.png"), TestImages.Gradient(4, 4));
        Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("still.png")));
        Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("missing")));
        File.WriteAllText(folder.At("frame.tiff"), "");
        Assert.Contains("frame.tiff", Assert.Throws<MediaException>(() => VideoSource.Open(folder.Path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Frames_may_be_read_while_others_are_enumerated()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("a.gif"),
            TestImages.Gif(24, 16, [.. Enumerable.Range(0, 30).Select(i => (i % 8, 0, 16, 16, 10 + i, 1, 5))]));
        using VideoSource video = VideoSource.Open(folder.At("a.gif"));
        byte[] first = video.Read(0).Pixels.ToArray();
        int i = 0;
        await foreach (RgbImage frame in video.Frames(cancellation: Cancellation))
        {
            Assert.Equal(first, video.Read(0).Pixels.ToArray());
            (byte r, byte g, byte b) = TestImages.GifColour(10 + i);
            Assert.Equal([r, g, b], frame.Row(3).Slice(3 * (i++ % 8 + 7), 3).ToArray());
        }
    }

    [Fact]
    public async Task Frames_can_be_left_early_and_cancelled()
    {
        using VideoSource video = VideoSource.Open(Fixtures.Path("media", "drift"));
        await foreach (RgbImage frame in video.Frames(cancellation: Cancellation)) break;
        using var stop = new CancellationTokenSource();
        int seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (RgbImage frame in video.Frames(cancellation: stop.Token))
            {
                if (++seen == 3) await stop.CancelAsync();
            }
        });
        Assert.Equal(3, seen);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_gif_is_composed_in_any_order(int disposal)
    {
        // A full frame, then parts over it: kept (1), cleared (2) or undone (3) before the next.
        using var folder = new ScratchFolder();
        (int, int, int, int, int, int, int)[] frames =
            [(0, 0, 24, 16, 10, 1, 5), (2, 2, 6, 6, 20, disposal, 6), (6, 4, 8, 8, 30, disposal, 7), (0, 0, 4, 4, 40, disposal, 8)];
        File.WriteAllBytes(folder.At("a.gif"), TestImages.Gif(24, 16, frames));
        using VideoSource video = VideoSource.Open(folder.At("a.gif"));
        Assert.Equal((24, 16, 4), (video.Width, video.Height, video.FrameCount));
        for (int i = 0; i < 4; i++) Assert.Equal(TimeSpan.FromMilliseconds(50 + 10 * i), video.Duration(i));
        byte[][] expected = [.. Enumerable.Range(0, 4).Select(i => Compose(frames, i))];
        foreach (int i in new[] { 0, 1, 2, 3, 1, 3, 0, 2, 2, 3, 0 })
            Assert.True(expected[i].AsSpan().SequenceEqual(video.Read(i).Pixels), $"Frame {i}, disposal {disposal}.");
    }

    private static byte[] Compose((int Left, int Top, int Width, int Height, int Colour, int Disposal, int Centiseconds)[] frames, int last)
    {
        byte[] canvas = new byte[24 * 16 * 3], shown = canvas;
        for (int i = 0; i <= last; i++)
        {
            var f = frames[i];
            shown = [.. canvas];
            Fill(shown, f, TestImages.GifColour(f.Colour));
            if (f.Disposal == 1) canvas = [.. shown];
            if (f.Disposal == 2) Fill(canvas = [.. shown], f, (0, 0, 0));
        }
        return shown;

        static void Fill(byte[] pixels, (int Left, int Top, int Width, int Height, int, int, int) f, (byte R, byte G, byte B) colour)
        {
            for (int y = f.Top; y < f.Top + f.Height; y++)
            {
                for (int x = f.Left; x < f.Left + f.Width; x++) new[] { colour.R, colour.G, colour.B }.CopyTo(pixels, (y * 24 + x) * 3);
            }
        }
    }
}
