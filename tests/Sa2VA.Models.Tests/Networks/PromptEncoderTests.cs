using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Tests.Networks;

/// <summary>
/// Order and count of sparse rows, and refusal of points that mean nothing. The values are checked by the recorded goldens.
/// </summary>
public sealed class PromptEncoderTests
{
    private const int Width = 4;
    private static readonly float[] Nap = [9, 8, 7, 6];

    private static PromptEncoder Encoder()
    {
        var weights = new TestWeights();
        weights.Add("pe_layer.positional_encoding_gaussian_matrix", DType.F32, new Shape(2, 2), [1, 0, 0, 1]);
        weights.Add("not_a_point_embed.weight", DType.F32, new Shape(1, Width), Nap);
        for (int i = 0; i < 4; i++)
            weights.Add($"point_embeddings.{i}.weight", DType.F32, new Shape(1, Width), [.. Enumerable.Repeat(100f * i, Width)]);
        return new PromptEncoder(new GraphBuilder("test", weights).At(""), new GroundingConfig { ImageSize = 64, DModel = Width });
    }

    [Fact]
    public void Without_points_there_are_two_padding_rows_and_language_comes_last()
    {
        float[] seg = [1, 2, 3, 4];
        var rows = new float[PromptEncoder.SparseRows(0, language: true) * Width];
        Encoder().EncodeSparse([], seg, rows);
        Assert.Equal([.. Nap, .. Nap, .. seg], rows);
    }

    [Fact]
    public void Points_are_followed_by_one_padding_row()
    {
        var rows = new float[PromptEncoder.SparseRows(2, language: false) * Width];
        Encoder().EncodeSparse([new PointPrompt(31.5f, 31.5f, PointLabel.BoxBottomRight), new PointPrompt(0, 0, PointLabel.Padding)],
            [], rows);

        // The image's centre has phase 0: sines 0, cosines 1, plus the label's embedding.
        Assert.Equal([300, 300, 301, 301, .. Nap, .. Nap], rows);
    }

    [Theory]
    [InlineData(1f, 1f, 4)]
    [InlineData(1f, 1f, -2)]
    [InlineData(float.NaN, 1f, 1)]
    [InlineData(1f, float.PositiveInfinity, 0)]
    public void Meaningless_points_are_refused(float x, float y, int label)
    {
        PromptEncoder encoder = Encoder();
        Assert.Throws<PromptException>(() => encoder.EncodeSparse([new PointPrompt(x, y, (PointLabel)label)], [], new float[2 * Width]));
    }
}
