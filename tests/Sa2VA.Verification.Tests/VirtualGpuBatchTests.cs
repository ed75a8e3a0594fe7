using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Engine;
using Sa2VA.Engine.Language;
using Sa2VA.Models;
using Sa2VA.Tests;
using Sa2VA.Tests.Language;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// Ten objects and eight chats of a whole model on a virtual GPU: each has, bit for bit, what it has alone, and an object and a chat what
/// they have by direct launches in place of graphs. On each card, in both precisions and for each object with <c>./test --full</c>; on one
/// and for three otherwise, as each costs a frame of its own.
/// </summary>
public sealed class VirtualGpuBatchTests
{
    private static RgbImage[] Clip => VirtualGpuStreamTests.Clip.Value;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, Precision> Devices() => FullRun.IsAsked
        ? new() { { "A100", Precision.BFloat16 }, { "A100", Precision.Float32 }, { "H100", Precision.BFloat16 } }
        : new() { { "A100", Precision.BFloat16 } };

    [Theory]
    [MemberData(nameof(Devices))]
    public void Ten_objects(string card, Precision precision)
    {
        using VirtualDriver driver = Driver(card);
        using (Sa2VAModel model = Load(driver, precision))
        using (VideoSession together = model.OpenTracker(new VideoOptions { Logits = true }))
        {
            (int width, int height) = (Clip[0].Width, Clip[0].Height);
            VisualPrompt[] prompts = [.. Enumerable.Range(0, 10).Select(i =>
                new VisualPrompt(new Click((i % 5 + 0.5f) * width / 5, (i / 5 + 0.5f) * height / 2)))];
            together.Next(Clip[0], Cancellation);
            int[] chosen = FullRun.IsAsked ? [.. Enumerable.Range(0, 10)] : [0, 6, 9];
            float[][] expected = [.. chosen.Select(i =>
            {
                using VideoSession alone = together.Fork();
                alone.Follow(prompts[i], out _, Cancellation);
                return Bits(Assert.Single(alone.Next(Clip[1], Cancellation).Objects));
            })];
            Assert.NotEqual(expected[0], expected[1]);
            foreach (VisualPrompt prompt in prompts) together.Follow(prompt, out _, Cancellation);
            IReadOnlyList<ObjectMask> objects = together.Next(Clip[1], Cancellation).Objects;
            Assert.Equal(10, objects.Count);
            for (int n = 0; n < chosen.Length; n++) Assert.Equal(expected[n], Bits(objects[chosen[n]]));
        }
        Assert.Equal(default, driver.Live);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Eight_chats(string card, Precision precision)
    {
        const int Chats = 8, Tokens = 4;
        int[] lengths = [1, 15, 33, 64, 97, 130, 200, 48];
        using VirtualDriver driver = Driver(card);
        using (Sa2VAModel model = Load(driver, precision))
        {
            var steps = new Steps(model.LanguageModel);
            Turn[] alone = Begin();
            var expected = new (int Next, float[] State)[Tokens, Chats];
            for (int step = 0; step < Tokens; step++)
                for (int i = 0; i < Chats; i++)
                {
                    steps.Decode([alone[i]]);
                    expected[step, i] = (steps.Next(alone[i]), steps.State(alone[i]));
                }
            Turn[] together = Begin();
            for (int step = 0; step < Tokens; step++)
            {
                // In another order each time: nobody has a place of his own.
                steps.Decode([.. together.Skip(step), .. together.Take(step)]);
                for (int i = 0; i < Chats; i++)
                {
                    Assert.Equal(expected[step, i].Next, steps.Next(together[i]));
                    Assert.Equal(expected[step, i].State, steps.State(together[i]));
                }
            }
            foreach (Turn turn in (Turn[])[.. alone, .. together]) turn.Conversation.Dispose();

            Turn[] Begin() => [.. Enumerable.Range(0, Chats).Select(i => steps.Begin(steps.Prompt(lengths[i], i)))];
        }
        Assert.Equal(default, driver.Live);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Graphs_and_direct_launches(string card, Precision precision)
    {
        float[] expected = Run(usesGraphs: true);
        Assert.Contains(expected, v => v > 0);
        Assert.Equal(expected, Run(usesGraphs: false));

        float[] Run(bool usesGraphs)
        {
            using VirtualDriver driver = Driver(card);
            using Sa2VAModel model = Load(driver, precision, usesGraphs);
            var bits = new List<float>();
            using (VideoSession session = model.OpenTracker(new VideoOptions { Logits = true }))
            {
                session.Next(Clip[0], Cancellation);
                session.Follow(new VisualPrompt(new Click(Clip[0].Width / 2f, Clip[0].Height / 2f)), out _, Cancellation);
                bits.AddRange(Bits(Assert.Single(session.Next(Clip[1], Cancellation).Objects)));
            }
            var steps = new Steps(model.LanguageModel);
            Turn turn = steps.Begin(steps.Prompt(97, 1));
            for (int step = 0; step < 4; step++)
            {
                steps.Decode([turn]);
                bits.AddRange([steps.Next(turn), .. steps.State(turn)]);
            }
            turn.Conversation.Dispose();
            return [.. bits];
        }
    }

    private static float[] Bits(ObjectMask mask) => [mask.Score, mask.Present, .. mask.Logits];

    private static VirtualDriver Driver(string card) => new(new()
    {
        Devices = [card == "H100" ? VirtualDeviceKind.H100 : VirtualDeviceKind.A100],
        Execution = new() { Checks = FullRun.IsAsked, CountMemory = false },
    });

    private static Sa2VAModel Load(VirtualDriver driver, Precision precision, bool usesGraphs = true) =>
        Sa2VAModel.Load(Fixtures.Model("sa2va-tiny-shapes"),
            new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Precision = precision, UsesGraphs = usesGraphs });
}
