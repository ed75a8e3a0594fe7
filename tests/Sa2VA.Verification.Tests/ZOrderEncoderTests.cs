using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.Models;
using Sa2VA.Tests;
using Sa2VA.VirtualGpu;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Verification.Tests;

/// <summary>Image encoders with maps in Z-order, wherever their windows allow it, beside those with raster maps.</summary>
public sealed class ZOrderEncoderTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Checkpoint, windows that are runs of rows of all there are.</summary>
    public static TheoryData<string, int, int, Precision> Checkpoints =>
    [
        .. from precision in (Precision[])[Precision.Float32, Precision.BFloat16]
           from c in ((string, int, int)[])[("internvl-qwen2", 4, 5), ("internvl-internlm2", 3, 4), ("internvl-6b-vit", 6, 6)]
           select (c.Item1, c.Item2, c.Item3, precision),
    ];

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Features_have_the_same_bits(string model, int runs, int windows, Precision precision)
    {
        string folder = Fixtures.Model(model);
        Assert.SkipUnless(Directory.Exists(folder), "Not among the fixtures that every clone carries.");
        Sa2VAConfig config = Sa2VAConfig.Read(folder);
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        using var driver = new VirtualDriver(new VirtualDriverOptions
        {
            Execution = new VirtualDeviceOptions { Checks = FullRun.IsAsked, ExactProducts = FullRun.IsAsked, CountMemory = false },
        });
        var graph = new ImageEncoderGraph(checkpoint, "grounding_encoder.sam2_model", config.Grounding);
        Graph ordered = GraphPasses.ZOrdered(GraphPasses.Apply(GraphPasses.PatchRows(graph.Graph)), ZOrderUse.Wherever, _ => false);
        Assert.Equal((runs, windows), (ordered.Ops.OfType<WindowAttention>().Count(w => w.Output.IsZOrdered),
            ordered.Ops.OfType<WindowAttention>().Count()));

        float[][] raster = Encode(graph, driver, precision, ZOrderUse.Nowhere);
        float[][] found = Encode(graph, driver, precision, ZOrderUse.Wherever);
        Assert.All(raster.Zip(found), pair => Assert.True(pair.First.AsSpan().SequenceEqual(pair.Second)));
        Assert.All(raster, values => Assert.True(values.All(float.IsFinite) && values.Max() > values.Min()));
    }

    /// <summary>
    /// What the pass does to the encoder of every released Sa2VA: stages 1 and 2 and what begins stage 4 are in Z-order, and all three
    /// poolings are a product's.
    /// </summary>
    [Fact]
    public void Of_the_released_size_three_products_pool_their_results()
    {
        var model = SyntheticPresets.Get("sa2va-1b");
        var graph = new ImageEncoderGraph(new SyntheticWeights(model), "grounding_encoder.sam2_model", model.Grounding);
        Graph placed = StoragePolicy.Apply(GraphPasses.Apply(GraphPasses.PatchRows(graph.Graph)), Precision.BFloat16, AllNarrow.Instance);
        Graph ordered = GraphPasses.ZOrdered(placed, ZOrderUse.WhereItPays, _ => true);
        Assert.Equal(3, ordered.Ops.OfType<LinearMaxPool>().Count());
        Assert.Empty(ordered.Ops.OfType<MaxPool2d>());
        string[] copies = [.. ordered.Ops.OfType<Reorder>().Select(r => r.Output)
            .Select(y => $"{y.Shape}, {y.Type}, {(y.IsZOrdered ? "Z-order" : "raster")}")];
        Assert.Equal(["[64, 64, 576], F32, raster", "[64, 64, 576], BF16, Z-order", "[32, 32, 256], F32, raster",
            "[256, 256, 32], F32, raster", "[128, 128, 64], F32, raster"], copies);
        // In Z-order wherever they can be, three attentions over the whole map would take six copies more.
        Graph all = GraphPasses.ZOrdered(placed, ZOrderUse.Wherever, _ => true);
        Assert.Equal(11, all.Ops.OfType<Reorder>().Count());
    }

    private static float[][] Encode(ImageEncoderGraph graph, VirtualDriver driver, Precision precision, ZOrderUse use)
    {
        using IBackend backend = new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Precision = precision, ZOrder = use }.Open();
        using DeviceQueue queue = backend.CreateQueue("test");
        using DeviceBuffer image = backend.Allocate("image", DType.U8, graph.Image.Shape);
        var pixels = new byte[graph.Image.Shape.Count];
        new Random(1).NextBytes(pixels);
        queue.Write<byte>(image, pixels);
        var buffers = new PlanBuffers(graph.Graph).Add(graph.Image, image);
        Tensor[] results = [graph.F, graph.High.S0, graph.High.S1];
        DeviceBuffer[] bound = [.. results.Select(r => backend.Allocate(r.Name, r.Type, r.Shape))];
        for (int i = 0; i < results.Length; i++) buffers.Add(results[i], bound[i]);
        using ExecutionPlan plan = backend.Compile(graph.Graph, Cancellation);
        using BoundPlan run = plan.Bind(queue, buffers);
        queue.Run(run, Cancellation);
        return [.. bound.Select(buffer =>
        {
            var values = new float[buffer.Shape.Count];
            queue.Read<float>(buffer, values);
            buffer.Dispose();
            return values;
        })];
    }

    /// <summary>Kernels as the CUDA backend has them.</summary>
    private sealed class AllNarrow : INarrowKernels
    {
        public static AllNarrow Instance { get; } = new();

        public bool Reads(Op op, int input) => true;

        public bool Writes(Op op) => true;
    }
}
