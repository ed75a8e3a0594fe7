using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Sa2VA.Core;
using Sa2VA.Media;
using Sa2VA.Models;

namespace Sa2VA.Tests;

/// <summary>The ffmpeg of this machine, if there is one: the same pictures as those that it extracts into a folder.</summary>
public sealed class RealFfmpegTests
{
    private const string Source = "testsrc=size=70x46:rate=25:duration=1";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public RealFfmpegTests() => Assert.SkipWhen(FakeFfmpeg.Real is null, "no ffmpeg on this machine");

    [Theory]
    [InlineData("clip.mp4", "-c:v", "mpeg4")]
    [InlineData("clip.mov", "-c:v", "mjpeg")]
    [InlineData("clip.mkv", "-c:v", "ffv1")]
    [InlineData("clip.webm", "-c:v", "libvpx")]
    [InlineData("clip.avi", "-c:v", "mpeg4")]
    [InlineData("clip.ts", "-c:v", "mpeg2video")]
    [InlineData("-y %03d.png.mp4", "-c:v", "mpeg4")]
    [InlineData("clip.png", "-f", "apng")]
    public async Task Frames_equal_those_of_an_extracted_folder(string name, params string[] codec)
    {
        using var folder = new ScratchFolder();
        string clip = folder.At(name);
        Assert.SkipUnless(Run(["-f", "lavfi", "-i", Source, .. codec, "file:" + clip]), "this ffmpeg lacks an encoder");
        Directory.CreateDirectory(folder.At("frames"));
        Assert.True(Run("-i", "file:" + clip, folder.At("frames", "%05d.png")));
        using VideoSource expected = VideoSource.Open(folder.At("frames"));
        using VideoSource video = VideoSource.Open(clip);
        Assert.Equal((70, 46, expected.FrameCount), (video.Width, video.Height, video.FrameCount));
        Assert.Equal(25, video.FramesPerSecond!.Value, 0.01);
        int i = 0;
        await foreach (RgbImage frame in video.Frames(cancellation: Cancellation))
        {
            Assert.True(expected.Read(i).Pixels.SequenceEqual(frame.Pixels), $"{name}, frame {i}");
            i++;
        }
        Assert.Equal(expected.FrameCount, i);
        Assert.Equal(0.04, (video.Time(11) - video.Time(10))!.Value.TotalSeconds, 0.002);
    }

    [Fact]
    public void A_trimmed_file_has_the_frames_that_are_shown()
    {
        // Cut without decoding: the file holds all frames, and says from where on to show them.
        using var folder = new ScratchFolder();
        Assert.True(Run("-f", "lavfi", "-i", Source, "-c:v", "mpeg4", "-bf", "2", "-g", "50", folder.At("whole.mp4")));
        Assert.True(Run("-ss", "0.6", "-i", folder.At("whole.mp4"), "-c", "copy", folder.At("clip.mp4")));
        using VideoSource whole = VideoSource.Open(folder.At("whole.mp4")), video = VideoSource.Open(folder.At("clip.mp4"));
        Assert.InRange(video.FrameCount, 8, 12);
        Assert.True(whole.Read(whole.FrameCount - 1).Pixels.SequenceEqual(video.Read(video.FrameCount - 1).Pixels));
    }

    [Fact]
    public void Frames_that_come_unevenly_are_neither_repeated_nor_dropped()
    {
        using var folder = new ScratchFolder();
        Assert.True(Run("-f", "lavfi", "-i", Source, "-vf", "select=lt(n\\,3)+gt(n\\,20)", "-vsync", "vfr", "-c:v", "ffv1",
            folder.At("clip.mkv")));
        using VideoSource video = VideoSource.Open(folder.At("clip.mkv"));
        Assert.Equal(7, video.FrameCount);
        video.Read(6);
        Assert.Equal([0, 0.04, 0.08, 0.84, 0.88, 0.92, 0.96], Enumerable.Range(0, 7).Select(i => video.Time(i)!.Value.TotalSeconds));
    }

    [Fact]
    public void What_is_no_video_inside_is_refused_in_the_words_of_ffmpeg()
    {
        using var folder = new ScratchFolder();
        File.WriteAllBytes(folder.At("clip.mp4"), [0, 0, 0, 28, .. "ftypisom\0\0\u0002\0isomiso2mp41 and nothing else"u8]);
        string message = Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("clip.mp4"))).Message;
        Assert.Contains("Invalid data", message, StringComparison.Ordinal);
        Assert.True(Run("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", folder.At("sound.mp4")));
        Assert.Contains("holds no video", Assert.Throws<MediaException>(() => VideoSource.Open(folder.At("sound.mp4"))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_is_read_from_a_web_server()
    {
        using var folder = new ScratchFolder();
        Assert.True(Run("-f", "lavfi", "-i", Source, "-c:v", "mpeg4", "-movflags", "faststart", folder.At("clip.mp4")));
        byte[] content = await File.ReadAllBytesAsync(folder.At("clip.mp4"), Cancellation);
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        Task serving = Serve(server, content);
        using (VideoSource video = VideoSource.Open($"http://127.0.0.1:{((IPEndPoint)server.LocalEndpoint).Port}/dir/clip.mp4?token=1"))
        using (VideoSource local = VideoSource.Open(folder.At("clip.mp4")))
        {
            Assert.Equal((25, "clip.mp4#3"), (video.FrameCount, video.FrameName(3)));
            Assert.True(local.Read(7).Pixels.SequenceEqual(video.Read(7).Pixels));
        }
        server.Stop();
        await serving;
    }

    [Fact]
    public async Task A_server_that_falls_silent_is_given_up()
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        string address = $"http://127.0.0.1:{((IPEndPoint)server.LocalEndpoint).Port}/live.ts";
        var options = new MediaOptions { Patience = TimeSpan.FromSeconds(1) };
        Task<MediaException> opening =
            Task.Run(() => Assert.Throws<MediaException>(() => FfmpegVideo.Open(address, options, Cancellation)), Cancellation);
        using TcpClient client = await server.AcceptTcpClientAsync(Cancellation);
        Assert.Contains(address, (await opening).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_stream_is_followed_as_it_comes()
    {
        int port;
        using (var free = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0))) port = ((IPEndPoint)free.Client.LocalEndPoint!).Port;
        string address = $"udp://127.0.0.1:{port}";
        using var sender = Process.Start(new ProcessStartInfo(FakeFfmpeg.Real!, ["-v", "quiet", "-nostdin", "-re", "-f", "lavfi", "-i",
            "testsrc=size=64x48:rate=25:duration=60", "-c:v", "mpeg2video", "-g", "5", "-f", "mpegts", address]))!;
        try
        {
            using FfmpegVideo stream = FfmpegVideo.Open(address, cancellation: Cancellation);
            Assert.Equal((true, 64, 48), (stream.IsLive, stream.Width, stream.Height));
            var frame = new VideoFrame();
            TimeSpan? last = null;
            for (int i = 0; i < 8; i++)
            {
                Assert.True(stream.Read(frame, Cancellation));
                Assert.True(last is null || frame.Time > last);
                last = frame.Time;
            }
        }
        finally
        {
            sender.Kill();
        }
    }

    private static async Task Serve(TcpListener server, byte[] content)
    {
        try
        {
            while (true)
            {
                using TcpClient client = await server.AcceptTcpClientAsync(Cancellation);
                NetworkStream stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
                while (await reader.ReadLineAsync(Cancellation) is { Length: > 0 });
                string header = $"HTTP/1.1 200 OK\r\nContent-Length: {content.Length}\r\nConnection: close\r\n\r\n";
                await stream.WriteAsync(Encoding.ASCII.GetBytes(header), Cancellation);
                await stream.WriteAsync(content, Cancellation);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The client has seen enough, or the test is over.
        }
    }

    private static bool Run(params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(FakeFfmpeg.Real!, ["-v", "error", "-nostdin", "-y", .. args])
        {
            RedirectStandardInput = true, RedirectStandardError = true,
        })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
