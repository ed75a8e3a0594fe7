using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using Sa2VA.Cpu;
using Sa2VA.Engine;
using Sa2VA.Models;
using Sa2VA.Samples;
using Sa2VA.Tests;

namespace Sa2VA.Media.Tests;

/// <summary>The examples of the README are the files of <c>samples/Sa2VA.Samples</c>, compiled into these tests and run.</summary>
public class SampleTests
{
    private static readonly string Media = Path.Combine(Fixtures.Repository, "samples", "media");

    [Fact]
    public async Task The_image_example_writes_masks()
    {
        using var folder = new ScratchFolder();
        await SegmentImage.RunAsync(Fixtures.Model("sa2va-tiny-shapes"), Path.Combine(Media, "shapes.png"), folder.Path,
            TestContext.Current.CancellationToken);
        Mask mask = MaskFile.Load(folder.At("mask-0.png"));
        Assert.InRange(mask.Area, 1, (long)mask.Width * mask.Height - 1);
    }

    [Fact]
    public async Task The_video_example_runs() =>
        await TrackVideo.RunAsync(Fixtures.Model("sa2va-tiny-shapes"), Path.Combine(Media, "shapes"),
            TestContext.Current.CancellationToken);

    [Fact]
    public void The_camera_example_runs()
    {
        RgbImage[] clip = [.. Enumerable.Range(0, 3).Select(i => ImageFile.Load(Path.Combine(Media, "shapes", $"{i:D3}.png")))];
        (int width, int height) = (clip[0].Width, clip[0].Height);
        int stride = width * 4 + 12;
        byte[][] frames = [.. clip.Select(Padded)];
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using Sa2VAModel model = Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"), new CpuDevice(), cancellation: cancellation);
        FollowCamera.Run(model, frames, width, height, stride, cancellation);

        byte[] Padded(RgbImage image)
        {
            var bytes = new byte[stride * height];
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    for (int c = 0; c < 3; c++) bytes[y * stride + 4 * x + c] = image.Row(y)[3 * x + 2 - c];
            return bytes;
        }
    }

    [Fact]
    public async Task The_chat_example_goes_on_and_writes_masks()
    {
        using var folder = new ScratchFolder();
        await ChatAboutPicture.RunAsync(Fixtures.Model("sa2va-tiny-shapes"), Path.Combine(Media, "shapes.png"), folder.Path,
            TestContext.Current.CancellationToken);
        Assert.InRange(MaskFile.Load(folder.At("mask-0.png")).Area, 1, 200_000);
    }

    [Fact]
    public async Task The_conversation_example_runs()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using Sa2VAModel model = Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"), new CpuDevice(), cancellation: cancellation);
        IEnumerable<RgbImage> clip = Enumerable.Range(0, 2).Select(i => ImageFile.Load(Path.Combine(Media, "shapes", $"{i:D3}.png")));
        await Converse.RunAsync(model, Path.Combine(Media, "shapes.png"), clip, cancellation);
    }

    [Fact]
    public async Task The_live_example_runs()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using Sa2VAModel model = Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"), new CpuDevice(), cancellation: cancellation);
        IEnumerable<RgbImage> clip = Enumerable.Range(0, 6).Select(i => ImageFile.Load(Path.Combine(Media, "shapes", $"{i:D3}.png")));
        await LiveCamera.RunAsync(model, clip.ToAsyncEnumerable(), cancellation);
    }

    [Fact]
    public async Task The_example_to_begin_with_writes_a_mask()
    {
        using var folder = new ScratchFolder();
        await GettingStarted.RunAsync(Fixtures.Model("sa2va-tiny-shapes"), Path.Combine(Media, "shapes.png"), folder.At("mask.png"));
        Assert.InRange(MaskFile.Load(folder.At("mask.png")).Area, 5000, 15_000);
    }

    [Fact]
    public void The_example_of_a_restart_goes_on()
    {
        using var folder = new ScratchFolder();
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using Sa2VAModel model = Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"), new CpuDevice(), cancellation: cancellation);
        RgbImage frame = ImageFile.Load(Path.Combine(Media, "shapes", "000.png"));
        using VideoSession session = model.OpenVideo([frame], cancellation: cancellation);
        KeepSession.Run(model, session, folder.Path, cancellation);
        Assert.True(File.Exists(folder.At("session.state")));
    }

    [Fact]
    public void The_example_of_a_kernel_runs()
    {
        using var folder = new ScratchFolder();
        File.WriteAllText(folder.At("scale.ptx"), Scale);
        var result = new float[300];
        UseGpu.Scale(folder.At("scale.ptx"), [.. Enumerable.Range(0, 300).Select(i => (float)i)], result);
        Assert.Equal(Enumerable.Range(0, 300).Select(i => 2f * i), result);
    }

    public static IEnumerable<TheoryDataRow<string, string>> Blocks() =>
        from page in Directory.EnumerateFiles(Path.Combine(Fixtures.Repository, "docs"), "*.md", SearchOption.AllDirectories)
            .Append(Path.Combine(Fixtures.Repository, "README.md"))
        from block in File.ReadAllText(page).ReplaceLineEndings("\n").Split("```csharp\n")[1..]
        select new TheoryDataRow<string, string>(Path.GetRelativePath(Fixtures.Repository, page), block.Split("```")[0]);

    [Theory]
    [MemberData(nameof(Blocks))]
    public void A_page_shows_code_that_compiles(string page, string block)
    {
        string shown = Plain(block);
        Assert.True(shown.Length > 1, page);
        Assert.Contains(Directory.EnumerateFiles(Path.Combine(Fixtures.Repository, "samples"), "*.cs", SearchOption.AllDirectories),
            file => Plain(File.ReadAllText(file)).Contains(shown, StringComparison.Ordinal));

        // Lines without their indentation and blank ones.
        static string Plain(string code) => string.Concat(code.ReplaceLineEndings("\n").Split('\n').Select(l => l.Trim())
            .Where(l => l.Length > 0).Select(l => l + "\n"));
    }

    [Fact]
    public async Task The_web_example_answers_and_refuses()
    {
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        string program = Path.Combine(Fixtures.Repository, "samples", "Sa2VA.WebSample", "bin", "Release", "net10.0",
            "Sa2VA.WebSample.dll");
        using Process server = Process.Start(new ProcessStartInfo("dotnet",
            [program, "--model", Fixtures.Model("sa2va-tiny-shapes"), "--urls", "http://127.0.0.1:0"]) { RedirectStandardOutput = true })!;
        try
        {
            string? line;
            const string listening = "Now listening on: ";
            do line = await server.StandardOutput.ReadLineAsync(cancellation);
            while (line?.Contains(listening, StringComparison.Ordinal) == false);
            Assert.NotNull(line);
            using var client = new HttpClient();
            client.BaseAddress = new Uri(line[(line.IndexOf(listening, StringComparison.Ordinal) + listening.Length)..]);
            byte[] picture = await File.ReadAllBytesAsync(Path.Combine(Media, "shapes.png"), cancellation);
            const string question = "segment?prompt=Please%20segment%20the%20red%20circle.";
            using HttpResponseMessage answer = await client.PostAsync(question, new ByteArrayContent(picture), cancellation);
            JsonElement json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancellation)).RootElement;
            Assert.Equal("Sure, [SEG].", json.GetProperty("text").GetString());
            Assert.Equal(10_693, json.GetProperty("objects")[0].GetProperty("area").GetInt64());
            using var said = new StringContent("[\"Hello\"]", Encoding.UTF8, "application/json");
            using HttpResponseMessage chat = await client.PostAsync("chat", said, cancellation);
            string events = await chat.Content.ReadAsStringAsync(cancellation);
            Assert.True(events.Split("data: ").Length > 3, events);
            using HttpResponseMessage refused = await client.PostAsync(question, new ByteArrayContent([1, 2, 3]), cancellation);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }
        finally
        {
            server.Kill(entireProcessTree: true);
        }
    }

    private const string Scale = """
        .version 7.0
        .target sm_80
        .address_size 64
        .visible .entry scale(.param .u64 x, .param .u64 y, .param .u32 n)
        {
            .reg .pred %p<2>;
            .reg .b32 %r<6>;
            .reg .f32 %f<3>;
            .reg .b64 %rd<6>;
            mov.u32 %r1, %ctaid.x;
            mov.u32 %r2, %ntid.x;
            mov.u32 %r3, %tid.x;
            mad.lo.s32 %r4, %r1, %r2, %r3;
            ld.param.u32 %r5, [n];
            setp.ge.s32 %p1, %r4, %r5;
            @%p1 bra DONE;
            ld.param.u64 %rd1, [x];
            ld.param.u64 %rd2, [y];
            mul.wide.s32 %rd3, %r4, 4;
            add.s64 %rd4, %rd1, %rd3;
            add.s64 %rd5, %rd2, %rd3;
            ld.global.f32 %f1, [%rd4];
            add.f32 %f2, %f1, %f1;
            st.global.f32 [%rd5], %f2;
        DONE:
            ret;
        }
        """;
}
