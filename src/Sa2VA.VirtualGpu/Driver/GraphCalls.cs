namespace Sa2VA.VirtualGpu.Driver;

/// <summary>Functions of captures and graphs.</summary>
public sealed unsafe partial class VirtualDriver
{
    private const ulong NodePriorities = 8;

    private readonly List<StreamCapture> captures = [];

    private void AddGraphCalls()
    {
        Add<TakesHandleAndFlags>("cuStreamBeginCapture_v2", (stream, mode) => Call("cuStreamBeginCapture_v2", context =>
        {
            DriverStream origin = Get<DriverStream>(context, stream);
            if (mode > (uint)CaptureMode.Relaxed) throw Invalid($"capture mode {mode}");
            if (origin.Capture is not null) throw new DriverException(DriverResult.IllegalState, "the stream is captured already");
            var capture = new StreamCapture(origin, (CaptureMode)mode, Environment.CurrentManagedThreadId);
            capture.Join(origin);
            captures.Add(capture);
        }));
        Add<GivesHandleOf>("cuStreamEndCapture", (stream, graph) => Call("cuStreamEndCapture", context =>
        {
            NotNull(graph, "the graph");
            *graph = 0;
            StreamCapture capture = Get<DriverStream>(context, stream).Capture
                ?? throw new DriverException(DriverResult.IllegalState, "the stream is not captured");
            if (capture.Mode != CaptureMode.Relaxed && capture.Thread != Environment.CurrentManagedThreadId)
                throw new DriverException(DriverResult.StreamCaptureWrongThread, "another thread began the capture");
            if (capture.Origin.Handle != stream)
            {
                capture.Invalidate();
                throw new DriverException(DriverResult.StreamCaptureUnmatched, "the capture began in another stream");
            }
            bool joined = capture.IsJoined();
            capture.End();
            captures.Remove(capture);
            NotInvalid(capture);
            if (!joined) throw new DriverException(DriverResult.StreamCaptureUnjoined, "a stream that was forked off did not come back");
            *graph = handles.Add(new CapturedGraph(context, capture.Nodes)).Handle;
        }));
        Add<GivesExecutable>("cuGraphInstantiateWithFlags", (executable, graph, flags) => Call("cuGraphInstantiateWithFlags", context =>
        {
            NotNull(executable, "the executable graph");
            if ((flags & ~NodePriorities) != 0) throw Invalid($"flags {flags}");
            CapturedGraph of = Get<CapturedGraph>(context, graph);
            *executable = handles.Add(new GraphExecutable(context, of.Nodes)).Handle;
        }));
        Add<TakesTwoHandles>("cuGraphLaunch", (executable, stream) => Call("cuGraphLaunch", context =>
        {
            GraphExecutable graph = Get<GraphExecutable>(context, executable);
            DriverStream on = Get<DriverStream>(context, stream);
            NotCapturing(on, "a launch of a graph cannot be captured");
            graph.Last = new(new GraphRun(graph), on);
            dispatcher.Enqueue(on, graph.Last);
        }));
        Add<TakesHandle>("cuGraphExecDestroy", executable => Call("cuGraphExecDestroy", context =>
            handles.Remove(Get<GraphExecutable>(context, executable).Handle)));
        Add<TakesHandle>("cuGraphDestroy", graph => Call("cuGraphDestroy", context =>
            handles.Remove(Get<CapturedGraph>(context, graph).Handle)));
    }

    /// <summary>A call that might wait for the device is not allowed while some capture forbids it.</summary>
    private void Unsafe(string what)
    {
        StreamCapture? forbids = captures.Find(c =>
            c.Mode == CaptureMode.Global || c.Mode == CaptureMode.ThreadLocal && c.Thread == Environment.CurrentManagedThreadId);
        if (forbids is null) return;
        forbids.Invalidate();
        throw new DriverException(DriverResult.StreamCaptureUnsupported, $"{what} during a capture that is not relaxed");
    }
}
