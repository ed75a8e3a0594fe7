using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Engine;

namespace Sa2VA.Tests.Sessions;

/// <summary>The same bits from run to run, for every number of threads and every vector width.</summary>
public sealed class DeterminismTests
{
    private static readonly Lazy<string> Reference = new(() => Run(Shapes.Model));

    [Fact]
    public void Two_runs_give_the_same_bits() => Assert.Equal(Reference.Value, Run(Shapes.Model));

    [Theory, InlineData(1), InlineData(2), InlineData(3), InlineData(7)]
    public void Any_number_of_threads_gives_the_same_bits(int threads)
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Threads = threads });
        Assert.Equal(Reference.Value, Run(model));
    }

    public static TheoryData<SimdLevel> Levels => [.. CpuFeatures.Available];

    [Theory, MemberData(nameof(Levels))]
    public void Any_vector_width_gives_the_same_bits(SimdLevel level)
    {
        using Sa2VAModel model = Shapes.Load(new CpuDevice { Simd = level, Threads = 2 });
        Assert.Equal(Reference.Value, Run(model));
    }

    [Fact]
    public void A_vector_width_that_the_machine_lacks_is_refused()
    {
        foreach (SimdLevel level in Enum.GetValues<SimdLevel>().Except(CpuFeatures.Available))
            Assert.NotEmpty(Assert.Throws<DeviceException>(() => Shapes.Load(new CpuDevice { Simd = level })).Message);
    }

    /// <summary>
    /// Every network: tiles and thumbnail, prompts with and without image rows, decoding, masks, a stream past its conditioning frames.
    /// </summary>
    private static string Run(Sa2VAModel model)
    {
        var parts = new List<string>();
        using (TextSession text = model.OpenText()) parts.Add(Shapes.Fingerprint(text.Ask("What can you do?")));
        using (ImageSession image = model.OpenImage(Shapes.Image("shapes.png")))
        {
            parts.Add(Shapes.Fingerprint(image.Ask("Please segment the red circle and the blue star.", new AskOptions { Logits = true })));
            parts.Add(Shapes.Fingerprint(image.Ask("Please describe the image.")));
        }
        using VideoSession video = model.OpenVideo(Shapes.Clip[..5]);
        parts.Add(Shapes.Fingerprint(video.Ask("Please segment the green ring.", new AskOptions { Logits = true })));
        for (int f = 0; f < 9; f++) parts.Add(Shapes.Fingerprint(video.Next(Shapes.Clip[f]).Objects[0]));
        return string.Join("\n", parts);
    }
}
