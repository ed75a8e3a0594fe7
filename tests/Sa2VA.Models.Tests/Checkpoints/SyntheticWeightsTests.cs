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

    [Theory]
    [InlineData("layer.weight", 40, 25)]
    [InlineData("layer.bias", 1000, 1)]
    [InlineData("norm.weight", 1000, 1)]
    [InlineData("ls1", 1000, 1)]
    [InlineData("a.positional_encoding_gaussian_matrix", 2, 500)]
    public void Blocks_equal_the_stream_element_by_element(string name, int rows, int columns)
    {
        var info = new WeightInfo(name, DType.BF16, columns == 1 ? new Shape(rows) : new Shape(rows, columns));
        (double scale, float shift) = name switch
        {
            "layer.bias" =>
                (0.02, 0f), "norm.weight" => (0.1, 1f), "ls1" => (0.05, 0.1f), "layer.weight" => (Math.Sqrt(3.0 / columns), 0f),
                _ => (Math.Sqrt(3), 0f),
        };
        var stream = new SyntheticStream(name);
        foreach (long start in (long[])[0, 1, 17, 983, 5_000_000_000])
        {
            foreach (int count in (int[])[1, 15, 16, 17, 31, 32, 400])
            {
                var block = new BFloat16[count];
                SyntheticWeights.Fill(info, start, block);
                for (int i = 0; i < count; i++) Assert.Equal(BFloat16.FromSingle(stream[start + i] * (float)scale + shift), block[i]);
            }
        }
    }

    [Fact]
    public void An_unknown_preset_is_named()
    {
        Assert.Contains("sa2va-1b", Assert.Throws<CheckpointException>(() => SyntheticPresets.Get("sa2va-99b")).Message,
            StringComparison.Ordinal);
    }
}
