using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using SkiaSharp;

namespace Sa2VA.Tests;

/// <summary>Pictures from pipes, devices and streams that cannot seek, lie or never end.</summary>
public sealed class StreamTests
{
    private static readonly byte[] Picture = TestImages.Encode(TestImages.Noise(300, 200, 4), SKEncodedImageFormat.Png);

    [Fact]
    public void A_stream_is_read_from_where_it_stands_and_stays_open()
    {
        byte[] expected = ImageFile.Load(Picture, "bytes").Pixels.ToArray();
        using var seekable = new MemoryStream([1, 2, 3, .. Picture]);
        seekable.Position = 3;
        Assert.Equal(expected, ImageFile.Load(seekable, "stream").Pixels.ToArray());
        seekable.Position = 0;
        Assert.StartsWith("stream", Assert.Throws<MediaException>(() => ImageFile.Load(seekable, "stream")).Message,
            StringComparison.Ordinal);
        Assert.True(seekable.CanRead);
        foreach (long length in new[] { -1, 0, 5, 1 << 20, int.MaxValue / 4 })
        {
            using var odd = new OddStream(Picture) { Claimed = length };
            Assert.Equal(expected, ImageFile.Load(odd, "odd").Pixels.ToArray());
        }
    }

    [Fact]
    public void What_never_ends_is_refused_at_its_start_or_at_the_limit()
    {
        using var zeros = new OddStream([]) { Endless = true };
        Assert.Contains("zeros", Assert.Throws<MediaException>(() => ImageFile.Load(zeros, "zeros")).Message, StringComparison.Ordinal);
        Assert.InRange(zeros.Position, 1, 1 << 20);
        // Compressed rows may go on for ever.
        byte[] rows = TestImages.RleBmp(TestImages.Gradient(4, 4))[..^2];
        using var picture = new OddStream(rows) { Endless = true };
        Assert.Contains("256 MiB", Assert.Throws<MediaException>(() => ImageFile.Load(picture, "endless")).Message,
            StringComparison.Ordinal);
        using var liar = new OddStream(Picture) { Claimed = long.MaxValue };
        Assert.Contains("1024 MiB", Assert.Throws<MediaException>(() => ImageFile.Load(liar, "liar")).Message, StringComparison.Ordinal);
        Assert.Equal(0, liar.Position);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(13)]
    [InlineData(4099)]
    public void Nothing_is_read_of_a_stream_after_its_picture(int step)
    {
        RgbImage picture = TestImages.Noise(40, 24, 6);
        byte[] progressive = TestJpeg.Progressive(picture, 2, runs: true, restart: 2).File;
        foreach (byte[] file in new[]
                 {
                     TestImages.Encode(picture, SKEncodedImageFormat.Png), TestImages.InterlacedPng(picture),
                     TestImages.Encode(picture, SKEncodedImageFormat.Jpeg), progressive, TestImages.WithOrientation(progressive, 8),
                     TestImages.Encode(picture, SKEncodedImageFormat.Webp, 70), TestImages.Encode(picture, SKEncodedImageFormat.Webp, 100),
                     TestImages.AnimatedWebP(40, 24, 3, 70), TestImages.Bmp(picture),
                     TestImages.Gif(40, 24, (0, 0, 40, 24, 5, 1, 4), (3, 3, 20, 20, 9, 1, 4)),
                 })
        {
            using var waits = new OddStream(file) { Step = step, FailsAt = file.Length };
            Assert.Equal(ImageFile.Load(file, "bytes").Pixels.ToArray(), ImageFile.Load(waits, "stream").Pixels.ToArray());
            using var endless = new OddStream(file) { Endless = true };
            ImageFile.Load(endless, "endless");
            Assert.InRange(endless.Position, file.Length, 1 << 20);
        }
    }

    [Fact]
    public void A_large_stream_is_read_to_its_picture_s_end()
    {
        RgbImage picture = TestImages.Noise(400, 300, 6);
        foreach (byte[] file in new[] { TestImages.Encode(picture, SKEncodedImageFormat.Png), TestImages.Bmp(picture) })
        {
            Assert.InRange(file.Length, 1 << 18, 1 << 20);
            using var waits = new OddStream(file) { FailsAt = file.Length };
            Assert.Equal(picture.Pixels.ToArray(), ImageFile.Load(waits, "stream").Pixels.ToArray());
        }
    }

    [Fact]
    public void A_stream_that_fails_is_named()
    {
        using var broken = new OddStream(Picture) { FailsAt = 70_000 };
        string message = Assert.Throws<MediaException>(() => ImageFile.Load(broken, "download")).Message;
        Assert.StartsWith("download cannot be read", message, StringComparison.Ordinal);
        Assert.Contains("connection", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_and_devices_are_refused_and_pipes_read()
    {
        using var folder = new ScratchFolder();
        Assert.Contains("is a folder", Assert.Throws<MediaException>(() => ImageFile.Load(folder.Path)).Message,
            StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<MediaException>(() => MaskFile.Load(folder.Path)).Message, StringComparison.Ordinal);
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS()) return;
        Assert.Contains("/dev/zero", Assert.Throws<MediaException>(() => ImageFile.Load("/dev/zero")).Message, StringComparison.Ordinal);
        Assert.Contains("empty", Assert.Throws<MediaException>(() => ImageFile.Load("/dev/null")).Message, StringComparison.Ordinal);
        File.WriteAllBytes(folder.At("a.png"), Picture);
        using (Process.Start("mkfifo", [folder.At("pipe.png")])) SpinWait.SpinUntil(() => File.Exists(folder.At("pipe.png")), 10_000);
        using Process writer = Process.Start("cp", [folder.At("a.png"), folder.At("pipe.png")]);
        Assert.Equal(ImageFile.Load(Picture, "bytes").Pixels.ToArray(), ImageFile.Load(folder.At("pipe.png")).Pixels.ToArray());
        writer.WaitForExit();
        File.WriteAllText(folder.At("a.mp4"), "\0\0\0\u001cftypisom\0\0\u0002\0isomiso2mp41" + new string('x', 999));
        using Process another = Process.Start("cp", [folder.At("a.mp4"), folder.At("pipe.png")]);
        Assert.Contains("is an MP4 video, which is not read from a pipe; write it to a file",
            Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("pipe.png"))).Message, StringComparison.Ordinal);
        another.WaitForExit();
    }

    [Fact]
    public void A_pipe_or_a_link_to_nothing_among_frames_is_refused_at_once()
    {
        if (!OperatingSystem.IsLinux() && !OperatingSystem.IsMacOS()) return;
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("1.png"), Picture);
        using (Process.Start("mkfifo", [folder.At("2.png")])) SpinWait.SpinUntil(() => File.Exists(folder.At("2.png")), 10_000);
        File.CreateSymbolicLink(folder.At("3.png"), folder.At("2.png"));
        File.CreateSymbolicLink(folder.At("4.png"), "nowhere.png");
        File.CreateSymbolicLink(folder.At("5.png"), "6.png");
        File.CreateSymbolicLink(folder.At("6.png"), "5.png");
        File.CreateSymbolicLink(folder.At("7.png"), "1.png");
        using VideoSource video = VideoSource.Open(folder.Path);
        string Refusal(int index) => Assert.Throws<MediaException>(() => video.Read(index)).Message;
        Assert.Contains("2.png cannot be read: it is empty (0 bytes), or it is a pipe", Refusal(1), StringComparison.Ordinal);
        Assert.Contains("3.png cannot be read: it is ", Refusal(2), StringComparison.Ordinal);
        Assert.Contains("4.png cannot be read: it is a link to 'nowhere.png', which", Refusal(3), StringComparison.Ordinal);
        Assert.Contains("5.png cannot be read: it is a link to '6.png', which", Refusal(4), StringComparison.Ordinal);
        Assert.Equal(video.Read(0).Pixels.ToArray(), video.Read(6).Pixels.ToArray());
    }

    /// <summary>Hands out few bytes at a time, claims any length, fails or never ends when told so.</summary>
    private sealed class OddStream(byte[] content) : Stream
    {
        private long _position;

        public long Claimed { get; init; } = -1;

        public bool Endless { get; init; }

        public int FailsAt { get; init; } = int.MaxValue;

        public int Step { get; init; } = 4099;

        public override bool CanRead => true;

        public override bool CanSeek => Claimed >= 0;

        public override bool CanWrite => false;

        public override long Length => Claimed >= 0 ? Claimed : throw new NotSupportedException();

        public override long Position
        {
            get => _position;
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (_position >= FailsAt) throw new IOException("The connection was closed.");
            int count = Math.Min(buffer.Length, Endless ? 1 << 20 : Step), left = (int)Math.Clamp(content.Length - _position, 0, count);
            content.AsSpan((int)Math.Min(_position, content.Length), left).CopyTo(buffer);
            if (Endless) buffer[left..count].Clear();
            else count = left;
            _position += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
