using Sa2VA.Core;
using Sa2VA.Cuda;
using Sa2VA.Cuda.Driver;
using Sa2VA.VirtualGpu.Driver;

namespace Sa2VA.Tests;

/// <summary>Products of few rows in bf16: the depth is cut in eight, and the parts are added in order.</summary>
public sealed class SkinnyProductTests
{
    private const int Parts = 8, PartDepth = 128, Depth = Parts * PartDepth, Width = 3;

    /// <summary>Sums of parts that show by their total in which order, and two at a time or one after the other, they were added.</summary>
    private static readonly float[][] SumsOfParts =
    [
        [1 << 24, 1, 1, 1, 1, 1, 1, -(1 << 24)], [1, 1, 1, 1 << 24, -(1 << 24), 1, 1, 1], [-(1 << 24), 1 << 24, 3, 1, 1, 1, 1, 1],
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    public void Parts_of_the_depth_are_added_in_order(int rows)
    {
        var weights = new TestWeights();
        var w = new float[Width * Depth];
        for (int column = 0; column < Width; column++)
            for (int part = 0; part < Parts; part++) w[column * Depth + part * PartDepth + 7 * part + column] = SumsOfParts[column][part];
        weights.Add("w", DType.BF16, new Shape(Width, Depth), w);

        using var driver = new VirtualDriver();
        using IBackend backend = new CudaDevice(new CudaDriver(driver.Name, driver.Export)) { Precision = Precision.BFloat16 }.Open();
        using DeviceQueue queue = backend.CreateQueue("test");
        var g = new GraphBuilder("product", weights);
        Tensor x = g.Input("x", DType.BF16, new Shape(rows, Depth));
        Tensor y = g.Output("y", g.Linear(g.Copy(x, DType.F32), g.Weight("w")));
        using ExecutionPlan plan = backend.Compile(g.Build(), TestContext.Current.CancellationToken);
        using DeviceBuffer ones = backend.Allocate("x", DType.BF16, x.Shape), products = backend.Allocate("y", DType.F32, y.Shape);
        using BoundPlan run = plan.Bind(queue, new PlanBuffers(plan.Graph).Add(x, ones).Add(y, products));
        var one = new ushort[rows * Depth];
        Array.Fill(one, BFloat16.FromSingle(1).Bits);
        queue.Write<ushort>(ones, one);
        queue.Run(run, TestContext.Current.CancellationToken);
        var found = new float[rows * Width];
        queue.Read<float>(products, found);

        float[] row = [.. SumsOfParts.Select(parts => parts.Aggregate((sum, part) => sum + part))];
        Assert.Equal([0, 7, 8], row);
        Assert.Equal(Enumerable.Repeat(row, rows).SelectMany(r => r), found);
    }
}
