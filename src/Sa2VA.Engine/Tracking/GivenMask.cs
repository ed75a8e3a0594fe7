using Sa2VA.Core;
using Sa2VA.Models;

namespace Sa2VA.Engine.Tracking;

/// <summary>A mask that is given as the truth, at the encoder's size (docs/model/interactive.md#masks).</summary>
internal sealed class GivenMask
{
    private const float Threshold = 0.5f;

    private GivenMask(float[] values) => (Values, IsEmpty) = (values, !values.AsSpan().ContainsAnyExcept(0f));

    /// <summary>0 or 1 per pixel [S, S].</summary>
    public float[] Values { get; }

    /// <summary>True if no pixel is inside: the object is not on the frame.</summary>
    public bool IsEmpty { get; }

    /// <summary>Brings a mask to the encoder's size: antialiased, and inside where at least half is.</summary>
    /// <param name="model">Model.</param>
    /// <param name="mask">Of the video's size.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public static GivenMask Of(SegmentationModel model, Mask mask, CancellationToken cancellation)
    {
        int side = model.Config.ImageSize;
        var values = new float[mask.Pixels.Length];
        for (int i = 0; i < values.Length; i++) values[i] = mask.Pixels[i] != 0 ? 1 : 0;
        if (mask.Width == side && mask.Height == side) return new GivenMask(values);

        var g = new GraphBuilder("given mask", model.Weights);
        Tensor given = g.Input("mask", DType.F32, new Shape(mask.Height, mask.Width, 1));
        Tensor resized = g.Output("resized", g.Resize(given, side, side, ResizeMode.BilinearAntialias));
        using ExecutionPlan plan = model.Backend.Compile(g.Build(), cancellation);
        using DeviceBuffer from = model.Backend.Allocate("given mask", DType.F32, given.Shape);
        using DeviceBuffer to = model.Backend.Allocate("given mask, resized", DType.F32, resized.Shape);
        using BoundPlan bound = plan.Bind(model.Queue, new PlanBuffers(plan.Graph).Add(given, from).Add(resized, to));
        var read = new float[side * side];
        model.Queue.Write<float>(from, values);
        model.Queue.Run(bound, cancellation);
        model.Queue.Read<float>(to, read);
        for (int i = 0; i < read.Length; i++) read[i] = read[i] >= Threshold ? 1 : 0;
        return new GivenMask(read);
    }

    /// <summary>Enqueues taking it for the truth.</summary>
    /// <param name="model">Model.</param>
    /// <param name="frame">The frame's features.</param>
    /// <param name="results">Receives the result in its first row.</param>
    /// <param name="cancellation">Stops between two ops.</param>
    public void Take(SegmentationModel model, FrameFeatures frame, MaskResults results, CancellationToken cancellation)
    {
        (MaskAsOutputGraph graph, ExecutionPlan plan) = model.MaskAsOutput(cancellation);
        DeviceQueue queue = model.Queue;
        using DeviceBuffer values = model.Backend.Allocate("given mask", DType.F32, graph.Mask.Shape);
        using DeviceBuffer any = model.Backend.Allocate("given mask, any inside", DType.F32, graph.AnyInside.Shape);
        queue.Write<float>(values, Values);
        queue.Write<float>(any, [IsEmpty ? 0 : 1]);
        PlanBuffers buffers = new PlanBuffers(graph.Graph).Add(graph.Mask, values).Add(graph.AnyInside, any);
        frame.AddToTracker(buffers, graph.Frame);
        using BoundPlan bound = plan.Bind(queue, results.AddTo(buffers, graph, 0));
        queue.WaitFor(frame.Encoded);
        queue.Run(bound, cancellation);
        results.WriteGiven(queue, 0, IsEmpty);
    }
}
