using System.Diagnostics;
using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Verification.Benchmarking;

/// <summary>
/// What a GPU's memory and our own kernels on it do at most. No bound from a data sheet: a stage whose products suit the device better than
/// the large one that was measured can exceed it.
/// </summary>
internal static class GpuCeilings
{
    private const int Copies = 8, Products = 4;

    /// <summary>Measures both.</summary>
    /// <param name="backend">The GPU's.</param>
    /// <param name="effort">How much to copy and to multiply.</param>
    /// <param name="runs">Measurements of each.</param>
    /// <param name="cancellation">Stops between two runs.</param>
    public static Ceilings Measure(IBackend backend, GpuEffort effort, int runs, CancellationToken cancellation)
    {
        int side = effort.ProductSide;
        string type = backend.Precision.IsNarrow() ? "bf16" : "f32";
        return new Ceilings(FlopsPerSecond(backend, side, runs, cancellation), FormattableString.Invariant(
                $"this program's own {type} product of {side}×{side}×{side}"),
            BytesPerSecond(backend, effort.CopyBytes, runs, cancellation), FormattableString.Invariant(
                $"copied, read + write, buffers of {effort.CopyBytes / 1048576.0:0.#} MiB"));
    }

    private static Spread BytesPerSecond(IBackend backend, long bytes, int runs, CancellationToken cancellation)
    {
        using DeviceQueue queue = backend.CreateQueue("bandwidth");
        using DeviceBuffer from = backend.Allocate("from", DType.U8, new Shape(checked((int)bytes)));
        using DeviceBuffer to = backend.Allocate("to", DType.U8, from.Shape);
        return Repeat(runs, 2.0 * Copies * bytes, cancellation, () =>
        {
            for (int i = 0; i < Copies; i++) queue.Copy(from, 0, to, 0, bytes);
            queue.Mark().Wait();
        });
    }

    /// <summary>A chain of products with ReLU, so that operands and results are stored as between the layers of a network.</summary>
    private static Spread FlopsPerSecond(IBackend backend, int side, int runs, CancellationToken cancellation)
    {
        var weights = new SyntheticWeights(
            [new WeightInfo("square", DType.BF16, new Shape(side, side)), new WeightInfo("last", DType.BF16, new Shape(8, side))]);
        var g = new GraphBuilder("products", weights);
        Tensor input = g.Input("x", DType.F32, new Shape(side, side)), x = g.Map(input, Activation.None, 0.5f);
        for (int i = 0; i < Products; i++) x = g.Linear(x, g.Weight("square"), activation: Activation.Relu);
        g.Output("y", g.Linear(x, g.Weight("last")));
        Graph graph = g.Build();
        using var run = new GraphRun(backend, graph, cancellation);
        run.FillRandom(input);
        return Repeat(runs, graph.Flops(run.Bound.Scalars), cancellation, () => run.Execute());
    }

    private static Spread Repeat(int runs, double amount, CancellationToken cancellation, Action run)
    {
        var rates = new double[runs];
        // One untimed run: memory is touched, the clock gets ready.
        run();
        for (int i = 0; i < runs; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            long began = Stopwatch.GetTimestamp();
            run();
            rates[i] = amount / Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
        return Spread.Of(rates);
    }
}
