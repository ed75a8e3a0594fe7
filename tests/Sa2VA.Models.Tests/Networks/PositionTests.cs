using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>The position tables against the check values of docs/model/image-encoder.md and docs/model/memory.md.</summary>
public sealed class PositionTests
{
    private const float Tolerance = 1e-6f;

    [Fact]
    public void Sine_code_has_rows_first()
    {
        var table = new float[64 * 64 * 256];
        SinePosition.Fill(table, 64, 64, 256);
        Assert.Equal(0.09801714f, At(0, 0, 17), Tolerance);
        Assert.Equal(0.99518472f, At(1, 0, 5), Tolerance);
        Assert.Equal(0.33354688f, At(2, 3, 0), Tolerance);
        Assert.Equal(0.99999976f, At(255, 30, 63), Tolerance);

        float At(int c, int y, int x) => table[(y * 64 + x) * 256 + c];
    }

    [Fact]
    public void Rotary_code_turns_the_first_half_by_columns_and_the_second_by_rows()
    {
        float[] cos = new float[64 * 64 * 128], sin = new float[cos.Length];
        AxialRope.Fill(cos, 64, 256, MathF.Cos);
        AxialRope.Fill(sin, 64, 256, MathF.Sin);
        Assert.Equal(0.54030228f, cos[1 * 128 + 0], Tolerance);
        Assert.Equal(0.54030228f, cos[64 * 128 + 64], Tolerance);
        Assert.Equal(0.95363444f, sin[200 * 128 + 70], Tolerance);
        Assert.Equal(1f, cos[64 * 128 + 0]);
        Assert.Equal(0f, sin[1 * 128 + 64]);
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public void Trunk_positions_are_a_bicubic_ramp_plus_a_tiled_window(DType type)
    {
        var config = new GroundingConfig { EmbedDim = 2, WindowPosEmbedBkgSpatialSize = [7, 7], WindowSpec = [8, 4, 16, 8] };
        var coarse = new float[2 * 49];
        for (int i = 0; i < 49; i++) coarse[i] = i % 7;
        var window = new float[2 * 64];
        for (int i = 0; i < 64; i++) window[64 + i] = i;
        var weights = new TestWeights();
        weights.Add("pos_embed", type, new Shape(1, 2, 7, 7), coarse);
        weights.Add("pos_embed_window", type, new Shape(1, 2, 8, 8), window);

        var g = new GraphBuilder("test", weights);
        var table = new float[256 * 256 * 2];
        HieraPosition.Record(g, g.At(""), 256, config).Data!.Fill!(table);

        Assert.Equal(3.020230f, table[(40 * 256 + 128) * 2], 2e-6f);
        Assert.Equal(-0.096241f, table[0], Tolerance);
        Assert.Equal(3 * 8 + 5, table[((16 + 3) * 256 + 24 + 5) * 2 + 1], Tolerance);
    }
}
