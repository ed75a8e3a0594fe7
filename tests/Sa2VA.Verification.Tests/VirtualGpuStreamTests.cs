using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Engine;
using Sa2VA.Media;
using Sa2VA.Models;
using Sa2VA.Tests;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// A whole model with weights in few bits: a stream of frames beside a chat, so that all queues are at work at once. The answers are the
/// CPU's, whether freed addresses come back at once or never. With <c>./test --full</c> every check of the virtual GPU is on: no two queues
/// touch the same memory unasked.
/// </summary>
public sealed class VirtualGpuStreamTests
{
    /// <summary>Two frames.</summary>
    internal static readonly Lazy<RgbImage[]> Clip = new(() =>
        [.. Enumerable.Range(0, 2).Select(i => ImageFile.Load(Fixtures.Path("media", "shapes", $"{i:000}.png")))]);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Precision.Int8, true)]
    [InlineData(Precision.Int4, false)]
    public async Task Queues_meet_nowhere_unasked_and_say_what_the_CPU_says(Precision precision, bool reuse)
    {
        using var driver = new VirtualDriver(new()
        {
            CheckStreams = FullRun.IsAsked,
            ReuseAddresses = reuse,
            Execution = new() { Checks = FullRun.IsAsked, ExactProducts = false, CountMemory = false },
        });
        Said expected, seen;
        using (Sa2VAModel model = Load(new CpuDevice { Precision = precision })) expected = await Ask(model);
        using (Sa2VAModel model = Load(new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Precision = precision }))
        {
            seen = await Ask(model);
            // Once more, where memory of the first has been given back.
            if (FullRun.IsAsked) Assert.Equal(seen.Words, (await Ask(model)).Words);
        }
        Assert.Equal(expected.Words, seen.Words);
        Assert.Equal(2, seen.Masks.Length);
        foreach ((Mask cpu, Mask gpu) in expected.Masks.Zip(seen.Masks)) Assert.InRange(SegmentationMetrics.Iou(cpu, gpu), 0.97, 1);
        Assert.Equal(default, driver.Live);
    }

    private static async Task<Said> Ask(Sa2VAModel model)
    {
        Task<string> chat = Task.Run(async () =>
        {
            await using TextSession text = model.OpenText();
            return (await text.AskAsync("Hello", new AskOptions { MaxNewTokens = 6 }, Cancellation)).Raw;
        }, Cancellation);
        using VideoSession session = model.OpenVideo(Clip.Value[..1], cancellation: Cancellation);
        Answer answer = session.Ask("Please segment the red circle.", cancellation: Cancellation);
        Mask[] masks = [.. Clip.Value.SelectMany(f => session.Next(f, Cancellation).Objects.Select(o => o.ToMask()))];
        return new($"{answer.Raw} | {await chat}", masks);
    }

    private static Sa2VAModel Load(Device device) => Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"), device);

    private sealed record Said(string Words, Mask[] Masks);
}
