using Sa2VA.Core;

namespace Sa2VA.Models.Tests;

public class SyntheticWeightsTests
{
    [Fact]
    public void The_stream_has_the_published_check_values()
    {
        var stream = new SyntheticStream("a");
        Assert.Equal([-0.25653815f, 0.99624455f, 0.984213f, 0.37188172f], [stream[0], stream[1], stream[2], stream[3]]);
    }

    [Fact]
    public unsafe void A_tensor_has_the_published_check_values()
    {
        var weights = new SyntheticWeights(SyntheticPresets.Get("sa2va-1b"));
        using WeightData data = weights.Open("mlp1.1.weight");
        Assert.Equal(new Shape(896, 4096), data.Info.Shape);
        var values = new ReadOnlySpan<BFloat16>(data.Pointer, 4);
        Assert.Equal([-0.022216796875f, -0.0113525390625f, -0.004730224609375f, -0.0101318359375f],
            [values[0].ToSingle(), values[1].ToSingle(), values[2].ToSingle(), values[3].ToSingle()]);
    }

    [Fact]
    public void An_unknown_preset_is_named()
    {
        Assert.Contains("sa2va-1b", Assert.Throws<CheckpointException>(() => SyntheticPresets.Get("sa2va-99b")).Message, StringComparison.Ordinal);
    }
}
