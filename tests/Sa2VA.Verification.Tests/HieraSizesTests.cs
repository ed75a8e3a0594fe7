using Sa2VA.Core;
using Sa2VA.Cpu;
using Sa2VA.Models;

namespace Sa2VA.Verification.Tests;

/// <summary>
/// The image encoder of every published size (docs/model/image-encoder.md#sizes), with its real weights' shapes, on a smaller frame: its
/// windows then need padding.
/// </summary>
public class HieraSizesTests
{
    private const string Prefix = "grounding_encoder.sam2_model";

    [Theory]
    [InlineData(96, 1, new[] { 1, 2, 7, 2 }, new[] { 8, 4, 14, 7 }, new[] { 5, 7, 9 }, 7, 26_849_472)]
    [InlineData(96, 1, new[] { 1, 2, 11, 2 }, new[] { 8, 4, 14, 7 }, new[] { 7, 10, 13 }, 7, 33_947_328)]
    [InlineData(112, 2, new[] { 2, 3, 16, 3 }, new[] { 8, 4, 14, 7 }, new[] { 12, 16, 20 }, 14, 68_675_712)]
    [InlineData(144, 2, new[] { 2, 6, 36, 4 }, new[] { 8, 4, 16, 8 }, new[] { 23, 33, 43 }, 7, 212_149_296)]
    public void Has_the_published_parameters_and_runs_with_the_same_bits_at_two_widths(
        int dim, int heads, int[] stages, int[] windows, int[] global, int background, long parameters)
    {
        var grounding = new GroundingConfig
        {
            ImageSize = 224, EmbedDim = dim, NumHeads = heads, Stages = stages, WindowSpec = windows, GlobalAttBlocks = global,
            WindowPosEmbedBkgSpatialSize = [background, background],
        };
        var weights = new SyntheticWeights(SyntheticPresets.Get("sa2va-1b") with { Grounding = grounding });
        Assert.Equal(parameters, weights.Tensors.Where(t => t.Name.StartsWith(Prefix + ".image_encoder.trunk.", StringComparison.Ordinal))
            .Sum(t => t.Shape.Count));

        float[] wide = Encode(weights, grounding, new CpuOptions()),
            narrow = Encode(weights, grounding, new CpuOptions { Threads = 1, Simd = SimdLevel.V128 });
        Assert.All(wide, v => Assert.True(float.IsFinite(v)));
        Assert.True(wide.Max() > wide.Min());
        Assert.True(wide.AsSpan().SequenceEqual(narrow));
    }

    private static float[] Encode(IWeightSource weights, GroundingConfig grounding, CpuOptions options)
    {
        using var backend = new CpuBackend(options);
        var graph = new ImageEncoderGraph(weights, Prefix, grounding);
        using ExecutionPlan plan = backend.Compile(graph.Graph, TestContext.Current.CancellationToken);
        using DeviceBuffer image = backend.Allocate("image", DType.U8, graph.Image.Shape),
            f = backend.Allocate("f", DType.F32, graph.F.Shape);
        using DeviceBuffer s0 = backend.Allocate("s0", DType.F32, graph.High.S0.Shape),
            s1 = backend.Allocate("s1", DType.F32, graph.High.S1.Shape);
        var pixels = new byte[graph.Image.Shape.Count];
        new Random(1).NextBytes(pixels);
        using DeviceQueue queue = backend.CreateQueue("test");
        queue.Write<byte>(image, pixels);
        using BoundPlan bound = plan.Bind(queue,
            new PlanBuffers(graph.Graph).Add(graph.Image, image).Add(graph.F, f).Add(graph.High.S0, s0).Add(graph.High.S1, s1));
        queue.Run(bound, TestContext.Current.CancellationToken);
        var features = new float[graph.F.Shape.Count];
        queue.Read<float>(f, features);
        return features;
    }
}
